"""What assessments come to over time, how their values are spread, and the worst and latest of them.

Narrowed to a model or release they are those of traces with such a call, begun up to a month before the window;
sessions as a whole have none. Assessments of one name need not be of one kind, so sources are kept apart.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from ....store.database import Database
from ....store.tables import assessments, calls
from ...traces.repository.days import call_days
from ..assessment import Assessment
from .assessments import Wanted, narrowed

Order = Literal["newest", "worst"]
_BACK_US = 30 * 86_400 * 1_000_000
_MOST_VALUES, _BINS, _MOST_LABELS = 12, 10, 12
_FIELDS = Assessment.__struct_fields__
_AT_ONCE = 500


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Which assessments: `Wanted`, and those of calls to this model, of this release."""

    wanted: Wanted
    model: str | None = None
    release: str | None = None


class Point(msgspec.Struct, frozen=True):
    """Of one name and source in one step of time."""

    at_ms: int
    name: str
    source: str
    is_boolean: bool
    count: int
    valued: int
    total: float


class Bar(msgspec.Struct, frozen=True):
    """How many values are at least ``low`` and below ``high``; both the same: that value."""

    low: float
    high: float
    count: int


class Judged(NamedTuple):
    """An assessment, with the model and release of its trace's first call where it is known."""

    assessment: Assessment
    model: str | None
    release: str | None


class FeedbackRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def course(self, about: About, step_ms: int) -> list[Point]:
        """By steps of time, each beginning at a whole multiple of ``step_ms``."""
        if not self._database.exists:
            return []
        columns = assessments.c
        at = columns.created_at_ms - columns.created_at_ms % step_ms
        keys = [at.label("at"), columns.name, columns.source]
        is_boolean = func.min(case((columns.is_boolean, 1), else_=0))
        sums = [is_boolean, func.count(), func.count(columns.value), func.coalesce(func.sum(columns.value), 0.0)]
        with self._database.read() as connection:
            query = select(*keys, *sums).where(*_conditions(connection, about)).group_by(*keys).order_by(*keys)
            rows = connection.execute(query).all()
        return [
            Point(int(at), name, source, bool(thumb), int(count), int(valued), float(total))
            for at, name, source, thumb, count, valued, total in rows
        ]

    def spread(self, about: About) -> list[Bar]:
        """Each value where there are few, ranges of the same width where there are many; lowest first."""
        if not self._database.exists:
            return []
        value = assessments.c.value
        with self._database.read() as connection:
            mine = (*_conditions(connection, about), value.is_not(None))
            query = select(value, func.count()).where(*mine).group_by(value).order_by(value).limit(_MOST_VALUES + 1)
            rows = connection.execute(query).all()
            if len(rows) <= _MOST_VALUES:
                return [Bar(float(each), float(each), int(count)) for each, count in rows]
            low, high = connection.execute(select(func.min(value), func.max(value)).where(*mine)).one()
            edges = [low + (high / _BINS - low / _BINS) * number for number in range(_BINS)] + [high]
            counts = [func.sum(case((_within(value, edges, number), 1), else_=0)) for number in range(_BINS)]
            found = connection.execute(select(*counts).where(*mine)).one()
        return [Bar(edges[number], edges[number + 1], int(found[number] or 0)) for number in range(_BINS)]

    def labels(self, about: About) -> list[tuple[str, int]]:
        """The words that were chosen, the most frequent first."""
        if not self._database.exists:
            return []
        label, count = assessments.c.label, func.count()
        with self._database.read() as connection:
            query = select(label, count).where(*_conditions(connection, about), label.is_not(None))
            query = query.group_by(label).order_by(count.desc(), label).limit(_MOST_LABELS)
            return [(str(each), int(number)) for each, number in connection.execute(query)]

    def judged(self, about: About, order: Order, limit: int, *, commented: bool = False) -> list[Judged]:
        """The newest, or the lowest values and of those the newest; ``commented``: those with a comment."""
        if not self._database.exists:
            return []
        columns = assessments.c
        newest = (columns.created_at_ms.desc(), columns.tenant, columns.id)
        with self._database.read() as connection:
            query = select(*[columns[name] for name in _FIELDS]).where(*_conditions(connection, about))
            if commented:
                query = query.where(columns.comment.is_not(None))
            if order == "worst":
                query = query.where(columns.value.is_not(None)).order_by(columns.value, *newest)
            else:
                query = query.order_by(*newest)
            found = [Assessment(**row) for row in connection.execute(query.limit(limit)).mappings()]
            first = _first_calls(connection, found)
        nothing = (None, None)
        return [Judged(each, *first.get((each.tenant, each.trace_id or ""), nothing)) for each in found]


def _within(value: ColumnElement[Any], edges: Sequence[float], number: int) -> ColumnElement[bool]:
    """The last range has its end with it."""
    last = number == len(edges) - 2
    return and_(value >= edges[number], value <= edges[number + 1] if last else value < edges[number + 1])


def _conditions(connection: Connection, about: About) -> list[ColumnElement[bool]]:
    found, columns, wanted = narrowed(about.wanted), assessments.c, about.wanted
    chosen = [(calls.c.model, about.model), (calls.c.release_id, about.release)]
    chosen = [(column, value) for column, value in chosen if value is not None]
    if chosen:
        since_us = wanted.since_ms * 1000 - _BACK_US if wanted.since_ms is not None else None
        until_us = wanted.until_ms * 1000 if wanted.until_ms is not None else None
        days = call_days(connection, since_us, until_us)
        same = and_(calls.c.day.in_(days), calls.c.trace_id == columns.trace_id, calls.c.tenant == columns.tenant)
        found.append(exists().where(same, *[column == value for column, value in chosen]))
    return found


def _first_calls(
    connection: Connection, found: Sequence[Assessment]
) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Model and release by tenant and trace."""
    ids = sorted({each.trace_id for each in found if each.trace_id is not None})
    if not ids:
        return {}
    oldest_us = min(each.created_at_ms for each in found) * 1000 - _BACK_US
    days, known = call_days(connection, oldest_us), dict[tuple[str, str], tuple[str | None, str | None]]()
    for begin in range(0, len(ids), _AT_ONCE):
        query = (
            select(calls.c.tenant, calls.c.trace_id, calls.c.model, calls.c.release_id)
            .where(calls.c.day.in_(days), calls.c.trace_id.in_(ids[begin : begin + _AT_ONCE]))
            .order_by(calls.c.started_at_ms, calls.c.request_id)
        )
        for tenant, trace_id, model, release in connection.execute(query):
            known.setdefault((tenant, trace_id), (model, release))
    return known
