"""The gateway's end of the writer's process: starts it when there is something to write, hears it, starts it again.

A gateway that nobody sends spans to never has one. Of several workers that share a spool one has it; the others look
now and then whether it is still there. What it reports becomes this process's `TraceTally`.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ...errors import StoreUnavailable
from .report import FileCounts, Orders, Report
from .spool import waiting_bytes
from .tally import TraceTally

_log = logging.getLogger(__name__)
_LOOK_S = 5.0
_YOUNG_S = 5.0
_STOP_S = 5.0
_NOT_MINE = 3
_decode = msgspec.json.Decoder(Report).decode


class WriterService:
    """Belongs to one event loop between ``start`` and ``aclose``. ``is_kept`` says, blocking, whether the database
    holds spans, which have to be looked after even when none come in."""

    def __init__(self, orders: Orders, tally: TraceTally, is_kept: Callable[[], bool]) -> None:
        self.failing: str | None = None
        self.notices: list[str] = []
        self._orders = orders
        self._tally = tally
        self._is_kept = is_kept
        self._files: dict[str, FileCounts] = {}
        self._removed_before = 0
        self._wanted = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def reload(self, orders: Orders) -> None:
        """Other orders, for the process that runs and those to come; where it reads and writes stays."""
        self._orders = orders
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(msgspec.json.encode(orders) + b"\n")

    def want(self) -> None:
        """There is something in the spool."""
        self._wanted.set()

    async def aclose(self) -> None:
        """Let the writer store what it can in a moment, and end it."""
        self._closing = True
        self._wanted.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._task is not None:
            try:
                await asyncio.wait_for(self._task, _STOP_S)
            except TimeoutError:
                _log.warning("the writer of spans did not end in time; the next start goes on")
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def pid(self) -> int | None:
        """The writer's process, while this gateway has it."""
        return self._process.pid if self._process is not None else None

    def problems(self) -> list[str]:
        """For ``/health``: what is not as it should be."""
        found = [f"spans cannot be stored, the spool keeps them meanwhile: {self.failing}"] if self.failing else []
        if self._tally.damaged:
            found.append(f"{self._tally.damaged} spans could not be kept")
        return found + self.notices[-3:]

    async def _keep(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._closing:
            if not await asyncio.to_thread(self._is_needed):
                self._wanted.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), _LOOK_S)
                continue
            born_s = loop.time()
            try:
                status = await self._run()
            except OSError as exc:
                self.failing = f"the writer cannot be started: {exc}"
                _log.error("the writer of spans cannot be started: %s", exc)
                await self._pause(_LOOK_S)
                continue
            if self._closing:
                return
            if status == _NOT_MINE:
                await self._pause(_LOOK_S)
                continue
            failures = failures + 1 if loop.time() - born_s < _YOUNG_S else 0
            _log.error("the writer of spans ended unexpectedly (%d) and is started again", status)
            self.failing = f"the writer ended with {status}"
            await self._pause(min(_LOOK_S, 0.1 * 2**failures))

    async def _pause(self, seconds: float) -> None:
        for _ in range(max(1, int(seconds / 0.1))):
            if self._closing:
                return
            await asyncio.sleep(0.1)

    def _is_needed(self) -> bool:
        if waiting_bytes(Path(self._orders.folder)):
            return True
        try:
            return self._is_kept()
        except StoreUnavailable:
            return False

    async def _run(self) -> int:
        """One life of the process; its exit status."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__name__.rpartition('.')[0]}.writer_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C reaches the gateway alone
        )
        assert process.stdin is not None and process.stdout is not None
        self._removed_before = self._tally.removed
        with suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(self._orders) + b"\n")
            await process.stdin.drain()
        if self._closing:
            process.stdin.close()
        while line := await process.stdout.readline():
            try:
                self._hear(_decode(line))
            except msgspec.DecodeError:
                _log.warning("the writer of spans said what is no report: %r", line[:200])
        status = await process.wait()
        process.stdin.close()
        self._process = None
        return status

    def _hear(self, report: Report) -> None:
        self._files.update(report.files)
        tally = self._tally
        tally.stored = sum([counts.stored for counts in self._files.values()])
        tally.known = sum([counts.known for counts in self._files.values()])
        tally.damaged = sum([counts.damaged for counts in self._files.values()])
        tally.removed = self._removed_before + report.removed
        tally.waiting, tally.unindexed = report.waiting, report.unindexed
        self.failing, self.notices = report.failing, report.notices
