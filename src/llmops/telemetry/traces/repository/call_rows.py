"""Calls as the trace store sees them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from ....store.tables import calls
from ...spans.call_spans import StoredCall
from .days import call_days

COLUMNS = [calls.c[name] for name in StoredCall.__struct_fields__]
_IDS_AT_ONCE = 500


def stored_call(row: Row[Any]) -> StoredCall:
    return StoredCall(**dict(zip(StoredCall.__struct_fields__, row, strict=False)))


def calls_of(connection: Connection, trace_id: str, tenant: str | None, limit: int) -> list[StoredCall]:
    """The calls of a trace, so many at most."""
    query = select(*COLUMNS).where(calls.c.day.in_(call_days(connection)), calls.c.trace_id == trace_id)
    if tenant is not None:
        query = query.where(of_tenant(calls.c, tenant))
    return [stored_call(row) for row in connection.execute(query.where(calls.c.span_id.is_not(None)).limit(limit))]


def calls_by_span(
    connection: Connection, trace_id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredCall]:
    """These calls of a trace, by tenant (or nothing) and span."""
    if not keys:
        return {}
    found: dict[tuple[str, str], StoredCall] = {}
    days, wanted = call_days(connection), set(keys)
    span_ids = sorted({span_id for _tenant, span_id in keys})
    for begin in range(0, len(span_ids), _IDS_AT_ONCE):
        query = select(*COLUMNS).where(calls.c.day.in_(days), calls.c.trace_id == trace_id)
        for row in connection.execute(query.where(calls.c.span_id.in_(span_ids[begin : begin + _IDS_AT_ONCE]))):
            call = stored_call(row)
            key = (call.tenant or "", call.span_id)
            if key in wanted:
                found[key] = call
    return found


def count_calls_of(connection: Connection, trace_id: str, tenant: str | None) -> int:
    """How many calls a trace has."""
    query = select(func.count()).where(calls.c.day.in_(call_days(connection)), calls.c.trace_id == trace_id)
    query = query.where(calls.c.span_id.is_not(None))
    if tenant is not None:
        query = query.where(of_tenant(calls.c, tenant))
    return connection.execute(query).scalar_one()


def of_tenant(columns: Any, tenant: str | None) -> ColumnElement[bool]:
    """A condition that no index serves, where another one does better than the tenant's: there are no statistics by
    which SQLite could know."""
    condition: ColumnElement[bool] = func.coalesce(columns.tenant, "") == (tenant or "")
    return condition


class CallSums:
    """What the calls of a trace come to."""

    __slots__ = ("calls", "cost_nanousd", "errors", "input_tokens", "output_tokens")

    def __init__(self, row: Sequence[Any]) -> None:
        self.calls, self.errors, self.input_tokens, self.output_tokens, cost = map(int, row[:5])
        self.cost_nanousd: int | None = cost if not row[5] else None
        """None: of one of them no price is known."""


def sums_by_trace(
    connection: Connection, keys: Sequence[tuple[str | None, str]]
) -> dict[tuple[str | None, str], CallSums]:
    """By tenant and trace, what the calls of these traces come to."""
    found: dict[tuple[str | None, str], CallSums] = {}
    days, wanted = call_days(connection) if keys else [], set(keys)
    trace_ids = sorted({trace_id for _tenant, trace_id in keys})
    for begin in range(0, len(trace_ids), _IDS_AT_ONCE):
        query = (
            select(
                calls.c.tenant,
                calls.c.trace_id,
                func.count(),
                func.count(calls.c.error_type),
                func.sum(calls.c.prompt_tokens),
                func.sum(calls.c.completion_tokens),
                func.coalesce(func.sum(calls.c.cost_nanousd), 0),
                func.count() - func.count(calls.c.cost_nanousd),
            )
            .where(calls.c.day.in_(days), calls.c.trace_id.in_(trace_ids[begin : begin + _IDS_AT_ONCE]))
            .group_by(calls.c.tenant, calls.c.trace_id)
        )
        for tenant, trace_id, *sums in connection.execute(query):
            if (tenant, trace_id) in wanted:
                found[tenant, trace_id] = CallSums(sums)
    return found
