"""Spans beside the calls: kept when they come in, written to the store by a process of its own, exported by another."""

import asyncio
from pathlib import Path

import msgspec

from ..app import Stack
from ..gateway.access import Access
from ..gateway.data_plane import DataPlane
from ..gateway.trace_intake import TraceIntake
from ..settings import Settings
from ..store.database import Database
from ..telemetry.export.orders import Orders as ExportOrders
from ..telemetry.export.orders import orders_of
from ..telemetry.export.service import ExportService
from ..telemetry.figures import Figure
from ..telemetry.traces.report import Orders
from ..telemetry.traces.repository.upkeep import is_kept
from ..telemetry.traces.spool import Spool
from ..telemetry.traces.tally import TraceTally
from ..telemetry.traces.writer_service import WriterService
from .service import Service

_SPOOL_FOLDER = "traces"
_SPOOL_FILE_BYTES = 64_000_000


class Spans:
    """Over one stack. ``followers`` read the log and stop when it has been closed."""

    def __init__(self, stack: Stack, database: Database, access: Access, data_plane: DataPlane) -> None:
        settings = stack.settings
        self._stack = stack
        self._tally = TraceTally()
        self._spool = Spool(settings.log.dir / _SPOOL_FOLDER, limit_bytes=0)
        self._size_spool(settings)
        self._database_url = settings.database.url
        orders = _orders_of(settings, self._spool.folder)
        self._writer = WriterService(orders, self._tally, lambda: is_kept(database))
        self._exports = ExportService(lambda: self._export_orders(stack.settings), self._spool.folder)
        self.intake = TraceIntake(
            access=access,
            keeper=self._spool,
            tally=self._tally,
            limits=lambda: data_plane.limits,
            unpacked_limit_bytes=lambda: stack.settings.traces.body_limit_megabytes * 1_000_000,
            clock=stack.parts.clock,
            on_kept=self._writer.want,
        )

    def check(self, wanted: Settings) -> None:
        """`ConfigError` for exports that are of no use."""
        self._export_orders(wanted)

    def reload(self, before: Settings) -> None:
        """The settings have changed from these."""
        settings = self._stack.settings
        if settings.exports != before.exports:
            self._exports.reload()
        if settings.traces != before.traces:
            self._size_spool(settings)
            self._writer.reload(
                msgspec.structs.replace(_orders_of(settings, self._spool.folder), database_url=self._database_url)
            )

    @property
    def followers(self) -> list[Service]:
        exports = self._exports
        return [Service(exports.start, exports.aclose, exports.problems, exports.figures)]

    @property
    def services(self) -> list[Service]:
        return [Service(self._writer.start, self._stop, self._writer.problems, self._figures)]

    def _size_spool(self, settings: Settings) -> None:
        traces, spool = settings.traces, self._spool
        spool.limit_bytes = traces.spool_megabytes * 1_000_000
        spool.file_bytes = min(_SPOOL_FILE_BYTES, spool.limit_bytes // 4)
        spool.fsync = traces.spool_fsync

    def _export_orders(self, settings: Settings) -> ExportOrders | None:
        return orders_of(settings, self._stack.parts.log.path, self._spool.folder)

    def _figures(self) -> list[Figure]:
        self._tally.waiting_bytes = self._spool.waiting_bytes
        return self._tally.figures()

    async def _stop(self) -> None:
        await asyncio.to_thread(self.intake.close)
        self._spool.close()
        await self._writer.aclose()


def _orders_of(settings: Settings, folder: Path) -> Orders:
    traces = settings.traces
    return Orders(
        database_url=settings.database.url,
        folder=str(folder),
        retention_days=traces.retention_days,
        max_bytes=int(traces.max_gigabytes * 1e9),
        mask_after_days=traces.mask_after_days,
        is_durable=traces.spool_fsync,
    )
