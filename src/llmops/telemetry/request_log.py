"""The request log as the pipeline sees it: hand over what has ended, and it is on disk within a tenth of a second.

Batches are turned into lines and written by one background thread, so that a slow disk never holds up a call. While
the disk refuses, records wait in memory, up to a bound; what does not fit any more is counted, shown in ``/metrics``
and reported by ``/health``, never silently gone.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from ..clock import Clock
from .log_file import LogFile
from .record import CallRecord, FinishedCall, RefusedRequest, record_of, record_of_refused

_log = logging.getLogger(__name__)
_MAX_WAITING = 200_000
_RETRY_S = 1.0


class RequestLog:
    """Batches records into a `LogFile`. Belongs to one event loop from ``start`` to ``aclose``."""

    def __init__(
        self,
        file: LogFile,
        *,
        clock: Clock,
        hash_key: bytes,
        capture: bool = False,
        flush_interval_s: float = 0.1,
        on_batch: Callable[[list[CallRecord]], None] | None = None,
    ) -> None:
        self.written = 0
        self.dropped = 0
        self.failing: str | None = None
        self.after_flush: Callable[[], None] | None = None
        """Called in the background thread after each batch."""
        self._file = file
        self._clock = clock
        self._hash_key = hash_key
        self._capture = capture
        self._flush_interval_s = flush_interval_s
        self._on_batch = on_batch
        self._ended: list[FinishedCall | RefusedRequest] = []
        self._unwritten: list[CallRecord] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="request-log")
        self._encoder = msgspec.json.Encoder()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        """Take over a call or request that has ended."""
        if len(self._ended) >= _MAX_WAITING:
            self.dropped += 1
            return
        self._ended.append(ended)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_interval_s, self._start_flush)

    @property
    def waiting(self) -> int:
        """Records that are not on disk yet."""
        return len(self._ended) + len(self._unwritten)

    async def flush(self) -> None:
        """Write all that has been appended until now; on a refusing disk, try once."""
        if self._flushing is not None:
            await self._flushing
        if self._ended or self._unwritten:
            await self._flush()

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self.flush()
        self._thread.shutdown()
        self._file.close()

    def _start_flush(self) -> None:
        self._timer = None
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_in_turn())

    async def _flush_in_turn(self) -> None:
        try:
            await self._flush()
        finally:
            self._flushing = None
            if (self._ended or self._unwritten) and self._timer is None:
                delay_s = _RETRY_S if self._unwritten else self._flush_interval_s
                self._timer = asyncio.get_running_loop().call_later(delay_s, self._start_flush)

    async def _flush(self) -> None:
        ended, self._ended = self._ended, []
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, ended)

    # --- in the background thread ---

    def _write(self, ended: list[FinishedCall | RefusedRequest]) -> None:
        records = [self._record(item) for item in ended]
        if self._on_batch is not None and records:
            self._on_batch(records)
        records = self._unwritten + records
        try:
            self._file.append(self._encoder.encode_lines(records), self._clock.now_s())
        except OSError as exc:
            self._keep(records, exc)
        else:
            self._note_written(records)
        if self.after_flush is not None:
            self.after_flush()

    def _note_written(self, records: list[CallRecord]) -> None:
        self._unwritten = []
        self.written += len(records)
        if self.failing is not None:
            _log.warning("the request log can be written again")
            self.failing = None

    def _record(self, item: FinishedCall | RefusedRequest) -> CallRecord:
        if isinstance(item, RefusedRequest):
            return record_of_refused(item)
        return record_of(item, self._hash_key, capture=self._capture)

    def _keep(self, records: list[CallRecord], exc: OSError) -> None:
        if self.failing is None:
            _log.error("the request log %s cannot be written (%s); records wait in memory", self._file.path, exc)
        self.failing = str(exc)
        over = len(records) - _MAX_WAITING
        if over > 0:
            self.dropped += over
            records = records[:_MAX_WAITING]
        self._unwritten = records
