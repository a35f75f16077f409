"""Figures over HTTP: how the calls of a window went, told apart by model, tenant and so on, and as a series over time.

A caller sees its own tenant, an administrator all of them. A call that has ended is part of it a few tenths of a second
later. Windows may be as long as they like: what is read are rollups.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ...telemetry.rollups.figures import Filter, dimensions_of
from ...telemetry.rollups.overview import Overview
from ...telemetry.rollups.window import duration_of, window_of
from ..access import Caller
from .roles import Viewer

_BY = "Any of model, tenant, operation, release, status and error, with commas between them."
_TIME = "ISO 8601, seconds since 1970, or a time ago such as now-24h."
From = Annotated[str, Query(alias="from", description=f"Begin of the window: {_TIME}", max_length=40)]
To = Annotated[str, Query(alias="to", description=f"Its end: {_TIME}", max_length=40)]
By = Annotated[str, Query(description=_BY, max_length=100)]
Name = Annotated[str | None, Query(max_length=256)]
Step = Annotated[str | None, Query(description="5m, 1h, 1d; by default one that fits the window.", max_length=12)]


def router(overview: Overview) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["overview"])

    @routes.get("/overview", summary="Figures of a window, and of the one before it")
    def show_overview(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        by: By = "",
        step: Step = None,
        tenant: Name = None,
        model: Name = None,
        operation: Name = None,
        release: Name = None,
    ) -> dict[str, Any]:
        """With ``step`` also a series of the totals."""
        window, wanted = window_of(first, last, overview.now_s()), _wanted(caller, tenant, model, operation, release)
        found = overview.figures(window, dimensions_of(by), wanted)
        if step is not None:
            found["series"] = overview.series(window, duration_of(step, "step"), (), wanted)
        return found

    @routes.get("/series", summary="Figures of a window by steps of time")
    def show_series(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        by: By = "",
        step: Step = None,
        tenant: Name = None,
        model: Name = None,
        operation: Name = None,
        release: Name = None,
    ) -> dict[str, Any]:
        wanted = _wanted(caller, tenant, model, operation, release)
        step_s = None if step is None else duration_of(step, "step")
        return overview.series(window_of(first, last, overview.now_s()), step_s, dimensions_of(by), wanted)

    return routes


def _wanted(
    caller: Caller, tenant: str | None, model: str | None, operation: str | None, release: str | None
) -> Filter:
    """What the caller may see of that: another tenant's figures are empty to it."""
    if caller.tenant is not None and tenant not in (None, caller.tenant):
        return Filter(tenant=caller.tenant, model=model, operation=operation, release=release, nothing=True)
    return Filter(tenant=caller.tenant or tenant, model=model, operation=operation, release=release)
