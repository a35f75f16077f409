"""What a process enforces by itself while Redis is out of reach: its share of every limit, counted in-process.

The share is the bound divided by the number of processes known last; of a quota it is a part of what was known to be
left. So all processes together let pass no more than the bound, unless the bound is smaller than their number. A change
between Redis and shares can add to that: a burst of a rate once more, and as many concurrent calls as were under way.
What is counted of quotas here is handed back (`take_unpushed`), for Redis is told when it is back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from ...errors import StoreUnavailable
from .counters import Hold, Refused
from .local import LocalCounters
from .meter import Amounts, Concurrency, Meter, Quota, Rate, Unit
from .window import WINDOWS, Calendar, Window

_REMEMBERED = 50_000
_KNOWN = 100_000
RETRY_S = 1.0
_WINDOW = {window: index for index, window in enumerate(WINDOWS)}
Unpushed = dict[tuple[str, Window, int], int]


class LocalShare:
    """Belongs to one event loop. ``begin`` is called at each loss."""

    def __init__(
        self,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        *,
        limits_on_loss: Literal["local", "open", "closed"] = "local",
        budgets_on_loss: Literal["closed", "open"] = "closed",
    ) -> None:
        self._now_s = now_s
        self._limits, self._budgets = limits_on_loss, budgets_on_loss
        self._counters = LocalCounters(now_s, monotonic_s)
        self._calendar = Calendar()
        self._day = 0
        self._processes = 1
        self._known: dict[str, tuple[int, int]] = {}
        """Of token quotas: the window's start and what Redis said last is used of it."""
        self._shares: dict[int, tuple[Sequence[Meter], Sequence[Meter] | StoreUnavailable]] = {}
        self._unpushed: Unpushed = {}

    def begin(self, processes: int) -> None:
        """From now on the bounds are divided by so many processes."""
        self._processes = max(1, processes)
        self._shares.clear()

    def know(self, meter: Meter, windows: Sequence[int], use: int) -> None:
        """What Redis has said is used of a quota."""
        assert isinstance(meter, Quota)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[meter.name] = (windows[_WINDOW[meter.window]], use)

    def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        """Take from this process's shares. `StoreUnavailable` where a call is not to be let in without Redis."""
        shares = self._shares_of(meters)
        outcome = self._counters.reserve(request_id, shares, amounts)
        if isinstance(outcome, Hold):
            self._count(outcome, outcome.amounts)
        return outcome

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Settle what was taken here, whether Redis is back by now or not."""
        self._counters.settle(hold, tokens, nanousd)
        self._count(hold, (0, max(0, tokens) - hold.amounts[1], max(0, nanousd) - hold.amounts[2]))

    def take_unpushed(self, most: int) -> Unpushed:
        """How quotas have changed here since this was asked last, by name, window and the window's start."""
        return dict(self._unpushed.popitem() for _ in range(min(most, len(self._unpushed))))

    @property
    def has_unpushed(self) -> bool:
        return bool(self._unpushed)

    def sweep(self) -> None:
        """Forget counters that say nothing any more."""
        self._counters.sweep()

    def _count(self, hold: Hold, changes: Amounts) -> None:
        for meter in hold.meters:
            if type(meter) is Quota and changes[meter.unit]:
                key = (meter.name, meter.window, hold.windows[_WINDOW[meter.window]])
                self._unpushed[key] = self._unpushed.get(key, 0) + changes[meter.unit]

    def _shares_of(self, meters: Sequence[Meter]) -> Sequence[Meter]:
        windows = self._calendar.starts(self._now_s())
        if windows.day != self._day or len(self._shares) >= _REMEMBERED:  # what is left of a new window is all of it
            self._day = windows.day
            self._shares.clear()
        entry = self._shares.get(id(meters))
        if entry is None or entry[0] is not meters:
            shares = self._refusal(meters) or tuple(self._share(meter, windows) for meter in meters)
            entry = self._shares[id(meters)] = (meters, shares)
        if isinstance(entry[1], StoreUnavailable):
            raise StoreUnavailable(entry[1].message, retry_after_s=RETRY_S)
        return entry[1]

    def _refusal(self, meters: Sequence[Meter]) -> StoreUnavailable | None:
        for meter in meters:
            if _is_hard_budget(meter) and self._budgets == "closed":
                return unavailable("budget", meter.rule)
            if _is_hard_limit(meter) and self._limits == "closed":
                return unavailable("limit", meter.rule)
        return None

    def _share(self, meter: Meter, windows: Sequence[int]) -> Meter:
        processes, replace = self._processes, msgspec.structs.replace
        if _is_hard_budget(meter) and isinstance(meter, Quota):
            return replace(meter, hard=False)
        if not _is_hard_limit(meter):
            return meter
        if self._limits == "open":
            return replace(meter, shadow=True)
        rule = (
            f"{meter.rule} (the share of one of {processes} processes, for want of Redis)"
            if processes > 1
            else meter.rule
        )
        if isinstance(meter, Rate):
            # A longer period instead of a smaller count: exact, also where the count is smaller than the number.
            burst = max(1, meter.burst // processes)
            return replace(meter, rule=rule, period_us=meter.period_us * processes, burst=burst)
        if isinstance(meter, Concurrency):
            return replace(meter, rule=rule, limit=max(1, meter.limit // processes))
        start, known = self._known.get(meter.name, (0, 0))
        if start != windows[_WINDOW[meter.window]]:
            known = 0
        left = meter.limit - known
        self._counters.raise_to({meter.name: known}, [meter])
        return replace(meter, rule=rule, limit=known + (max(1, left // processes) if left > 0 else 0))


def unavailable(kind: str, rule: str) -> StoreUnavailable:
    """The error for a call that must not pass uncounted."""
    return StoreUnavailable(
        f"the {kind} {rule!r} applies to this call and cannot be checked, because the gateway's shared counters are "
        "out of reach; try again later",
        retry_after_s=RETRY_S,
    )


def hard_budget_of(meters: Sequence[Meter]) -> Meter | None:
    """The first hard budget, if there is one."""
    return next((meter for meter in meters if _is_hard_budget(meter)), None)


def pushes(unpushed: Mapping[tuple[str, Window, int], int]) -> list[tuple[str, int, int, int]]:
    """Changes in the order in which the script reads them."""
    return [(name, _WINDOW[window] + 1, start, change) for (name, window, start), change in unpushed.items() if change]


def _is_hard_budget(meter: Meter) -> bool:
    return isinstance(meter, Quota) and meter.unit is Unit.NANOUSD and meter.hard and not meter.shadow


def _is_hard_limit(meter: Meter) -> bool:
    if isinstance(meter, Quota) and (meter.unit is Unit.NANOUSD or not meter.hard):
        return False
    return not meter.shadow
