"""The part in a search of traces of which spans came in; as for calls, newest first looks through a bounded number."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, exists, or_, select
from sqlalchemy.sql.util import ClauseAdapter

from ....store.tables import span_days, span_texts, spans, traces
from ..query import Found, Order, Position, TraceFilter, TraceItem

_TRACE_COLUMNS = (
    "trace_id", "tenant", "started_us", "ended_us", "name", "service", "session", "user", "release_id", "spans",
    "errors", "input_tokens", "output_tokens", "cost_nanousd",
)  # fmt: skip


class Hits(NamedTuple):
    """Texts that hold the words that are asked for: their ids, traces and spans."""

    ids: list[int]
    trace_ids: list[str]
    span_ids: list[str]


class SpanTraceSearch:
    """One question to the traces of which spans came in."""

    def __init__(
        self, connection: Connection, wanted: TraceFilter, order: Order, after: Position | None, hits: Hits | None
    ) -> None:
        self._connection = connection
        self._wanted = wanted
        self._order = order
        self._after = after
        self._hits = hits

    def find(self, limit: int, at_once: int) -> Found:
        if self._wanted.status is not None:
            return Found([])
        filters = trace_filters(traces.c, self._wanted, self._hits)
        if self._order == "dearest":
            filters.append(traces.c.cost_nanousd > 0)
        key, where = self._key(traces.c), self._range()
        if self._order != "newest" or not filters:
            return self._found(self._run(self._select(traces.c, [*where, *filters]), limit + 1), limit)
        newest = select(traces).where(*where).order_by(key.desc(), traces.c.trace_id.desc())
        inner = newest.limit(at_once).subquery("traces")
        chosen = [moved(each, inner) for each in filters]
        found = self._found(self._run(self._select(inner.c, chosen), limit + 1), limit)
        if found.frontier is None:
            last = newest.with_only_columns(traces.c.started_us, traces.c.trace_id).offset(at_once - 1).limit(1)
            row = self._connection.execute(last).first()
            if row is not None:
                found.frontier = Position(float(row[0]), row[1])
        return found

    def _key(self, columns: Any) -> ColumnElement[Any]:
        if self._order == "newest":
            return columns.started_us  # type: ignore[no-any-return]
        if self._order == "slowest":
            return columns.ended_us - columns.started_us  # type: ignore[no-any-return]
        return columns.cost_nanousd  # type: ignore[no-any-return]

    def _select(self, columns: Any, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
        query = select(*[columns[name] for name in _TRACE_COLUMNS]).where(*where)
        return query.order_by(self._key(columns).desc(), columns.trace_id.desc())

    def _run(self, query: Select[Any], limit: int) -> list[Any]:
        return list(self._connection.execute(query.limit(limit)))

    def _range(self) -> list[ColumnElement[bool]]:
        wanted, columns = self._wanted, traces.c
        where: list[ColumnElement[bool]] = []
        if wanted.tenant is not None:
            where.append(columns.tenant == wanted.tenant)
        if wanted.since_us is not None:
            where.append(columns.started_us >= wanted.since_us)
        if wanted.until_us is not None:
            where.append(columns.started_us < wanted.until_us)
        if self._after is not None:
            key, at = self._key(columns), self._after.key
            where.append(and_(key <= at, or_(key < at, columns.trace_id < self._after.id)))
        return where

    def _found(self, rows: Sequence[Any], limit: int) -> Found:
        items = [(self._position(row), _trace_item(row)) for row in rows]
        return Found(items, items[-1][0] if len(items) > limit else None)

    def _position(self, row: Any) -> Position:
        key = {"newest": row.started_us, "slowest": row.ended_us - row.started_us, "dearest": row.cost_nanousd}
        return Position(float(key[self._order]), row.trace_id)


def trace_filters(columns: Any, wanted: TraceFilter, hits: Hits | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    for column, value in (
        (columns.user, wanted.user),
        (columns.session, wanted.session),
        (columns.release_id, wanted.release_id),
    ):
        if value is not None:
            where.append(column == value)
    if wanted.state is not None:
        where.append(columns.errors > 0 if wanted.state == "error" else columns.errors == 0)
    if wanted.min_latency_ms is not None:
        where.append(columns.ended_us - columns.started_us >= round(wanted.min_latency_ms * 1000))
    if wanted.min_cost_nanousd is not None:
        where.append(columns.cost_nanousd >= wanted.min_cost_nanousd)
    if wanted.model is not None:
        # By the days: the key of `spans` begins with them.
        days = spans.c.day.in_(select(span_days.c.day))
        own = (days, spans.c.trace_id == columns.trace_id, spans.c.tenant == columns.tenant)
        where.append(exists().where(*own, spans.c.model == wanted.model))
    if hits is not None:
        said = (span_texts.c.trace_id == columns.trace_id, span_texts.c.tenant == columns.tenant)
        where += [columns.trace_id.in_(hits.trace_ids), exists().where(*said, span_texts.c.id.in_(hits.ids))]
    return where


def is_listed(columns: Any, wanted: TraceFilter, hits: Hits | None, order: Order) -> ColumnElement[bool]:
    """Whether the trace of a call is listed by itself."""
    if wanted.status is not None:
        return exists().where(traces.c.tenant.is_(None))  # never
    own = traces.alias("own")
    where = [own.c.tenant == columns.tenant, own.c.trace_id == columns.trace_id, *trace_filters(own.c, wanted, hits)]
    if order == "dearest":
        where.append(own.c.cost_nanousd > 0)
    if wanted.since_us is not None:
        where.append(own.c.started_us >= wanted.since_us)
    if wanted.until_us is not None:
        where.append(own.c.started_us < wanted.until_us)
    return exists().where(*where)


def moved(clause: ColumnElement[bool], inner: Subquery) -> ColumnElement[bool]:
    """A condition on a table as one on a query of the same columns."""
    adapted: ColumnElement[bool] = ClauseAdapter(inner).traverse(clause)
    return adapted


def _trace_item(row: Any) -> TraceItem:
    return TraceItem(
        source="spans",
        trace_id=row.trace_id,
        tenant=row.tenant,
        started_us=row.started_us,
        duration_us=max(row.ended_us - row.started_us, 0),
        name=row.name,
        service=row.service,
        session=row.session,
        user=row.user,
        release_id=row.release_id,
        spans=row.spans,
        errors=row.errors,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_nanousd=row.cost_nanousd,
    )
