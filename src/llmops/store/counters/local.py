"""Counters of one process: plain numbers in a dictionary, touched by one event loop and so never half-taken."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from .counters import Hold, Refused
from .meter import Amounts, Concurrency, Meter, Quota, Rate, Unit
from .window import WINDOWS, Calendar, end_of

_WINDOW = {window: index for index, window in enumerate(WINDOWS)}
_ROOM = 10_000
"""Up to so many counters nobody looks for idle ones."""


class LocalCounters:
    """``monotonic_s`` drives rates, so that a clock that is set leaves them alone; ``now_s`` chooses the windows."""

    def __init__(self, now_s: Callable[[], float], monotonic_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._calendar = Calendar()
        self._rates: dict[str, tuple[int, int, int]] = {}
        """By name: the debt, when it stood so, and what drains per microsecond."""
        self._quotas: dict[str, tuple[int, int]] = {}
        """By name: the window's start and what is used of it."""
        self._calls: dict[str, int] = {}
        self._sweeping: Iterator[str] = iter(())

    def __len__(self) -> int:
        return len(self._rates) + len(self._quotas) + len(self._calls)

    def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        """Take ``amounts`` from all meters, or from none."""
        now_us = int(self._monotonic_s() * 1_000_000)
        windows = self._calendar.starts(self._now_s())
        rates = self._rates
        readings: list[int] = []
        over: list[int] = []
        for meter in meters:  # first look at all, then take from all
            if type(meter) is Rate:
                before = self._debt(meter, now_us)
                reading = before + amounts[meter.unit] * meter.period_us
                fits = reading <= meter.burst * meter.period_us
            elif type(meter) is Quota:
                before = self._use(meter.name, windows[_WINDOW[meter.window]])
                reading = before + amounts[meter.unit]
                fits = reading <= meter.limit
            else:
                before = self._calls.get(meter.name, 0)
                reading = before + 1
                fits = reading <= meter.limit  # type: ignore[union-attr]
            if not fits:
                if not (meter.shadow or (type(meter) is Quota and not meter.hard)):
                    return Refused(meter=meter, reading=before, wait_s=self._wait_s(meter, before, amounts))
                over.append(len(readings))
                if type(meter) is Rate:
                    reading = before  # a shadow counts only what it would have let pass
            readings.append(reading)
        for meter, reading in zip(meters, readings, strict=True):
            if type(meter) is Rate:
                rates[meter.name] = (reading, now_us, meter.count)
            elif type(meter) is Quota:
                self._quotas[meter.name] = (windows[_WINDOW[meter.window]], reading)
            else:
                self._calls[meter.name] = reading
        return Hold(
            request_id=request_id, meters=meters, amounts=amounts, windows=windows, readings=readings, over=over
        )

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Replace what was held by what was used, and free the place among concurrent calls."""
        for index, meter in enumerate(hold.meters):
            if type(meter) is Concurrency:
                left = self._calls.get(meter.name, 0) - 1
                if left > 0:
                    self._calls[meter.name] = left
                else:
                    self._calls.pop(meter.name, None)
                continue
            unit: Unit = meter.unit  # type: ignore[union-attr]
            if unit is Unit.REQUESTS:
                continue
            change = (tokens if unit is Unit.TOKENS else nanousd) - hold.amounts[unit]
            if type(meter) is Rate:
                if index in hold.over:  # nothing was taken
                    continue
                now_us = int(self._monotonic_s() * 1_000_000)
                debt = self._debt(meter, now_us) + change * meter.period_us
                self._rates[meter.name] = (max(0, debt), now_us, meter.count)
            elif type(meter) is Quota and change:
                start = hold.windows[_WINDOW[meter.window]]
                state = self._quotas.get(meter.name)
                if state is not None and state[0] == start:  # a window that is over is no longer counted
                    self._quotas[meter.name] = (start, max(0, state[1] + change))

    def used(self, meters: Sequence[Quota]) -> list[int]:
        """What is used of quotas in their present windows, reservations included."""
        windows = self._calendar.starts(self._now_s())
        return [self._use(meter.name, windows[_WINDOW[meter.window]]) for meter in meters]

    def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> None:
        """Bring quotas up to at least these uses, by meter name."""
        windows = self._calendar.starts(self._now_s())
        for meter in meters:
            start = windows[_WINDOW[meter.window]]
            self._quotas[meter.name] = (start, max(used.get(meter.name, 0), self._use(meter.name, start)))

    def sweep(self, names: int = 2000) -> None:
        """Forget counters that say nothing any more: look at so many of them, the next ones the next time."""
        if len(self) <= _ROOM:
            return
        now_us = int(self._monotonic_s() * 1_000_000)
        starts = set(self._calendar.starts(self._now_s()))
        for _ in range(names):
            name = next(self._sweeping, None)
            if name is None:
                self._sweeping = iter((*self._rates, *self._quotas))
                return
            rate = self._rates.get(name)
            if rate is not None and rate[0] <= (now_us - rate[1]) * rate[2]:
                del self._rates[name]
            quota = self._quotas.get(name)
            if quota is not None and quota[0] not in starts:
                del self._quotas[name]

    def _debt(self, meter: Rate, now_us: int) -> int:
        state = self._rates.get(meter.name)
        if state is None:
            return 0
        debt = state[0] - (now_us - state[1]) * meter.count
        return debt if debt > 0 else 0

    def _use(self, name: str, start: int) -> int:
        state = self._quotas.get(name)
        return state[1] if state is not None and state[0] == start else 0

    def _wait_s(self, meter: Meter, reading: int, amounts: Amounts) -> float | None:
        if isinstance(meter, Rate):
            return meter.wait_s(reading, amounts[meter.unit])
        if isinstance(meter, Quota):
            now_s = self._now_s()
            end_s = end_of(meter.window, now_s)
            return end_s - now_s if end_s is not None and amounts[meter.unit] <= meter.limit else None
        return None
