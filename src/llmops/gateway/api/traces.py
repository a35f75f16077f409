"""Traces over HTTP: searching them, one with its spans, sessions, and where the time goes.

A caller sees its own tenant's, an administrator everybody's, also a trace whose id two tenants share. Whose a trace is
that is not there nobody learns. What came in is data of others: it is answered as JSON and never taken for more.
"""

import time
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from ...errors import NotFound
from ...spend.rule import usd
from ...telemetry.rollups.window import moment_of
from ...telemetry.traces.directory import TraceDirectory
from ...telemetry.traces.query import MAX_PAGE, TraceFilter
from ..access import Caller
from .roles import Viewer

_TIME = "ISO 8601, seconds since 1970, or a time ago such as now-24h."
Name = Annotated[str | None, Query(max_length=256)]
Moment = Annotated[str | None, Query(description=_TIME, max_length=40)]
Cursor = Annotated[str | None, Query(description="Where the page before says that it goes on.", max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
TraceId = Annotated[str, Path(description="32 hexadecimal digits.", max_length=100)]
Full = Annotated[bool, Query(description="Whole attributes; otherwise long texts are cut.")]
_encode = msgspec.json.Encoder().encode


def router(traces: TraceDirectory) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["traces"])

    @routes.get("/traces", summary="Calls and traces: the newest, the slowest or the dearest", response_model=None)
    def list_traces(
        caller: Viewer,
        order: Literal["newest", "slowest", "dearest"] = "newest",
        first: Annotated[Moment, Query(alias="from")] = None,
        last: Annotated[Moment, Query(alias="to")] = None,
        tenant: Name = None,
        user: Name = None,
        session: Name = None,
        model: Name = None,
        release: Name = None,
        state: Literal["ok", "error"] | None = None,
        status: Annotated[int | None, Query(ge=100, le=599, description="HTTP status of a call.")] = None,
        min_latency_ms: Annotated[float | None, Query(ge=0, le=1e12)] = None,
        min_cost_nanousd: Annotated[int | None, Query(ge=0, le=10**18)] = None,
        text: Annotated[str | None, Query(max_length=400, description="Words that were captured; all of them.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Where ``is_full`` is false and there is a cursor, enough was looked through for one request: go on there."""
        if is_foreign(caller, tenant):
            return answer({"items": [], "cursor": None, "is_full": True, "texts_cut": False})
        wanted = TraceFilter(
            tenant=caller.tenant or tenant,
            since_us=_us(first, "from"),
            until_us=_us(last, "to"),
            user=user,
            session=session,
            model=model,
            release_id=release,
            state=state,
            status=status,
            min_latency_ms=min_latency_ms,
            min_cost_nanousd=min_cost_nanousd,
            text=text,
        )
        page = msgspec.to_builtins(traces.search(wanted, order, limit, cursor))
        page["items"] = [with_usd(item) for item in page["items"]]
        return answer(page)

    @routes.get("/steps", summary="Which kinds of steps take the longest", response_model=None)
    def list_steps(
        caller: Viewer,
        first: Annotated[Moment, Query(alias="from")] = None,
        last: Annotated[Moment, Query(alias="to")] = None,
        tenant: Name = None,
        limit: Limit = 50,
    ) -> Response:
        if is_foreign(caller, tenant):
            return answer({"items": []})
        found = traces.steps(caller.tenant or tenant, _us(first, "from"), _us(last, "to"), limit)
        return answer({"items": found})

    @routes.get("/sessions", summary="Sessions, the one with the latest activity first", response_model=None)
    def list_sessions(caller: Viewer, tenant: Name = None, limit: Limit = 50, cursor: Cursor = None) -> Response:
        if is_foreign(caller, tenant):
            return answer({"items": [], "cursor": None})
        page = msgspec.to_builtins(traces.sessions(caller.tenant or tenant, limit, cursor))
        page["items"] = [with_usd(item) for item in page["items"]]
        return answer(page)

    @routes.get("/traces/{trace_id}", summary="A trace, and the first of its spans", response_model=None)
    def show_trace(
        caller: Viewer, trace_id: TraceId, tenant: Name = None, limit: Limit = 200, full: Full = False
    ) -> Response:
        return answer(with_usd(_read(traces, caller, trace_id, tenant, limit, None, full)))

    @routes.get(
        "/traces/{trace_id}/spans", summary="Further spans of a trace, in its tree's order", response_model=None
    )
    def list_spans(
        caller: Viewer,
        trace_id: TraceId,
        tenant: Name = None,
        limit: Limit = 200,
        cursor: Cursor = None,
        first: Annotated[int, Query(ge=0, le=10**9, description="Begin with this one, counted from 0.")] = 0,
        span: Annotated[str | None, Query(max_length=100, description="Only the one with this id.")] = None,
        full: Full = False,
    ) -> Response:
        """``first`` says which of the trace's spans is the first one here."""
        found = _read(traces, caller, trace_id, tenant, limit, cursor, full, first, span)
        return answer({"items": found["page"], "first": found["first"], "cursor": found["cursor"]})

    return routes


def is_foreign(caller: Caller, tenant: str | None) -> bool:
    """Whether somebody asks for another tenant's."""
    return tenant is not None and caller.tenant not in (None, tenant)


def answer(value: Any) -> Response:
    """As JSON, also where others' attributes hold numbers that JSON has not."""
    return Response(_encode(value), media_type="application/json")


def with_usd(item: dict[str, Any]) -> dict[str, Any]:
    cost = item["cost_nanousd"]
    return {**item, "usd": None if cost is None else usd(cost).replace("$", "")}


def _read(
    traces: TraceDirectory,
    caller: Caller,
    trace_id: str,
    tenant: str | None,
    limit: int,
    cursor: str | None,
    full: bool,
    first: int = 0,
    span: str | None = None,
) -> dict[str, Any]:
    found = None
    if not is_foreign(caller, tenant) and "\0" not in trace_id:
        found = traces.read(
            trace_id.lower(), caller.tenant or tenant, limit=limit, cursor=cursor, first=first, span_id=span, full=full
        )
    if found is None:
        raise NotFound(f"there is no trace {trace_id[:40]!r}; a call that has just ended is here in a moment")
    shown: dict[str, Any] = msgspec.to_builtins(found)
    return shown


def _us(moment: str | None, param: str) -> int | None:
    return None if moment is None else moment_of(moment, time.time(), param) * 1_000_000
