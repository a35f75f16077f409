"""What `/metrics` counts, as JSON, for the dashboard: counters since the start and present figures of all workers.

For administrators: labels name tenants. Histograms are left out; `/api/overview` has quantiles.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from fastapi import APIRouter

from ...telemetry.exposition import Row
from ...telemetry.metric_table import METRICS
from ...telemetry.metrics import Histogram
from .roles import Admin

Numbers = Callable[[], Awaitable[Sequence[Row]]]


def router(numbers: Numbers) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["gateway"])

    @routes.get("/metrics", summary="Counters and present figures, as /metrics has them")
    async def list_metrics(_caller: Admin) -> dict[str, list[dict[str, Any]]]:
        """By metric: each series' labels and its value."""
        return shown(await numbers())

    return routes


def shown(rows: Iterable[Row]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, values, value in rows:
        if not isinstance(value, Histogram):
            labels = dict(zip(METRICS[name].labels, values, strict=True))
            found.setdefault(name, []).append({"labels": labels, "value": value})
    return found
