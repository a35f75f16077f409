"""Windows of time, and the fewest rollups that make up one exactly.

A window from 10:07 on Monday to 16:52 on Thursday is whole days, and hours, quarters and minutes at its ends; where
that is shorter, they are taken away instead of added: until 16:57 is until 17:00 without three minutes. So no window
needs more than 7 minutes, 2 quarters and 12 hours at either end, however long it is.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from ...errors import InvalidRequest
from .rollup import DAY_S, HOUR_S, MINUTE_S, QUARTER_S

_UNITS = {"s": 1, "m": MINUTE_S, "h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}
_AGO = re.compile(r"^(?:now)?-([0-9]{1,9})([smhdw])$")
_DURATION = re.compile(r"^([0-9]{1,9})([smhdw]?)$")
_LAST_S = 253_402_300_800
_COARSER = {MINUTE_S: QUARTER_S, QUARTER_S: HOUR_S, HOUR_S: DAY_S}


class Window(NamedTuple):
    """From ``first`` up to, and without, ``last``: seconds since the epoch."""

    first: int
    last: int

    @property
    def before(self) -> "Window":
        """The window just as long that ends where this one begins."""
        return Window(max(0, 2 * self.first - self.last), self.first)


class Piece(NamedTuple):
    """Rollups of one period that start within a window, to be added or (``sign`` -1) taken away."""

    period_s: int
    first: int
    last: int
    sign: int


def pieces(window: Window, folded: int) -> list[Piece]:
    """What makes up a window; from ``folded`` on there are only minutes."""
    first, middle, last = window.first, min(max(window.first, folded), window.last), window.last
    return [*_cover(first, middle, MINUTE_S, DAY_S), *_between(MINUTE_S, middle, last)]


def steps(window: Window, step_s: int, folded: int) -> list[Piece]:
    """What makes up a window, each piece of rollups that lie within a step: those begin at multiples of ``step_s``.

    Whole steps take the longest period that divides one, and what is left at either end as few rollups as there are.
    """
    longest = next(period_s for period_s in (DAY_S, HOUR_S, QUARTER_S, MINUTE_S) if step_s % period_s == 0)
    middle = min(max(window.first, folded), window.last)
    first, last = -(-window.first // longest) * longest, window.last // longest * longest
    if first > last:
        return [*_cover(window.first, middle, MINUTE_S, longest), *_between(MINUTE_S, middle, window.last)]
    # Of the period that ``folded`` falls into, its rollup holds what came before.
    whole = _between(longest, min(first, middle), min(last, middle)) if first < middle else ()
    return [
        *_cover(window.first, min(first, middle), MINUTE_S, longest),
        *whole,
        *(_cover(last, middle, MINUTE_S, longest) if last < middle else ()),
        *_between(MINUTE_S, middle, window.last),
    ]


def _cover(first: int, last: int, period_s: int, longest: int) -> list[Piece]:
    """The fewest rollups of this period and longer ones, ``longest`` at most."""
    direct = list(_between(period_s, first, last))
    longer_s = _COARSER.get(period_s)
    if longer_s is None or longer_s > longest or not direct:
        return direct
    near_first, near_last = _nearest(first, longer_s), _nearest(last, longer_s)
    if near_first >= near_last:
        return direct
    inner = _cover(near_first, near_last, longer_s, longest)
    around = [*_between(period_s, first, near_first), *inner, *_between(period_s, near_last, last)]
    return around if _cost(around) < _cost(direct) else direct


def _between(period_s: int, first: int, last: int) -> Iterator[Piece]:
    if first < last:
        yield Piece(period_s, first, last, 1)
    elif last < first:
        yield Piece(period_s, last, first, -1)


def _nearest(moment: int, period_s: int) -> int:
    return (moment + period_s // 2) // period_s * period_s


def _cost(found: list[Piece]) -> int:
    return sum((piece.last - piece.first) // piece.period_s for piece in found)


def window_of(first: str, last: str, now_s: float) -> Window:
    """A window from its ends as people and programs write them."""
    found = Window(moment_of(first, now_s, "from"), moment_of(last, math.ceil(now_s), "to"))
    if found.first >= found.last:
        raise InvalidRequest(f"the window ends at {last[:40]!r}, before it begins at {first[:40]!r}", param="to")
    return found


def moment_of(text: str, now_s: float, param: str) -> int:
    """Seconds since the epoch of a time as people and programs write it; `InvalidRequest` for anything else."""
    text = text.strip()
    if text == "now":
        return int(now_s)
    if ago := _AGO.match(text):
        return max(0, int(now_s) - int(ago[1]) * _UNITS[ago[2]])
    try:
        if text.isascii() and text.isdigit():
            found = int(text) if len(text) < 15 else -1
        else:
            at = datetime.fromisoformat(text)
            found = int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found < _LAST_S:
        raise InvalidRequest(
            f"{text[:40]!r} is no time; write it as 2026-11-30T12:00:00Z, now-24h, or seconds since 1970", param=param
        )
    return found


def duration_of(text: str, param: str) -> int:
    """Seconds of ``90s``, ``5m``, ``1h`` or ``7d``; `InvalidRequest` for anything else."""
    found = _DURATION.match(text.strip())
    if found is None or int(found[1]) == 0:
        raise InvalidRequest(f"{text[:40]!r} is no duration; write it as 5m, 1h or 7d", param=param)
    return int(found[1]) * _UNITS[found[2] or "s"]
