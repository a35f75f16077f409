"""The control plane: ``/api`` and its documentation at ``/docs``, on FastAPI.

The framework is imported on the first request to it, so that a gateway that only carries calls starts sooner and stays
smaller. Every route names the least role that may use it; one that does not is a defect that stops the building.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..caching.cache import Cache
from ..identity.directory import IdentityDirectory
from ..spend.rule_directory import RuleDirectory
from ..spend.usage.directory import UsageDirectory
from ..spend.usage.seeder import CounterComparison
from ..telemetry.rollups.overview import Overview
from .access import Access
from .asgi import Message, Receive, Scope, Send
from .intake import read_body

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ..audit.trail import AuditTrail
    from ..evals.datasets.repository.datasets import DatasetRepository
    from ..evals.directory import EvalDirectory
    from ..evals.review.desk import ReviewDesk
    from ..flags.directory import FlagDirectory
    from ..flags.table import FlagTable
    from ..monitoring.alerts.directory import AlertDirectory
    from ..releases.card import Cards
    from ..rollout.directory import RolloutDirectory
    from ..telemetry.assessments.repository.assessments import AssessmentRepository
    from ..telemetry.export.repository.exports import ExportRepository
    from ..telemetry.traces.directory import TraceDirectory
    from .api.drift import DriftReports
    from .api.metrics import Numbers
    from .api.prompts import Directories
    from .api.slos import Objectives

_BODY_LIMIT_BYTES = 1_000_000


class Inventory(Protocol):
    """What the control plane shows of the running gateway."""

    def status(self) -> dict[str, Any]: ...
    def models(self) -> list[dict[str, Any]]: ...
    def deployments(self) -> list[dict[str, Any]]: ...
    def config(self) -> dict[str, Any]: ...


class Flags(Protocol):
    """Flags as they are changed and as they decide."""

    @property
    def directory(self) -> "FlagDirectory": ...
    @property
    def table(self) -> "FlagTable": ...


class ControlPlane:
    """An ASGI endpoint that becomes a FastAPI application on first use."""

    def __init__(
        self,
        inventory: Inventory,
        access: Access,
        identity: IdentityDirectory,
        rules: RuleDirectory | None = None,
        usage: UsageDirectory | None = None,
        compare_counters: Callable[[], CounterComparison] | None = None,
        *,
        cache: Cache | None = None,
        slos: "Objectives | None" = None,
        alerts: "AlertDirectory | None" = None,
        overview: Overview | None = None,
        numbers: "Numbers | None" = None,
        assessments: "AssessmentRepository | None" = None,
        exports: "ExportRepository | None" = None,
        traces: "TraceDirectory | None" = None,
        datasets: "DatasetRepository | None" = None,
        review: "ReviewDesk | None" = None,
        evals: "EvalDirectory | None" = None,
        audit: "AuditTrail | None" = None,
        releases: "Cards | None" = None,
        rollouts: "RolloutDirectory | None" = None,
        flags: "Flags | None" = None,
        prompts: "Directories | None" = None,
        drift: "DriftReports | None" = None,
        grace_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._inventory = inventory
        self._access = access
        self._identity = identity
        self._rules = rules
        self._usage = usage
        self._compare_counters = compare_counters
        self._cache = cache
        self._slos = slos
        self._alerts = alerts
        self._overview = overview
        self._numbers = numbers
        self._assessments = assessments
        self._exports = exports
        self._traces = traces
        self._datasets = datasets
        self._review = review
        self._evals = evals
        self._audit = audit
        self._releases = releases
        self._rollouts = rollouts
        self._flags = flags
        self._prompts = prompts
        self._drift = drift
        self._grace_s = grace_s
        self._now_s = now_s
        self._app: FastAPI | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; `LLMOpsError` for one without a key, before its body is read, and for too large a body."""
        if scope["path"].startswith(("/api/", "/ofrep/")):
            self._access.any_key(scope)
        body = await read_body(dict(scope["headers"]), receive, _BODY_LIMIT_BYTES)
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self.build)
            app = self._app
        await app(scope, _after(body, receive), send)

    def build(self) -> "FastAPI":
        """The FastAPI application."""
        from .api.application import build

        return build(
            self._inventory,
            self._access,
            self._identity,
            self._rules,
            self._usage,
            self._compare_counters,
            cache=self._cache,
            slos=self._slos,
            alerts=self._alerts,
            overview=self._overview,
            numbers=self._numbers,
            assessments=self._assessments,
            exports=self._exports,
            traces=self._traces,
            datasets=self._datasets,
            review=self._review,
            evals=self._evals,
            audit=self._audit,
            releases=self._releases,
            rollouts=self._rollouts,
            flags=self._flags,
            prompts=self._prompts,
            drift=self._drift,
            grace_s=self._grace_s,
            now_s=self._now_s,
        )


def _after(body: bytes, receive: Receive) -> Receive:
    """``receive`` that gives the whole body first."""
    waiting = [body]

    async def received() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return received
