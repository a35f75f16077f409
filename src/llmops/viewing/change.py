"""How a figure has changed against the window before, and whether that is good news.

The sign is an arrow as well as a colour, so that it is read without colours too. A figure without one before has no
change: from nothing to something is not so many per cent.
"""

from typing import Literal, NamedTuple

from . import figures

Better = Literal["up", "down", "neither"]
_SAME = 0.0005


class Change(NamedTuple):
    text: str
    mood: Literal["good", "bad", "neutral"]


def change(now: float | None, before: float | None, better: Better, *, in_points: bool = False) -> Change:
    """``in_points`` for shares: from 97 % to 99 % is 2 points."""
    if now is None or before is None:
        return Change("new" if now is not None else "", "neutral")
    if in_points:
        difference = now - before
        text = f"{abs(difference) * 100:.2g} points"
    else:
        if before == 0:
            return Change("same" if now == 0 else "new", "neutral")
        difference = now / before - 1
        text = f"{abs(difference):.0%}" if abs(difference) < 10 else f"{figures.count(round(now / before))}-fold"
    if abs(difference) < _SAME:
        return Change("= same", "neutral")
    arrow = "▲" if difference > 0 else "▼"
    if better == "neither":
        return Change(f"{arrow} {text}", "neutral")
    return Change(f"{arrow} {text}", "good" if (difference > 0) == (better == "up") else "bad")
