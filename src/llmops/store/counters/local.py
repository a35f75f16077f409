"""Counters of one process: plain numbers in a dictionary, touched by one event loop and so never half-taken."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from .counters import Hold, Refused
from .meter import MAX_EXACT, Amounts, Concurrency, Meter, Quota, Rate, Unit, wait_s
from .window import WINDOWS, Calendar, Window, end_of

_WINDOW = {window: index for index, window in enumerate(WINDOWS)}
_ROOM = 10_000
"""Up to so many counters nobody looks for idle ones."""
_KEEP_S = 86400
"""How long a window that is over is remembered: clocks are set back."""


class LocalCounters:
    """``monotonic_s`` drives rates, so that a clock that is set leaves them alone; ``now_s`` chooses the windows."""

    def __init__(self, now_s: Callable[[], float], monotonic_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._calendar = Calendar()
        self._rates: dict[str, tuple[int, int, int]] = {}
        """By name: the debt, when it stood so, and what drains per microsecond."""
        self._quotas: dict[tuple[str, int], tuple[int, Window]] = {}
        """By name and start of a window: what is used of it, and what window it is."""
        self._calls: dict[str, int] = {}
        self._sweeping: Iterator[str | tuple[str, int]] = iter(())

    def __len__(self) -> int:
        return len(self._rates) + len(self._quotas) + len(self._calls)

    def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        """Take ``amounts`` from all meters, or from none. Less than nothing is nothing."""
        if amounts[1] < 0 or amounts[2] < 0:
            amounts = (amounts[0], max(0, amounts[1]), max(0, amounts[2]))
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
                    wait = wait_s(meter, before, amounts, self._now_s())
                    return Refused(meter=meter, reading=before, wait_s=wait)
                over.append(len(readings))
                if type(meter) is Rate:
                    reading = before  # a shadow counts only what it would have let pass
            readings.append(reading)
        for meter, reading in zip(meters, readings, strict=True):
            if type(meter) is Rate:
                rates[meter.name] = (reading, now_us, meter.count)
            elif type(meter) is Quota:
                self._quotas[meter.name, windows[_WINDOW[meter.window]]] = (reading, meter.window)
            else:
                self._calls[meter.name] = reading
        return Hold(
            request_id=request_id, meters=meters, amounts=amounts, windows=windows, readings=readings, over=over
        )

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Replace what was held by what was used, and free the place among concurrent calls."""
        tokens, nanousd = max(0, tokens), max(0, nanousd)
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
            if not change:
                continue
            if type(meter) is Rate:
                if index in hold.over:  # nothing was taken
                    continue
                now_us = int(self._monotonic_s() * 1_000_000)
                debt = self._debt(meter, now_us) + change * meter.period_us
                self._rates[meter.name] = (min(max(0, debt), MAX_EXACT), now_us, meter.count)
            elif type(meter) is Quota:
                key = (meter.name, hold.windows[_WINDOW[meter.window]])
                state = self._quotas.get(key)
                if state is not None:  # a window that is long over is no longer counted
                    self._quotas[key] = (max(0, state[0] + change), meter.window)

    def used(self, meters: Sequence[Quota]) -> list[int]:
        """What is used of quotas in their present windows, reservations included."""
        windows = self._calendar.starts(self._now_s())
        return [self._use(meter.name, windows[_WINDOW[meter.window]]) for meter in meters]

    def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> None:
        """Bring quotas up to at least these uses, by meter name."""
        windows = self._calendar.starts(self._now_s())
        for meter in meters:
            start = windows[_WINDOW[meter.window]]
            use = max(used.get(meter.name, 0), self._use(meter.name, start))
            self._quotas[meter.name, start] = (use, meter.window)

    def sweep(self, names: int = 2000) -> None:
        """Forget counters that say nothing any more: look at so many of them, the next ones the next time."""
        if len(self) <= _ROOM:
            return
        now_s, now_us = self._now_s(), int(self._monotonic_s() * 1_000_000)
        for _ in range(names):
            name = next(self._sweeping, None)
            if name is None:
                self._sweeping = iter((*self._rates, *self._quotas))
                return
            if isinstance(name, str):
                rate = self._rates.get(name)
                if rate is not None and rate[0] <= (now_us - rate[1]) * rate[2]:
                    del self._rates[name]
                continue
            quota = self._quotas.get(name)
            end_s = end_of(quota[1], name[1]) if quota is not None else None
            if end_s is not None and end_s + _KEEP_S < now_s:
                del self._quotas[name]

    def _debt(self, meter: Rate, now_us: int) -> int:
        state = self._rates.get(meter.name)
        if state is None:
            return 0
        debt = state[0] - (now_us - state[1]) * meter.count
        return debt if debt > 0 else 0

    def _use(self, name: str, start: int) -> int:
        state = self._quotas.get((name, start))
        return state[0] if state is not None else 0
