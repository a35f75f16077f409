"""The gateway's metrics put together: those of its calls, its health, its cache and its services, over all workers."""

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path

from ..app import Stack
from ..caching.census import cache_figures
from ..resilience.census import census
from ..telemetry.exposition import Row, exposition, rows
from ..telemetry.figures import Figure
from ..telemetry.metrics import Snapshot
from ..telemetry.worker_metrics import WorkerMetrics
from ..version import __version__
from .service import Services

WORKERS_DIR_VARIABLE = "LLMOPS_WORKERS_DIR"
_PUBLISH_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class GatewayMetrics:
    """What ``/metrics`` says, of this process or of all workers together."""

    def __init__(self, stack: Stack, services: Services) -> None:
        self._stack = stack
        self._services = services
        folder = os.environ.get(WORKERS_DIR_VARIABLE)
        self._folder = Path(folder) if folder is not None else None
        self._workers: WorkerMetrics | None = None
        self._publishing: asyncio.Task[None] | None = None

    async def share(self) -> None:
        """Publish after each batch of calls, and now and then: not all that is counted comes with a call."""
        if self._folder is not None:
            self._workers = workers = WorkerMetrics(self._folder)
            self._stack.parts.log.after_flush = lambda: workers.publish(self._snapshot)
            self._publishing = asyncio.get_running_loop().create_task(self._publish(workers))

    async def aclose(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            with suppress(asyncio.CancelledError):
                await self._publishing

    async def _publish(self, workers: WorkerMetrics) -> None:
        failing = False
        while True:
            await asyncio.sleep(_PUBLISH_EVERY_S)
            try:
                await asyncio.to_thread(workers.publish, self._snapshot)
                failing = False
            except OSError as exc:
                if not failing:
                    _log.error("the worker's metrics cannot be shared: %s", exc)
                failing = True

    async def scrape(self) -> bytes:
        return exposition(await self._now())

    async def numbers(self) -> list[Row]:
        return list(rows(await self._now()))

    async def _now(self) -> Snapshot:
        await self._stack.parts.log.flush()
        mine = self._snapshot()
        return self._workers.together(mine) if self._workers else mine

    def _snapshot(self) -> Snapshot:
        parts = self._stack.parts
        is_resilient = self._stack.settings.resilience.enabled
        return parts.metrics.snapshot(
            log_written=parts.log.written,
            log_dropped=parts.log.dropped,
            log_waiting=parts.log.waiting,
            cache=cache_figures(parts.cache),
            health=census(parts.fleet, parts.clock.monotonic_s()) if is_resilient else None,
            figures=[Figure("llmops_build_info", 1, (__version__,)), *self._services.figures()],
        )
