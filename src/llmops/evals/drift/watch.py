"""The service of drift: looks at each watch now and then, and keeps what it has found for whoever asks.

Of several gateways the first to find a report too old makes the next one; the lease is the report's own time, so that
after a restart nothing is looked at twice. The figures are those of the database, whoever made them.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from ...clock import Clock
from ...errors import LLMOpsError
from ...online_settings import DriftSettings, DriftWatchSettings
from ...telemetry.figures import Figure
from ..scorers.rag.embedder import Embedder
from .exchange import DriftReport
from .looking import Calls, look

_log = logging.getLogger(__name__)
_POLL_S = 15.0


class Reports(Calls, Protocol):
    @property
    def exists(self) -> bool: ...
    def claim(self, watch: str, tenant: str | None, now_s: float, before_s: float) -> bool: ...
    def store(self, report: DriftReport) -> None: ...
    def latest(self) -> list[DriftReport]: ...


class DriftWatch:
    """Owns its task between ``start`` and ``aclose``. ``settings`` are asked for at each look, so a reload counts."""

    def __init__(
        self, settings: Callable[[], DriftSettings], reports: Reports, clock: Clock, embedder: Callable[[str], Embedder]
    ) -> None:
        self.failing: dict[str, str] = {}
        self._settings = settings
        self._reports = reports
        self._clock = clock
        self._embedder = embedder
        self._latest: Sequence[DriftReport] = ()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_on())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def problems(self) -> list[str]:
        """What the operator should know."""
        return [f"drift {name!r} cannot be looked at: {why}" for name, why in self.failing.items()]

    def figures(self) -> list[Figure]:
        known = {each.name for each in self._settings().watches}
        return [
            Figure("llmops_drift", finding.size, (report.watch, finding.aspect))
            for report in self._latest
            if report.watch in known
            for finding in report.findings
            if finding.size is not None
        ]

    async def round(self) -> None:
        """Look at what is due."""
        settings = self._settings()
        self.failing = {name: why for name, why in self.failing.items() if name in {w.name for w in settings.watches}}
        if not settings.watches or not self._reports.exists:
            self._latest = ()
            return
        for watch in settings.watches:
            now_s = self._clock.now_s()
            try:
                due_s = now_s - settings.interval_minutes * 60
                tenant = watch.where.get("tenant")
                if await asyncio.to_thread(self._reports.claim, watch.name, tenant, now_s, due_s):
                    await asyncio.to_thread(self._reports.store, await self._look(watch, now_s))
                self.failing.pop(watch.name, None)
            except Exception as exc:  # noqa: BLE001 - a border: one watch that fails must not end the others
                why = exc.message if isinstance(exc, LLMOpsError) else f"{type(exc).__name__}: {exc}"
                if watch.name not in self.failing:
                    _log.error("drift %r cannot be looked at: %s", watch.name, why, exc_info=exc)
                self.failing[watch.name] = why
        with suppress(LLMOpsError):
            self._latest = await asyncio.to_thread(self._reports.latest)

    async def _look(self, watch: DriftWatchSettings, now_s: float) -> DriftReport:
        begin_s = now_s - watch.window_hours * 3600
        where = {str(name): value for name, value in watch.where.items()}
        model = watch.embedding_model
        return await look(
            self._reports,
            watch.name,
            where,
            (begin_s - watch.reference_hours * 3600, begin_s),
            (begin_s, now_s),
            now_s,
            least=watch.min_calls,
            most=watch.max_calls,
            embedder=self._embedder(model) if model is not None else None,
        )

    async def _look_on(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(_POLL_S)
