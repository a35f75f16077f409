"""Objectives over HTTP: how much of each error budget is left, how fast it burns, and how both went over time.

A tenant sees the objectives that are about its own calls alone; an operator sees all.
"""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query

from ...monitoring.slo.history import History, Span
from ...monitoring.slo.history import shown as shown_history
from ...monitoring.slo.status import Standing, is_about, is_visible, shown
from ...telemetry.objectives import Group, Objective
from ...telemetry.rollups.window import Window, window_of
from .overview import From, Name, To
from .roles import Viewer

Limit = Annotated[int, Query(ge=1, le=200, description="So many at most, those with the least left.")]


class Objectives(Protocol):
    """Who knows how objectives stand and stood. Blocks on the database."""

    now_s: Callable[[], float]

    def standings(self) -> list[Standing]: ...

    def history(
        self, window: Window, is_wanted: Callable[[Objective, Group], bool], name: str | None = None
    ) -> tuple[Span, list[History]]: ...


def router(slos: Objectives) -> APIRouter:
    """Routes whose functions FastAPI runs in a thread."""
    routes = APIRouter(prefix="/api", tags=["objectives"])

    @routes.get("/slos", summary="Objectives (SLOs), their error budgets and burn rates")
    def list_slos(caller: Viewer) -> list[dict[str, Any]]:
        return [shown(each) for each in slos.standings() if is_visible(each.objective, each.group, caller.tenant)]

    @routes.get("/slos/history", summary="How error budgets and burn rates went over time")
    def show_history(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        tenant: Name = None,
        name: Name = None,
        limit: Limit = 20,
    ) -> dict[str, Any]:
        """Those with the least left at the end first. ``left`` is of the objective's window that ends with the step,
        ``burn`` of the last ``burn_over_s`` up to its end. ``left_out`` says how many there are beyond ``limit``."""

        def is_wanted(objective: Objective, group: Group) -> bool:
            return is_visible(objective, group, caller.tenant) and is_about(objective, group, tenant)

        span, found = slos.history(window_of(first, last, slos.now_s()), is_wanted, name)
        return {
            "from": span.first,
            "to": span.last,
            "step_s": span.step_s,
            "burn_over_s": span.burn_s,
            "left_out": max(0, len(found) - limit),
            "items": [shown_history(each) for each in found[:limit]],
        }

    return routes
