"""The request log as the pipeline sees it: hand over what has ended, and it is on disk within a tenth of a second.

A call is turned into its line on the event loop right after it has been answered: in a thread that would hold the
interpreter for a whole batch, and kept until the next batch it would only feed the garbage collector. Lines are written
by one background thread, so that a slow disk never holds up a call. While the disk refuses, they wait in memory, up to
a bound; what does not fit any more is counted, shown in ``/metrics`` and reported
by ``/health``, never silently gone.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ..clock import Clock
from .log_file import LogFile
from .record import CallRecord, FinishedCall, RefusedRequest, record_of, record_of_refused
from .redaction import Redactor

_log = logging.getLogger(__name__)
_MAX_WAITING = 200_000
_RETRY_S = 1.0
_SLICE = 32


class RequestLog:
    """Batches records into a `LogFile`. Belongs to one event loop from ``start`` to ``aclose``."""

    def __init__(
        self,
        file: LogFile,
        *,
        clock: Clock,
        hash_key: bytes,
        capture: bool = False,
        redactor: Redactor | None = None,
        flush_interval_s: float = 0.1,
        on_batch: Callable[[list[CallRecord]], None] | None = None,
    ) -> None:
        self.written = 0
        self.dropped = 0
        self.failing: str | None = None
        self.before_write: Callable[[bytes], None] | None = None
        """Called with lines as soon as they are made, up to a flush before they are on disk."""
        self.after_flush: Callable[[], None] | None = None
        """Called in the background thread after each batch."""
        self._file = file
        self._clock = clock
        self._hash_key = hash_key
        self._capture = capture
        self.redactor = redactor or Redactor()
        """Takes out of captured texts what is not to be kept."""
        self._flush_interval_s = flush_interval_s
        self._on_batch = on_batch
        self._ended: list[FinishedCall | RefusedRequest] = []
        self._lines: list[bytes] = []
        self._lines_count = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="request-log")
        self._encoder = msgspec.json.Encoder()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._after_flush_failed = False

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        """Take over a call or request that has ended."""
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._make_lines)
        self._ended.append(ended)

    @property
    def path(self) -> Path:
        """The file that is written now; older ones lie beside it."""
        return self._file.path

    @property
    def waiting(self) -> int:
        """Records that are not on disk yet."""
        return len(self._ended) + self._lines_count

    async def flush(self) -> None:
        """Write all that has been appended until now; on a refusing disk, try once.

        A caller that is cancelled stops waiting and nothing else: half a batch would be lost, or written twice.
        """
        writing = asyncio.get_running_loop().create_task(self._flush_all())
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.shield(writing)

    async def aclose(self) -> None:
        """Write what waits, once more; what the disk still refuses is counted as dropped."""
        await self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if self.waiting:
            _log.error("%d records are lost: the request log %s cannot be written", self.waiting, self._file.path)
            self.dropped += self.waiting
            self._lines, self._lines_count = [], 0
        self._thread.shutdown()
        self._file.close()

    async def _flush_all(self) -> None:
        async with self._turn:
            if self.waiting:
                await self._flush()

    def _start_flush(self) -> None:
        self._timer = None
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_in_turn())

    async def _flush_in_turn(self) -> None:
        try:
            await self.flush()
        finally:
            self._flushing = None
            if self.waiting and self._timer is None:
                delay_s = _RETRY_S if self.failing else self._flush_interval_s
                self._timer = asyncio.get_running_loop().call_later(delay_s, self._start_flush)

    def _make_lines(self) -> None:
        """Turn what has ended into lines, at most a slice of it in one go."""
        now, self._ended = self._ended[:_SLICE], self._ended[_SLICE:]
        if self._ended:
            asyncio.get_running_loop().call_soon(self._make_lines)
        if not now:
            return
        room = _MAX_WAITING - self._lines_count
        records = [self._record(item) for item in now]
        if self._on_batch is not None:
            self._on_batch(records)
        lines = self._encoder.encode_lines(records)
        if self.before_write is not None:
            self.before_write(lines)
        if len(records) > room:
            self.dropped += len(records) - room
            records = records[:room]
            lines = self._encoder.encode_lines(records)
        self._lines.append(lines)
        self._lines_count += len(records)
        if self._timer is None and self._flushing is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_interval_s, self._start_flush)

    async def _flush(self) -> None:
        while self._ended:
            self._make_lines()
        batch, count = b"".join(self._lines), self._lines_count
        self._lines, self._lines_count = [batch], count
        error = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, batch, count)
        if error is None:
            del self._lines[0]  # what came in meanwhile stays
            self._lines_count -= count
            self._note_written()
        else:
            self._note_failure(error)

    def _record(self, item: FinishedCall | RefusedRequest) -> CallRecord:
        if isinstance(item, RefusedRequest):
            return record_of_refused(item)
        captured = self._capture or item.call.capture
        return record_of(item, self._hash_key, redactor=self.redactor if captured else None)

    def _note_written(self) -> None:
        if self.failing is not None:
            _log.warning("the request log can be written again")
            self.failing = None

    def _note_failure(self, error: OSError) -> None:
        if self.failing is None:
            _log.error("the request log %s cannot be written (%s); records wait in memory", self._file.path, error)
        self.failing = str(error)

    def _write(self, batch: bytes, count: int) -> OSError | None:
        """In the background thread: append the batch, then whatever else belongs to a flush."""
        try:
            if batch:
                self._file.append(batch, self._clock.now_s())
        except OSError as exc:
            return exc
        self.written += count  # before the metrics are shared, which say it
        if self.after_flush is not None:
            self._call_after_flush(self.after_flush)
        return None

    def _call_after_flush(self, hook: Callable[[], None]) -> None:
        """The lines are on disk by now: what fails here must not have them written again."""
        try:
            hook()
        except OSError as exc:
            if not self._after_flush_failed:
                _log.error("the worker's metrics cannot be shared: %s", exc)
            self._after_flush_failed = True
        else:
            self._after_flush_failed = False
