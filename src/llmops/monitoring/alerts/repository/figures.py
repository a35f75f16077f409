"""What alerts ask of the rollups of calls: sums by window, and spend by hour.

Whole minutes, from the one that the window begins in to the one that it ends in. As for objectives
(`telemetry.objectives`), what the caller did wrong is no failure and no success, a provider that throttles us is a
failure, and latency is that of calls that went well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from ....alert_settings import Dimension
from ....store.database import Database
from ....store.tables import rollup_groups, rollups
from ....telemetry.objectives import OWN_TENANT, UPSTREAM_THROTTLED
from ....telemetry.rollups.histogram import unpacked
from ....telemetry.rollups.repository.marks import read_marks
from ....telemetry.rollups.rollup import EVERYTHING, HOUR_S, MINUTE_S, TENANTS, view_of
from ....telemetry.rollups.window import Window, pieces
from ..sources import Key, WindowFigures

_COLUMNS: dict[Dimension, Any] = {
    "tenant": rollup_groups.c.tenant,
    "model": rollup_groups.c.model,
    "release": rollup_groups.c.release_id,
}


class RollupFigures:
    """`sources.CallFigures` over the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def window(self, since_s: float, until_s: float, by: Sequence[Dimension]) -> Mapping[Key, WindowFigures]:
        minutes = Window(int(since_s) // MINUTE_S * MINUTE_S, (int(until_s) // MINUTE_S + 1) * MINUTE_S)
        asked = (rollup_groups.c.status_class, rollup_groups.c.error_type, rollups.c.calls, rollups.c.latency)
        found: dict[Key, WindowFigures] = {}
        with self._database.read() as connection:
            for piece in pieces(minutes, read_marks(connection).folded):
                starts_at = rollups.c.starts_at
                times = and_(rollups.c.period_s == piece.period_s, starts_at >= piece.first, starts_at < piece.last)
                for key, row, sign in _rows(connection, by, asked, times):
                    _count(found.setdefault(key, WindowFigures()), row, sign * piece.sign)
        return {key: figures for key, figures in found.items() if figures.calls}

    def spend(self, hours: Sequence[int], by: Sequence[Dimension]) -> Mapping[Key, Mapping[int, int]]:
        asked = (rollups.c.starts_at, rollups.c.cost_nanousd)
        found: dict[Key, dict[int, int]] = {}
        with self._database.read() as connection:
            folded = read_marks(connection).folded
            whole = [hour * HOUR_S for hour in hours if (hour + 1) * HOUR_S <= folded]
            open_hours = [hour * HOUR_S for hour in hours if (hour + 1) * HOUR_S > folded]
            minutes = [and_(rollups.c.starts_at >= start, rollups.c.starts_at < start + HOUR_S) for start in open_hours]
            times: list[ColumnElement[bool]] = []
            if whole:
                times.append(and_(rollups.c.period_s == HOUR_S, rollups.c.starts_at.in_(whole)))
            if minutes:
                times.append(and_(rollups.c.period_s == MINUTE_S, or_(*minutes)))
            for each in times:
                for key, row, sign in _rows(connection, by, asked, each):
                    by_hour = found.setdefault(key, {})
                    hour = row.starts_at // HOUR_S
                    by_hour[hour] = by_hour.get(hour, 0) + sign * row.cost_nanousd
        return found


def _count(figures: WindowFigures, row: Row[Any], sign: int) -> None:
    if row.status_class < 4:
        figures.calls += sign * row.calls
        figures.latency += sign * unpacked(row.latency)
    elif row.status_class >= 5 or row.error_type == UPSTREAM_THROTTLED:
        figures.calls += sign * row.calls
        figures.failures += sign * row.calls


def _rows(
    connection: Connection, by: Sequence[Dimension], asked: Sequence[Any], times: ColumnElement[bool]
) -> Iterator[tuple[Key, Row[Any], int]]:
    """Rows, with their signs, of the view that tells these dimensions apart and no more than it has to. Our own probes
    are nobody's calls."""
    columns = [_COLUMNS[name] for name in by]
    query = select(*columns, *asked).where(times, rollups.c.group_id == rollup_groups.c.id)
    for view, sign in _views(by):
        for row in connection.execute(query.where(view), execution_options={"yield_per": 5000}):
            key = tuple(row[: len(by)])
            if "tenant" in by and key[by.index("tenant")] in (None, OWN_TENANT):
                continue
            yield key, row, sign


def _views(by: Sequence[Dimension]) -> list[tuple[ColumnElement[bool], int]]:
    view = rollups.c.view
    if "tenant" not in by:
        return [(view == EVERYTHING, 1), (view == view_of(OWN_TENANT), -1)]
    if set(by) == {"tenant"}:
        return [(view == TENANTS, 1)]
    tenants = select(rollup_groups.c.view).where(rollup_groups.c.view > TENANTS).distinct()
    return [(view.in_(tenants.scalar_subquery()), 1)]
