"""The FastAPI application of the control plane: its routers, and its errors in the one shape of all ``/api``."""

import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ...audit.trail import AuditTrail
from ...caching.cache import Cache
from ...dialects.openai_errors import error_object
from ...errors import InvalidRequest, LLMOpsError, MethodNotAllowed, UnknownRoute, internal_error
from ...evals.datasets.repository.datasets import DatasetRepository
from ...evals.directory import EvalDirectory
from ...evals.review.desk import ReviewDesk
from ...identity.directory import IdentityDirectory
from ...monitoring.alerts.directory import AlertDirectory
from ...releases.card import Cards
from ...rollout.directory import RolloutDirectory
from ...spend.rule_directory import RuleDirectory
from ...spend.usage.directory import UsageDirectory
from ...telemetry.assessments.repository.assessments import AssessmentRepository
from ...telemetry.assessments.repository.feedback import FeedbackRepository
from ...telemetry.export.repository.exports import ExportRepository
from ...telemetry.rollups.overview import Overview
from ...telemetry.traces.directory import TraceDirectory
from ...version import __version__
from ..access import Access
from ..control_plane import Flags, Inventory
from . import alerts as alert_routes
from . import audit as audit_routes
from . import cache as cache_routes
from . import datasets as dataset_routes
from . import drift as drift_routes
from . import evals as eval_routes
from . import exports as export_routes
from . import feedback as feedback_routes
from . import flags as flag_routes
from . import forecast as forecast_routes
from . import inventory, keys, limits
from . import langfuse as langfuse_routes
from . import metrics as metric_routes
from . import ofrep as ofrep_routes
from . import overview as overview_routes
from . import prompts as prompt_routes
from . import releases as release_routes
from . import review as review_routes
from . import rollouts as rollout_routes
from . import scores as score_routes
from . import slos as slo_routes
from . import traces as trace_routes
from . import usage as usage_routes
from . import whoami as whoami_routes
from .documentation import add_documentation
from .roles import check_all_guarded, roles_of


def build(
    shown: Inventory,
    access: Access,
    identity: IdentityDirectory,
    rules: RuleDirectory | None = None,
    usage: UsageDirectory | None = None,
    compare: "usage_routes.Comparison | None" = None,
    *,
    cache: Cache | None = None,
    slos: slo_routes.Objectives | None = None,
    alerts: AlertDirectory | None = None,
    overview: Overview | None = None,
    numbers: metric_routes.Numbers | None = None,
    assessments: AssessmentRepository | None = None,
    exports: ExportRepository | None = None,
    traces: TraceDirectory | None = None,
    datasets: DatasetRepository | None = None,
    review: ReviewDesk | None = None,
    evals: EvalDirectory | None = None,
    audit: AuditTrail | None = None,
    releases: Cards | None = None,
    rollouts: RolloutDirectory | None = None,
    flags: Flags | None = None,
    prompts: prompt_routes.Directories | None = None,
    drift: drift_routes.DriftReports | None = None,
    grace_s: float,
    now_s: Callable[[], float] = time.time,
) -> FastAPI:
    """The application over what the gateway shows of itself and the identities that it knows."""
    app = FastAPI(
        title="LLMOps Lab control plane",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.access = access
    app.include_router(inventory.router(shown))
    app.include_router(whoami_routes.router())
    note = audit_routes.Noting(audit)
    last_use = usage.sums.last_days if usage is not None else keys.never_used
    app.include_router(keys.router(identity, note, last_use, grace_s=grace_s))
    if rules is not None:
        app.include_router(limits.router(rules, note))
    if usage is not None:
        app.include_router(usage_routes.router(usage, compare))
        app.include_router(forecast_routes.router(usage, now_s))
    if numbers is not None:
        app.include_router(metric_routes.router(numbers))
    if cache is not None:
        app.include_router(cache_routes.router(cache, note))
    if slos is not None:
        app.include_router(slo_routes.router(slos))
    if alerts is not None:
        app.include_router(alert_routes.router(alerts, note))
    if assessments is not None:
        app.include_router(score_routes.router(assessments, now_s))
        app.include_router(feedback_routes.router(FeedbackRepository(identity.database), now_s))
    if exports is not None:
        app.include_router(export_routes.router(exports))
    if traces is not None:
        app.include_router(trace_routes.router(traces))
    if datasets is not None:
        app.include_router(dataset_routes.router(datasets, now_s))
    if review is not None:
        app.include_router(review_routes.router(review, now_s))
    if evals is not None:
        app.include_router(eval_routes.router(evals))
    if drift is not None:
        app.include_router(drift_routes.router(drift))
    if overview is not None:
        app.include_router(overview_routes.router(overview))
    if releases is not None:
        app.include_router(release_routes.router(releases, note))
    if rollouts is not None:
        traffic = releases.figures if releases is not None else None
        app.include_router(rollout_routes.router(rollouts, note, traffic))
    if prompts is not None:
        app.include_router(prompt_routes.router(prompts, note, now_s))
        app.include_router(langfuse_routes.router(prompts, note))
    if flags is not None:
        app.include_router(flag_routes.router(flags.directory, note))
        app.include_router(ofrep_routes.router(flags.table))
    if audit is not None:
        app.include_router(audit_routes.router(audit))
    add_documentation(app, roles_of(app))
    check_all_guarded(app)

    @app.exception_handler(LLMOpsError)
    async def refused(_request: Request, error: LLMOpsError) -> JSONResponse:
        return _response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:] if step != "[key]")
        said = first["msg"].removeprefix("Value error, ")
        return _response(InvalidRequest(f"{where or 'the body'}: {said}", param=where or None))

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> JSONResponse:
        return _response(internal_error())

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return _response(MethodNotAllowed(f"{request.url.path} is not called with {request.method}"))
        if error.status_code != 404:  # a body that the framework could not decode
            return _response(InvalidRequest(str(error.detail)))
        return _response(UnknownRoute(f"there is no path {request.url.path[:200]!r} here; /docs lists what there is"))

    return app


def _response(error: LLMOpsError) -> JSONResponse:
    return JSONResponse({"error": error_object(error)}, status_code=error.status)
