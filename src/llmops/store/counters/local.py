"""Counters of one process: plain numbers, touched by one event loop and so never half-taken.

Every meter comes down to one *cell*: a number, how fast it drains, and a bound. What a call's meters come down to is
worked out once for each list of meters and remembered, since the same list comes with every call of the same caller.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from .counters import Hold, Refused
from .meter import MAX_EXACT, Amounts, Meter, Quota, Rate, Unit, wait_s
from .window import WINDOWS, Calendar, Starts, Window, end_of

_WINDOW = {window: index for index, window in enumerate(WINDOWS)}
_CALLS = len(Unit)
"""Behind the units of `Amounts`: the place of the call itself among those under way."""
_ROOM = 10_000
"""Up to so many counters nobody looks for idle ones."""
_REMEMBERED = 50_000
_KEEP_S = 86400
"""How long a window that is over is remembered: clocks are set back."""

_Name = str | tuple[str, int]
"""A quota's counter has the start of its window in its name."""


class _Cell:
    """``value`` as it was at ``at_us``; it drains by ``drain`` a microsecond, down to nothing."""

    __slots__ = ("at_us", "drain", "value", "window")

    def __init__(self, drain: int, window: Window | None) -> None:
        self.value = 0
        self.at_us = 0
        self.drain = drain
        self.window = window

    def now(self, now_us: int) -> int:
        value = self.value - (now_us - self.at_us) * self.drain
        return value if value > 0 else 0


class _Cells:
    """The cells behind a list of meters, in the windows of one moment. ``takes`` holds for each meter its cell, what a
    unit adds, the most it may come to, and the index of what is taken; ``settles`` those that are put right afterwards.
    """

    __slots__ = ("cells", "epoch", "meters", "settles", "takes", "windows")

    def __init__(
        self, meters: Sequence[Meter], windows: Starts, epoch: int, cell_of: Callable[[Meter, Starts], _Cell]
    ) -> None:
        self.meters = meters
        self.windows = windows
        self.epoch = epoch
        self.takes: list[tuple[_Cell, int, int, int]] = []
        for meter in meters:
            cell = cell_of(meter, windows)
            if type(meter) is Rate:
                self.takes.append((cell, meter.period_us, meter.capacity, meter.unit))
            elif type(meter) is Quota:
                self.takes.append((cell, 1, meter.limit, meter.unit))
            else:
                self.takes.append((cell, 1, meter.limit, _CALLS))  # type: ignore[union-attr]
        self.cells = [cell for cell, _, _, _ in self.takes]
        self.settles = [
            (index, cell, step, unit) for index, (cell, step, _, unit) in enumerate(self.takes) if unit != Unit.REQUESTS
        ]


class LocalCounters:
    """``monotonic_s`` drives rates, so that a clock that is set leaves them alone; ``now_s`` chooses the windows."""

    def __init__(self, now_s: Callable[[], float], monotonic_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._calendar = Calendar()
        self._counts: dict[_Name, _Cell] = {}
        self._remembered: dict[int, _Cells] = {}
        """By the identity of a list of meters, which is kept alive by its cells."""
        self._epoch = 0
        """Moves when a cell is forgotten: whoever remembers it has to look again."""
        self._sweeping: Iterator[_Name] = iter(())

    def __len__(self) -> int:
        return len(self._counts)

    def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        """Take ``amounts`` from all meters, or from none. Less than nothing is nothing."""
        requests, tokens, nanousd = amounts
        if tokens < 0 or nanousd < 0:
            tokens, nanousd = max(0, tokens), max(0, nanousd)
            amounts = (requests, tokens, nanousd)
        taken = (requests, tokens, nanousd, 1)
        windows = self._calendar.starts(self._now_s())
        now_us = int(self._monotonic_s() * 1_000_000)
        cells = self._remembered.get(id(meters))
        if cells is None or cells.windows is not windows or cells.epoch != self._epoch:
            cells = self._remember(meters, windows)
        readings: list[int] = []
        over: list[int] | tuple[()] = ()
        for cell, step, bound, unit in cells.takes:  # first look at all, then take from all
            before = cell.value
            if cell.drain:
                before -= (now_us - cell.at_us) * cell.drain
                if before < 0:
                    before = 0
            reading = before + taken[unit] * step
            if reading > bound:
                meter = meters[len(readings)]
                if not (meter.shadow or (type(meter) is Quota and not meter.hard)):
                    return Refused(meter=meter, reading=before, wait_s=wait_s(meter, before, amounts, self._now_s()))
                over = [*over, len(readings)]
                if type(meter) is Rate:
                    reading = before  # a shadow counts only what it would have let pass
            readings.append(reading)
        for index, cell in enumerate(cells.cells):
            cell.value = readings[index]
            cell.at_us = now_us
        return Hold(
            request_id=request_id,
            meters=meters,
            amounts=amounts,
            windows=windows,
            readings=readings,
            over=over,
            cells=cells,
        )

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Replace what was held by what was used, and free the place among concurrent calls."""
        if not hold.meters:
            return
        cells = hold.cells
        if type(cells) is not _Cells or cells.epoch != self._epoch:
            cells = _Cells(hold.meters, Starts(*hold.windows), self._epoch, self._cell)
        _, held_tokens, held_nanousd = hold.amounts
        changes = (0, max(0, tokens) - held_tokens, max(0, nanousd) - held_nanousd, -1)
        for index, cell, step, unit in cells.settles:
            change = changes[unit]
            if not change:
                continue
            value = cell.value
            if cell.drain:
                if index in hold.over:  # a rate that was over has not been taken from
                    continue
                cell.at_us, before_us = int(self._monotonic_s() * 1_000_000), cell.at_us
                value -= (cell.at_us - before_us) * cell.drain
                if value < 0:
                    value = 0
            value += change * step
            cell.value = 0 if value < 0 else value if value < MAX_EXACT else MAX_EXACT

    def used(self, meters: Sequence[Quota]) -> list[int]:
        """What is used of quotas in their present windows, reservations included."""
        windows = self._calendar.starts(self._now_s())
        found = [self._counts.get(_name(meter, windows)) for meter in meters]
        return [cell.value if cell is not None else 0 for cell in found]

    def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> None:
        """Bring quotas up to at least these uses, by meter name."""
        windows = self._calendar.starts(self._now_s())
        for meter in meters:
            cell = self._cell(meter, windows)
            cell.value = max(used.get(meter.name, 0), cell.value)

    def sweep(self, names: int = 2000) -> None:
        """Forget counters that say nothing any more: look at so many of them, the next ones the next time."""
        if len(self) <= _ROOM:
            return
        now_s, now_us = self._now_s(), int(self._monotonic_s() * 1_000_000)
        forgotten = False
        for _ in range(names):
            name = next(self._sweeping, None)
            if name is None:
                self._sweeping = iter(tuple(self._counts))
                break
            cell = self._counts.get(name)
            if cell is not None and _is_idle(name, cell, now_s, now_us):
                del self._counts[name]
                forgotten = True
        if forgotten:
            self._epoch += 1
            self._remembered.clear()

    def _remember(self, meters: Sequence[Meter], windows: Starts) -> _Cells:
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        cells = self._remembered[id(meters)] = _Cells(meters, windows, self._epoch, self._cell)
        return cells

    def _cell(self, meter: Meter, windows: Starts) -> _Cell:
        name = _name(meter, windows)
        cell = self._counts.get(name)
        if cell is None:
            drain = meter.count if isinstance(meter, Rate) else 0
            cell = self._counts[name] = _Cell(drain, meter.window if isinstance(meter, Quota) else None)
        return cell


def _name(meter: Meter, windows: Starts) -> _Name:
    return (meter.name, windows[_WINDOW[meter.window]]) if isinstance(meter, Quota) else meter.name


def _is_idle(name: _Name, cell: _Cell, now_s: float, now_us: int) -> bool:
    if cell.window is None or isinstance(name, str):
        return cell.now(now_us) == 0
    end_s = end_of(cell.window, name[1])
    return end_s is not None and end_s + _KEEP_S < now_s
