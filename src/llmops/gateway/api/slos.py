"""Objectives over HTTP: how much of each error budget is left, and how fast it burns.

A tenant sees the objectives that are about its own calls alone; an operator sees all.
"""

from typing import Any, Protocol

from fastapi import APIRouter

from ...monitoring.slo.status import Standing, is_visible, shown
from .roles import Viewer


class Standings(Protocol):
    """Who knows how objectives stand. Blocks on the database."""

    def standings(self) -> list[Standing]: ...


def router(slos: Standings) -> APIRouter:
    """A route whose function FastAPI runs in a thread."""
    routes = APIRouter(prefix="/api", tags=["objectives"])

    @routes.get("/slos", summary="Objectives (SLOs), their error budgets and burn rates")
    def list_slos(caller: Viewer) -> list[dict[str, Any]]:
        return [shown(each) for each in slos.standings() if is_visible(each.objective, each.group, caller.tenant)]

    return routes
