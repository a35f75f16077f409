"""Runs of evals over HTTP: lists, a run's figures, its cells, one case with its texts, two runs compared, trends.

A caller sees its own tenant's runs, an administrator all of them or those of a named tenant. Figures are the
database's; texts are in the folder that runs were made in, and `texts` says whether it is on the gateway's machine.
"""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query

from ...evals.comparison import CasePair
from ...evals.directory import EvalDirectory, Order, Which, header, whole
from ...evals.repository.reading import Place, Row
from ...evals.run import RunState
from ..access import Caller
from .ownership import tenant_of
from .roles import Viewer

Run = Annotated[str, Path(max_length=100, description="The run's id.")]
Named = Annotated[str, Query(max_length=100, description="A run's id.")]
MetricName = Annotated[str, Query(max_length=200)]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one.")]
Margin = Annotated[float | None, Query(ge=0, description="The largest loss that is tolerable; for ratios a share.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500)]
Change = Literal["changed", "better", "worse", "same", "missing", "all"]


def router(evals: EvalDirectory) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api/evals", tags=["evals"])

    @routes.get("/runs", summary="Runs, the newest first")
    def list_runs(
        caller: Viewer,
        dataset: Annotated[str | None, Query(max_length=256)] = None,
        state: RunState | None = None,
        after: Annotated[str | None, Query(max_length=130, description="`next` of the page before.")] = None,
        limit: Limit = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        place = Place.of(after) if after else None
        whose = _whose(caller, tenant)
        found = evals.page(tenant=whose, dataset=dataset, state=state, after=place, limit=limit + 1)
        page = found[:limit]
        last = page[-1].spec if len(found) > limit else None
        return {
            "runs": [header(each) for each in page],
            "next": str(Place(last.started_at_ms, last.run_id)) if last is not None else None,
        }

    @routes.get("/runs/{run}", summary="A run: what it depends on, its figures with their intervals, its slices")
    def show(run: Run, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        found = evals.run(run, _whose(caller, tenant))
        return {**whole(found), "texts": evals.archive.has(found.spec)}

    @routes.get("/runs/{run}/distribution", summary="How the values of a metric are spread")
    def distribution(run: Run, metric: MetricName, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        found = evals.run(run, _whose(caller, tenant))
        return {"metric": metric, "bins": msgspec.to_builtins(evals.distribution(found, metric))}

    @routes.get("/runs/{run}/cells", summary="Cells of a run with their scores, the worst first")
    def cells(
        run: Run,
        caller: Viewer,
        metric: Annotated[str | None, Query(max_length=200, description="What `worst` and `best` are by.")] = None,
        which: Which = "all",
        order: Order = "worst",
        search: Annotated[str, Query(max_length=256, description="Part of a case's id.")] = "",
        slice_: Annotated[str, Query(alias="slice", max_length=300, description="`key=value`.")] = "",
        offset: Offset = 0,
        limit: Limit = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        found = evals.run(run, _whose(caller, tenant))
        rows = evals.cells(found, metric, which=which, order=order, search=search, group=slice_)
        return {"cells": [_cell(row) for row in rows[offset : offset + limit]], **_pages(len(rows), offset, limit)}

    @routes.get("/runs/{run}/case", summary="One case: what was asked and answered, and how each repeat was judged")
    def case(
        run: Run,
        case: Annotated[str, Query(max_length=256, description="The case's id.")],
        caller: Viewer,
        offset: Offset = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        found = evals.run(run, _whose(caller, tenant))
        shown = evals.case(found, case)
        results = shown.results
        return {
            "id": case,
            "case": None if shown.case is None else msgspec.to_builtins(shown.case),
            "texts": evals.archive.has(found.spec),
            "repeats": [
                {**_cell(row), "result": msgspec.to_builtins(results[row.repeat]) if row.repeat in results else None}
                for row in shown.rows[offset : offset + limit]
            ],
            **_pages(len(shown.rows), offset, limit),
        }

    @routes.get("/compare", summary="A run against a baseline by one metric: the rule's verdict, and what changed")
    def compare(
        first: Named, second: Named, metric: MetricName, caller: Viewer, margin: Margin = None, tenant: Tenant = None
    ) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        one, other = evals.run(first, whose), evals.run(second, whose)
        comparison, _ = evals.compare(one, other, metric, margin)
        declared = comparison.metric
        return {
            **msgspec.to_builtins(comparison),
            "metric": {name: getattr(declared, name) for name in declared.__struct_fields__},
            "first": header(one),
            "second": header(other),
        }

    @routes.get("/compare/cases", summary="Two runs case by case, the largest losses first")
    def compare_cases(
        first: Named,
        second: Named,
        metric: MetricName,
        caller: Viewer,
        margin: Margin = None,
        which: Change = "changed",
        search: Annotated[str, Query(max_length=256, description="Part of a case's id.")] = "",
        offset: Offset = 0,
        limit: Limit = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        _, pairs = evals.compare(evals.run(first, whose), evals.run(second, whose), metric, margin)
        found = [pair for pair in pairs if _is(pair, which) and search in pair.case_id]
        found.sort(key=lambda pair: float("inf") if pair.gain is None else pair.gain, reverse=which == "better")
        page = found[offset : offset + limit]
        return {"cases": msgspec.to_builtins(page), **_pages(len(found), offset, limit)}

    @routes.get("/gates", summary="What gates decided, the newest first")
    def gates(
        caller: Viewer,
        gate: Annotated[str | None, Query(max_length=100, description="The gate's name.")] = None,
        limit: Limit = 100,
        tenant: Tenant = None,
    ) -> list[dict[str, Any]]:
        return evals.decisions(tenant=_whose(caller, tenant), gate=gate, limit=limit)

    @routes.get("/gates/{decision}", summary="One decision: every metric and slice against its margin")
    def gate(decision: Annotated[str, Path(max_length=100)], caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        return evals.decision(decision, _whose(caller, tenant))

    @routes.get("/baselines", summary="Which run each name stands for, and how much worse is tolerable")
    def baselines(caller: Viewer, tenant: Tenant = None) -> Any:
        return msgspec.to_builtins(evals.baselines(_whose(caller, tenant)))

    @routes.get("/metrics", summary="Which metrics there are, by dataset")
    def metrics(caller: Viewer, tenant: Tenant = None) -> list[dict[str, Any]]:
        return [each._asdict() for each in evals.metrics(_whose(caller, tenant))]

    @routes.get("/trend", summary="A metric over the runs with a dataset, the oldest first")
    def trend(
        dataset: Annotated[str, Query(max_length=256)],
        metric: MetricName,
        caller: Viewer,
        limit: Limit = 100,
        tenant: Tenant = None,
    ) -> list[dict[str, Any]]:
        points = evals.trend(metric, dataset, tenant=_whose(caller, tenant), limit=limit)
        return [
            {
                **msgspec.to_builtins(point),
                "figure": {name: getattr(point.figure, name) for name in point.figure.__struct_fields__},
            }
            for point in points
        ]

    return routes


def _whose(caller: Caller, tenant: str | None) -> str | None:
    """None: an administrator's view of all tenants."""
    return tenant_of(caller, tenant) if tenant or caller.tenant else None


def _pages(total: int, offset: int, limit: int) -> dict[str, Any]:
    return {"total": total, "next": offset + limit if offset + limit < total else None}


def _cell(row: Row) -> dict[str, Any]:
    scores = {name: {"value": value, "passed": ok, "error": code} for name, (value, ok, code) in row.scores.items()}
    return {**row._asdict(), "scores": scores}


def _is(pair: CasePair, which: Change) -> bool:
    if which == "changed":
        return pair.kind in ("better", "worse", "missing")
    return which in ("all", pair.kind)
