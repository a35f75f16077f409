"""The control plane's application over the repositories of one database, without a pipeline behind it."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from ..audit.repository import AuditRepository
from ..audit.trail import AuditTrail
from ..clock import SystemClock
from ..errors import LLMOpsError
from ..evals.datasets.repository.datasets import DatasetRepository
from ..evals.directory import EvalDirectory
from ..evals.review.desk import ReviewDesk
from ..gateway.access import Access
from ..gateway.api.application import build
from ..gateway.client_address import ClientAddress
from ..monitoring.alerts.directory import AlertDirectory
from ..monitoring.slo.directory import SLODirectory
from ..monitoring.slo.score_counts import ScoreCounts
from ..opening import LOG_NAME, build_rules, open_identity, open_tokens
from ..settings import Settings, masked
from ..spend.rule_directory import RuleDirectory
from ..spend.usage.directory import UsageDirectory
from ..spend.usage.ingester import Ingester
from ..telemetry.assessments.repository.assessments import AssessmentRepository
from ..telemetry.assessments.repository.counts import AssessmentCounts
from ..telemetry.export.repository.exports import ExportRepository
from ..telemetry.rollups.overview import Overview
from ..telemetry.traces.directory import TraceDirectory
from ..version import __version__

_log = logging.getLogger(__name__)


class _Inventory:
    """Nothing is running: there are models in the configuration, and no deployments to have a state."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def status(self) -> dict[str, Any]:
        return {"version": __version__, "offline": True}

    def models(self) -> list[dict[str, Any]]:
        return []

    def deployments(self) -> list[dict[str, Any]]:
        return []

    def config(self) -> dict[str, Any]:
        return masked(self._settings)


class OfflinePlane:
    """Belongs to one event loop between ``start`` and ``aclose``."""

    def __init__(self, settings: Settings, *, lock_path: Path | None) -> None:
        """With a ``lock_path`` the request log is brought into the database, and followed."""
        clock = SystemClock()
        self._identity = open_identity(settings, clock)
        database = self._identity.database
        self._tokens = open_tokens(settings, self._identity.keyring, clock)
        address = ClientAddress(settings.server.trusted_proxies)
        usage = UsageDirectory(database, settings.log.dir / LOG_NAME)
        overview = Overview(database, clock.now_s)
        self._ingester = usage.ingester(lock_path=lock_path) if lock_path is not None else None
        self._following: asyncio.Task[None] | None = None
        self.app = build(
            _Inventory(settings),
            Access(self._identity.keyring, clock, self._tokens, address_of=address.of),
            self._identity,
            RuleDirectory(
                database,
                clock,
                is_tenant=self._identity.registry.has_tenant,
                configured=lambda: build_rules(settings),
                state=None,
            ),
            usage,
            slos=SLODirectory(overview, lambda: settings.slos, clock.now_s, ScoreCounts(AssessmentCounts(database))),
            alerts=AlertDirectory(database, lambda: settings.alerts, clock),
            overview=overview,
            assessments=AssessmentRepository(database),
            exports=ExportRepository(database),
            traces=TraceDirectory(database, settings.traces.semconv),
            datasets=DatasetRepository(database),
            review=ReviewDesk(database),
            evals=EvalDirectory(database),
            audit=AuditTrail(AuditRepository(database), clock),
            grace_s=settings.auth.rotation_grace_seconds,
        )

    async def start(self) -> None:
        await self._identity.refresher.start()
        if self._tokens is not None:
            await self._tokens.start()
        if self._ingester is not None:
            self._following = asyncio.create_task(self._follow(self._ingester))

    async def aclose(self) -> None:
        if self._following is not None and self._ingester is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            await self._ingester.aclose(limit_s=0)
        if self._tokens is not None:
            await self._tokens.aclose()
        await self._identity.aclose()

    @staticmethod
    async def _follow(ingester: Ingester) -> None:
        """First as fast as it goes, then as lines come."""
        try:
            await ingester.catch_up()
        except (LLMOpsError, OSError) as exc:
            _log.warning("the request log cannot be read whole: %s", exc)
        await ingester.start()
