"""Calendar windows of quotas and budgets: day, week (from Monday), month and all time, in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

Window = Literal["day", "week", "month", "total"]
WINDOWS: tuple[Window, ...] = ("day", "week", "month", "total")


class Starts(NamedTuple):
    """When the windows began that hold one moment, in whole seconds since the epoch. That of all time is 0."""

    day: int
    week: int
    month: int
    total: int = 0


class Calendar:
    """`Starts` of a moment. Remembers the day it was asked for last, since nearly every call falls on the same."""

    def __init__(self) -> None:
        self._starts = Starts(0, 0, 0)
        self._until_s = 0

    def starts(self, now_s: float) -> Starts:
        """The windows of ``now_s``, which may also lie before that of the call before: clocks are set back."""
        if not self._starts.day <= now_s < self._until_s:
            self._starts = starts_of(now_s)
            self._until_s = self._starts.day + 86400
        return self._starts


def starts_of(now_s: float) -> Starts:
    """The windows that hold ``now_s``."""
    day = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    week = day - timedelta(days=day.weekday())
    return Starts(int(day.timestamp()), int(week.timestamp()), int(day.replace(day=1).timestamp()))


def end_of(window: Window, now_s: float) -> int | None:
    """When the window that holds ``now_s`` ends, in seconds since the epoch; None for all time."""
    starts = starts_of(now_s)
    if window == "day":
        return starts.day + 86400
    if window == "week":
        return starts.week + 7 * 86400
    if window == "month":
        first = datetime.fromtimestamp(starts.month, UTC)
        following = (first + timedelta(days=32)).replace(day=1)
        return int(following.timestamp())
    return None
