"""Summing minutes up into quarters of hours, hours and days, and taking away what is older than it is to be kept.

An hour is folded when it is over for an hour: by then nearly all its calls have come, and those that come later are
added to it directly. Each step is one transaction, and may be done by any process that shares the database.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, func, select

from ....store.database import Database
from ....store.tables import calls, rollup_groups, rollups
from ..rollup import DAY_S, HOUR_S, MINUTE_S, QUARTER_S, TENANTS, Sums
from .marks import Marks, read_marks, set_mark
from .reader import added
from .rows import COUNTERS, Row, row_of
from .writer import RollupWriter

SUBJECT = "usage"
"""What all who write calls or rollups wait for each other by."""
_VIEWS_AT_ONCE = 500
_CALLS_AT_ONCE = 2000
_Sums = dict[tuple[int, int, int], Sums]
"""By view, begin and group."""


class FoldingRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = RollupWriter(embedded=database.folder is not None)

    def marks(self) -> Marks:
        if not self._database.exists:
            return Marks()
        with self._database.read() as connection:
            return read_marks(connection)

    def fold_hour(self, now_s: float) -> bool:
        """Fold the next hour that is over and has calls; False when there is none left."""
        until = (int(now_s) - HOUR_S) // HOUR_S * HOUR_S
        if self.marks().folded >= until or not self._database.exists:
            return False
        with self._database.write(SUBJECT) as connection:
            folded = read_marks(connection).folded
            first = self._first_minute(connection, folded)
            if first is None or first >= until:
                set_mark(connection, "folded", max(folded, until))
                return False
            hour = first - first % HOUR_S
            quarters = self._quarters_of(connection, hour)
            for period_s in (QUARTER_S, HOUR_S, DAY_S):
                self._writer.write(connection, _rows(quarters, period_s))
            set_mark(connection, "folded", hour + HOUR_S)
        return True

    def rebuild(self, connection: Connection, calls_since: Iterator[Sequence[Any]]) -> None:
        """Make the rollups anew from calls, since when they are kept. Within the caller's transaction, which keeps
        everybody else out."""
        kept_from = read_marks(connection).calls
        for views in _views(connection):
            connection.execute(delete(rollups).where(rollups.c.view.in_(views), rollups.c.starts_at >= kept_from))
        for some in calls_since:
            self._writer.add(connection, some)

    def drop_minutes(self, before_s: float) -> None:
        """Keep no minutes and quarters of hours before this moment, those excepted that are not folded."""
        self._drop("minutes", (MINUTE_S, QUARTER_S), HOUR_S, before_s)

    def drop_hours(self, before_s: float) -> None:
        """Keep no hours of days before this moment."""
        self._drop("hours", (HOUR_S,), DAY_S, before_s)

    def drop_calls(self, before_s: float) -> bool:
        """Delete some of the calls of days before this moment; False when there are none left.

        Their sums stay. From the first step on they no longer count when calls are compared with sums.
        """
        if not self._database.exists:
            return False
        with self._database.write(SUBJECT) as connection:
            mark = self._marked(connection, "calls", DAY_S, before_s)
            oldest = select(calls.c.request_id).where(calls.c.started_at_ms < mark * 1000)
            oldest = oldest.order_by(calls.c.started_at_ms).limit(_CALLS_AT_ONCE)
            return connection.execute(delete(calls).where(calls.c.request_id.in_(oldest))).rowcount > 0

    def begin_of_last(self, count: int) -> int | None:
        """The begin of the oldest day that may be kept when no more calls than so many are; None when all may."""
        if not self._database.exists:
            return None
        day = rollups.c.starts_at - rollups.c.starts_at % DAY_S
        with self._database.read() as connection:
            marks = read_marks(connection)
            periods = (rollups.c.period_s == DAY_S) | (
                (rollups.c.period_s == MINUTE_S) & (rollups.c.starts_at >= marks.folded)
            )
            query = select(day, func.sum(rollups.c.calls)).where(rollups.c.view == TENANTS, periods)
            days = connection.execute(query.where(day >= marks.calls).group_by(day)).all()
        kept = 0
        for starts_at, number in sorted(map(tuple, days), reverse=True):
            kept += int(number)
            if kept > count:
                return int(starts_at) + DAY_S
        return None

    def _drop(self, mark: str, periods: Sequence[int], whole_s: int, before_s: float) -> None:
        if not self._database.exists:
            return
        with self._database.read() as connection:
            marks = read_marks(connection)
        wanted = int(before_s) // whole_s * whole_s
        if min(wanted, marks.folded) // whole_s * whole_s <= getattr(marks, mark):
            return
        with self._database.write(SUBJECT) as connection:
            at_s = self._marked(connection, mark, whole_s, min(before_s, read_marks(connection).folded))
            found = _views(connection)
        for views in found:
            gone = delete(rollups).where(rollups.c.view.in_(views), rollups.c.period_s.in_(periods))
            with self._database.write(SUBJECT) as connection:
                connection.execute(gone.where(rollups.c.starts_at < at_s))

    @staticmethod
    def _marked(connection: Connection, mark: str, whole_s: int, before_s: float) -> int:
        """Move a mark, never back."""
        marked = int(getattr(read_marks(connection), mark))
        wanted = int(before_s) // whole_s * whole_s
        if wanted > marked:
            set_mark(connection, mark, wanted)
        return max(marked, wanted)

    @staticmethod
    def _first_minute(connection: Connection, since: int) -> int | None:
        times = select(func.min(rollups.c.starts_at)).where(rollups.c.view == TENANTS)
        return connection.execute(
            times.where(rollups.c.period_s == MINUTE_S, rollups.c.starts_at >= since)
        ).scalar_one_or_none()

    @staticmethod
    def _quarters_of(connection: Connection, hour: int) -> _Sums:
        columns = [rollups.c[name] for name in ("starts_at", "group_id", *COUNTERS, "latency", "ttft", "view")]
        gathered: dict[tuple[int, int, int], list[Sequence[Any]]] = {}
        for views in _views(connection):
            query = select(*columns).where(
                rollups.c.view.in_(views),
                rollups.c.period_s == MINUTE_S,
                rollups.c.starts_at >= hour,
                rollups.c.starts_at < hour + HOUR_S,
            )
            for row in connection.execute(query):
                gathered.setdefault((row[-1], row[0] - row[0] % QUARTER_S, row[1]), []).append(row[:-1])
        return {key: added(rows, 1) for key, rows in gathered.items()}


def _rows(quarters: _Sums, period_s: int) -> list[Row]:
    """The quarters by a longer period, in the order of the table's key."""
    found: _Sums = {}
    for (view, starts_at, group), sums in quarters.items():
        found.setdefault((view, starts_at - starts_at % period_s, group), Sums()).add(sums)
    ordered = sorted(found.items(), key=itemgetter(0))
    return [row_of(view, period_s, starts_at, group, sums) for (view, starts_at, group), sums in ordered]


def _views(connection: Connection) -> list[list[int]]:
    """All views, some at a time: the tables' keys begin with them."""
    found = list(connection.execute(select(rollup_groups.c.view).distinct().order_by(rollup_groups.c.view)).scalars())
    return [found[begin : begin + _VIEWS_AT_ONCE] for begin in range(0, len(found), _VIEWS_AT_ONCE)]
