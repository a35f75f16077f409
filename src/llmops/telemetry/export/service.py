"""The gateway's end of exporting: starts the process that does it, hears it, and starts it again when it dies.

Of several workers that share a log one has it; the others look now and then whether it is still there. A gateway does
not begin to serve before all positions are known, or a few seconds have passed.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ...errors import ConfigError
from ..figures import Figure
from .counts import Counts, Status
from .orders import NOT_MINE, Orders, Report
from .span_source import discard_kept

_log = logging.getLogger(__name__)
_BEGIN_S = 10.0
_LOOK_S = 5.0
_YOUNG_S = 5.0
_STOP_S = 6.0
_LINE_BYTES = 4_000_000
_MODULE = f"{__name__.split('.telemetry.')[0]}.export_process"
_decode = msgspec.json.Decoder(Report).decode


class ExportService:
    """Belongs to one event loop between ``start`` and ``aclose``. ``orders`` is asked at every start of the process:
    None where nothing is exported; a `ConfigError` is a problem that is shown."""

    def __init__(self, orders: Callable[[], Orders | None], spool: Path) -> None:
        self.statuses: list[Status] = []
        self.failing: str | None = None
        self._orders = orders
        self._spool = spool
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._closing = False
        self._again = False

    @property
    def pid(self) -> int | None:
        """The process that exports, while this gateway has it."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Raises `ConfigError` for an export that cannot be."""
        orders = self._orders()
        self._task = asyncio.get_running_loop().create_task(self._keep())
        if orders is not None:
            try:
                await asyncio.wait_for(self._begun.wait(), _BEGIN_S)
            except TimeoutError:
                _log.warning("exports have not begun yet; what is called meanwhile may not be exported")

    def reload(self) -> None:
        """Other orders may be given: the process is started anew."""
        self._again = True
        self._end_process()

    async def aclose(self) -> None:
        """Let what is on its way be sent for a moment, and end the process. The request log must be closed before."""
        self._closing = True
        self._end_process()
        process = self._process
        if self._task is not None:
            try:
                await asyncio.wait_for(self._task, _STOP_S)
            except TimeoutError:
                _log.warning("exports did not end in time; the next start goes on")
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def problems(self) -> list[str]:
        """For ``/health``: what is not as it should be."""
        found = [f"exports: {self.failing}"] if self.failing else []
        for each in self.statuses:
            if each.failing:
                found.append(f"the export {each.name} waits ({_waits(each)}): {each.failing}")
            for what, counts in (("spans", each.spans), ("scores", each.scores)):
                if lost := sum(counts.dropped.values()):
                    found.append(f"the export {each.name} has dropped {lost} {what}: {_reasons(counts.dropped)}")
                if refused := sum(counts.refused.values()):
                    found.append(f"the export {each.name}: {refused} {what} were refused: {_reasons(counts.refused)}")
        return found

    def figures(self) -> Iterator[Figure]:
        """For ``/metrics``."""
        for each in self.statuses:
            for what, counts in (("spans", each.spans), ("scores", each.scores)):
                for outcome, count in _outcomes(counts):
                    yield Figure(f"llmops_export_{what}_total", count, (each.name, outcome))
            yield Figure("llmops_export_waiting_bytes", each.waiting.bytes, (each.name,))
            yield Figure("llmops_export_waiting_scores", each.waiting.scores, (each.name,))
            yield Figure("llmops_export_failing", float(each.failing is not None), (each.name,))

    def _end_process(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _keep(self) -> None:
        failures, loop = 0, asyncio.get_running_loop()
        while not self._closing:
            self._again = False
            try:
                orders = self._orders()
            except ConfigError as exc:
                orders, self.failing = None, "; ".join(exc.problems)
            if orders is None:
                self.statuses = []
                if self.failing is None:
                    await asyncio.to_thread(discard_kept, self._spool)
                await self._pause(_LOOK_S)
                continue
            born_s = loop.time()
            status = await self._run(orders)
            if self._closing or self._again:
                continue
            self._begun.set()
            if status == NOT_MINE:
                await self._pause(_LOOK_S)
                continue
            failures = failures + 1 if loop.time() - born_s < _YOUNG_S else 0
            self.failing = f"the process ended with {status} and is started again"
            _log.error("exports: %s", self.failing)
            await self._pause(min(_LOOK_S, 0.1 * 2**failures))

    async def _pause(self, seconds: float) -> None:
        for _ in range(max(1, int(seconds / 0.1))):
            if self._closing or self._again:
                return
            await asyncio.sleep(0.1)

    async def _run(self, orders: Orders) -> int:
        """One life of the process; its exit status."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C reaches the gateway alone
        )
        assert process.stdin is not None and process.stdout is not None
        with suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(orders) + b"\n")
            await process.stdin.drain()
        if self._closing or self._again:
            process.stdin.close()
        while line := await process.stdout.readline():
            try:
                self._hear(_decode(line))
            except msgspec.DecodeError:
                _log.warning("the process that exports said what is no report: %r", line[:200])
        status = await process.wait()
        process.stdin.close()
        self._process = None
        return status

    def _hear(self, report: Report) -> None:
        self.failing = report.failing
        if report.failing is None:
            self.statuses = report.exports
        self._begun.set()


def _outcomes(counts: Counts) -> Iterator[tuple[str, int]]:
    yield "delivered", counts.delivered
    yield "refused", sum(counts.refused.values())
    yield "dropped", sum(counts.dropped.values())
    yield "skipped", counts.skipped


def _reasons(counted: dict[str, int]) -> str:
    return "; ".join(f"{why} ({count})" if len(counted) > 1 else why for why, count in counted.items())


def _waits(status: Status) -> str:
    waiting = status.waiting
    return f"{waiting.calls} calls, {waiting.spans} spans, {waiting.scores} scores"
