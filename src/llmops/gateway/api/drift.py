"""Drift over HTTP: what each watch has found last.

A tenant sees the watches that are about its own calls alone; an operator sees all.
"""

from typing import Any, Protocol

import msgspec
from fastapi import APIRouter

from ...evals.drift.exchange import DriftReport
from .roles import Viewer


class DriftReports(Protocol):
    """Who keeps what was found. Blocks on the database."""

    def latest(self, tenant: str | None = None) -> list[DriftReport]: ...


def router(drift: DriftReports) -> APIRouter:
    """A route whose function FastAPI runs in a thread."""
    routes = APIRouter(prefix="/api", tags=["drift"])

    @routes.get("/drift", summary="Whether live calls still look like those of the time before")
    def list_drift(caller: Viewer) -> list[dict[str, Any]]:
        return [{"is_shifted": each.is_shifted, **msgspec.to_builtins(each)} for each in drift.latest(caller.tenant)]

    return routes
