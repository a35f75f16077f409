"""The calls' part of a search.

Newest first, one request looks through a bounded number of calls, so that it is answered in a bounded time however rare
what it wants is; the cursor goes on there. Slowest and dearest have to see the whole time that is asked for. A call
whose trace is listed itself, because spans of it came in and match as well, is left out.
"""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal_column, not_, or_, select

from ....store.tables import calls
from ..query import Found, Order, Position, TraceFilter, TraceItem
from .call_rows import of_tenant
from .call_threshold import Threshold, Wish, threshold
from .days import call_days
from .span_trace_search import Hits, is_listed, moved

_BEST_AT_ONCE = 500
_WORTH_ALL = 250_000
_AFTER_ALL_IDS = "~"
_CALL_COLUMNS = (
    "trace_id", "span_id", "tenant", "started_at_ms", "latency_ms", "operation", "model", "requested_model",
    "session", "user", "release_id", "status", "error_type", "prompt_tokens", "completion_tokens", "cost_nanousd",
)  # fmt: skip


class CallSearch:
    """One question to the calls."""

    def __init__(
        self, connection: Connection, wanted: TraceFilter, order: Order, after: Position | None, hits: Hits | None
    ) -> None:
        self._connection = connection
        self._wanted = wanted
        self._order = order
        self._after = after
        self._hits = hits
        self._key: ColumnElement[Any] = {
            "newest": calls.c.started_at_ms,
            "slowest": calls.c.latency_ms,
            "dearest": calls.c.cost_nanousd,
        }[order]
        self._unit = 1 if order == "dearest" else 1000

    def find(self, limit: int, at_once: int) -> Found:
        wanted = self._wanted
        if self._order != "newest":
            return self._best(max(limit + 1, min(at_once, 2 * limit + _BEST_AT_ONCE)))
        if (days := self._by_day()) is not None:
            return self._day_by_day(days, limit)
        filters = self._filters()
        if wanted.state == "error" or not filters:
            where = [*self._range(calls, indexed=wanted.state != "error"), *filters]
            return self._found(self._run(self._select(calls.c, where), limit + 1), limit)
        return self._bounded(filters, limit, at_once)

    def first_keys(self, trace_ids: Sequence[str], top: float) -> dict[tuple[str | None, str], float]:
        """By tenant and trace, where the first of its calls stands in the list that began at ``top``."""
        columns = calls.c.tenant, calls.c.trace_id, func.max(self._key)
        query = select(*columns).where(
            calls.c.day.in_(call_days(self._connection)),
            calls.c.trace_id.in_(trace_ids),
            self._key <= top / self._unit,
            *self._time(calls.c),
            *self._filters(),
        )
        if self._wanted.tenant is not None:
            query = query.where(of_tenant(calls.c, self._wanted.tenant))
        found = self._connection.execute(query.group_by(calls.c.tenant, calls.c.trace_id))
        return {(tenant, trace_id): float(key) * self._unit for tenant, trace_id, key in found}

    def _by_day(self) -> list[Any] | None:
        """The days that are asked one by one, where an index that begins with the day is of use."""
        if self._wanted.user is None and self._wanted.session is None and self._hits is None:
            return None
        before_us = round(self._after.key) if self._after is not None and self._order == "newest" else None
        bounds = [each for each in (before_us, self._wanted.until_us) if each is not None]
        return call_days(self._connection, self._wanted.since_us, min(bounds, default=None))

    def _day_by_day(self, days: Sequence[Any], limit: int) -> Found:
        rows: list[Any] = []
        for day in days:
            where = [calls.c.day == day, *self._range(calls, indexed=False), *self._filters()]
            rows += self._run(self._select(calls.c, where), limit + 1 - len(rows))
            if len(rows) > limit:
                break
        return self._found(rows, limit)

    def _bounded(self, filters: Sequence[ColumnElement[bool]], limit: int, at_once: int) -> Found:
        """Look through so many of the newest calls. The inner query's limit keeps databases from being cleverer.

        Where it ends is known to the millisecond only, so what began in that one is left to the next page.
        """
        columns = [calls.c[name] for name in _CALL_COLUMNS]
        newest = select(*columns).where(*self._range(calls)).order_by(calls.c.started_at_ms.desc())
        inner = newest.limit(at_once).subquery("calls")
        where = [moved(each, inner) for each in filters]
        found = self._found(self._run(self._select(inner.c, where), limit + 1), limit)
        if found.frontier is None:
            last = newest.with_only_columns(calls.c.started_at_ms).offset(at_once - 1).limit(1)
            at_ms = self._connection.execute(last).scalar()
            if at_ms is not None:
                found.frontier = Position(at_ms * 1000.0, _AFTER_ALL_IDS)
        return found

    def _best(self, at_once: int) -> Found:
        """The slowest or dearest of the whole time that is asked for, of which all calls are looked at."""
        days, filters = self._by_day(), self._filters()
        bound = self._bound(at_once) if days is None and not filters else None
        least = bound.least if bound is not None else None
        where = self._range(calls, indexed=days is not None or least is not None or not self._is_most())
        where += [*filters, *([calls.c.day.in_(days)] if days is not None else [])]
        if bound is not None and bound.moments is not None:
            where += [calls.c.started_at_ms.in_(bound.moments), self._key >= least]
        elif least is not None:
            where.append(self._at_least(least))
        columns = [calls.c[name] for name in _CALL_COLUMNS]
        first = select(*columns).where(*where).order_by(self._key.desc(), calls.c.trace_id.desc()).limit(at_once)
        inner = first.subquery("calls")
        listed = is_listed(inner.c, self._wanted, self._hits, self._order)
        rows = list(self._connection.execute(select(inner, listed.label("listed"))))
        items = [(self._position(row), _call_item(row)) for row in rows if row.trace_id is not None and not row.listed]
        if len(rows) == at_once:
            return Found(items, self._position(rows[-1]))
        return Found(items, None if least is None else Position(float(least) * self._unit, ""))

    def _bound(self, at_once: int) -> Threshold | None:
        """What a call has to have to be one of so many; None where all of them are."""
        where = self._time(calls.c)
        if self._wanted.tenant is not None:
            where.append(calls.c.tenant == self._wanted.tenant)
        up_to = None
        if self._after is not None:
            up_to = self._after.key / self._unit
            up_to = up_to if self._after.id else math.nextafter(up_to, -math.inf)
        above = 0.0 if self._order == "dearest" else None
        return threshold(self._connection, Wish(self._key, where, at_once, above, up_to))

    def _at_least(self, least: Any) -> ColumnElement[bool]:
        if self._connection.dialect.name != "sqlite" or self._wanted.tenant is not None:
            enough: ColumnElement[bool] = self._key >= least
            return enough
        # SQLite would read the whole table: the index does not begin with the key.
        row: ColumnElement[int] = literal_column("calls.rowid")
        return row.in_(select(row).select_from(calls).where(self._key >= least, *self._time(calls.c)))

    def _is_most(self) -> bool:
        """Whether so much is in range that reading the whole table is quicker than through an index."""
        some = select(calls.c.started_at_ms).where(*self._time(calls.c)).limit(_WORTH_ALL)
        if self._wanted.tenant is not None:
            some = some.where(calls.c.tenant == self._wanted.tenant)
        return self._connection.execute(select(func.count()).select_from(some.subquery())).scalar() == _WORTH_ALL

    def _select(self, columns: Any, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
        key = columns[self._key.name]
        return (
            select(*[columns[name] for name in _CALL_COLUMNS])
            .where(
                *where, columns.trace_id.is_not(None), not_(is_listed(columns, self._wanted, self._hits, self._order))
            )
            .order_by(key.desc(), columns.trace_id.desc())
        )

    def _run(self, query: Select[Any], limit: int) -> list[Any]:
        return list(self._connection.execute(query.limit(limit)))

    def _range(self, table: Any, *, indexed: bool = True) -> list[ColumnElement[bool]]:
        """The tenant, the time, and where the list goes on. Not ``indexed``: another index is the better one."""
        wanted, columns = self._wanted, table.c
        where: list[ColumnElement[bool]] = []
        if wanted.tenant is not None:
            where.append(columns.tenant == wanted.tenant if indexed else of_tenant(columns, wanted.tenant))
        where += self._time(columns)
        key = columns[self._key.name]
        if self._order == "dearest":
            where.append(key > 0)
        if self._after is not None:
            at = self._after.key / self._unit
            where.append(and_(key <= at, or_(key < at, columns.trace_id < self._after.id)))
        return where

    def _time(self, columns: Any) -> list[ColumnElement[bool]]:
        where: list[ColumnElement[bool]] = []
        if self._wanted.since_us is not None:
            where.append(columns.started_at_ms >= -(-self._wanted.since_us // 1000))
        if self._wanted.until_us is not None:
            where.append(columns.started_at_ms < -(-self._wanted.until_us // 1000))
        return where

    def _filters(self) -> list[ColumnElement[bool]]:
        wanted, columns = self._wanted, calls.c
        where: list[ColumnElement[bool]] = []
        for column, value in (
            (columns.user, wanted.user),
            (columns.session, wanted.session),
            (columns.release_id, wanted.release_id),
            (columns.status, wanted.status),
        ):
            if value is not None:
                where.append(column == value)
        if wanted.model is not None:
            where.append(or_(columns.model == wanted.model, columns.requested_model == wanted.model))
        if wanted.state is not None:
            where.append(columns.error_type.is_not(None) if wanted.state == "error" else columns.error_type.is_(None))
        if wanted.min_latency_ms is not None:
            where.append(columns.latency_ms >= wanted.min_latency_ms)
        if wanted.min_cost_nanousd is not None:
            where.append(columns.cost_nanousd >= wanted.min_cost_nanousd)
        if self._hits is not None:
            where += [columns.trace_id.in_(self._hits.trace_ids), columns.span_id.in_(self._hits.span_ids)]
        return where

    def _found(self, rows: Sequence[Any], limit: int) -> Found:
        items = [(self._position(row), _call_item(row)) for row in rows]
        return Found(items, items[-1][0] if len(items) > limit else None)

    def _position(self, row: Any) -> Position:
        return Position(float(getattr(row, self._key.name)) * self._unit, row.trace_id or "")


def _call_item(row: Any) -> TraceItem:
    return TraceItem(
        source="call",
        trace_id=row.trace_id,
        span_id=row.span_id,
        tenant=row.tenant,
        started_us=row.started_at_ms * 1000,
        duration_us=round(row.latency_ms * 1000),
        name=f"{row.operation} {row.requested_model or row.model}",
        model=row.model,
        session=row.session,
        user=row.user,
        release_id=row.release_id,
        status=row.status,
        error_type=row.error_type,
        calls=1,
        errors=int(row.error_type is not None),
        input_tokens=row.prompt_tokens,
        output_tokens=row.completion_tokens,
        cost_nanousd=row.cost_nanousd,
    )
