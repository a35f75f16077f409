"""Answers on their way to Redis: a bounded queue that nobody waits for, and a connection of its own.

What does not fit into the queue, what Redis does not take and what it has no memory for is dropped and counted: an
answer that is not kept costs a call, no more. Nothing is sent while look-ups find Redis lost.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from ..redis_script import Lost
from .redis_link import MEMORY_PERCENT, KeepLink

_log = logging.getLogger(__name__)
_QUEUE = 1000
_QUEUE_BYTES = 64_000_000
_BATCH = 64
_BATCH_BYTES = 1_000_000
_LOOK_EVERY_S = 1.0
_PAUSE_S = 0.5
_CLOSE_WITHIN_S = 1.0


class Writer:
    """One task between ``start`` and ``aclose``. Times are monotonic."""

    def __init__(self, link: KeepLink, monotonic_s: Callable[[], float]) -> None:
        self.dropped = 0
        self.kept = 0
        self.full = False
        """Whether Redis had too little memory when that was looked at last."""
        self.failing: str | None = None
        """Why Redis has not taken the last answers, where it has not."""
        self._link = link
        self._monotonic_s = monotonic_s
        self._queue: deque[tuple[bytes, bytes, float]] = deque()
        self._bytes = 0
        self._look_at_s = 0.0
        self._busy = self._closing = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many are not in Redis yet, at most."""
        return len(self._queue) + self._busy

    def write(self, key: bytes, value: bytes, until_s: float) -> None:
        """Have a value kept until then, soon."""
        if self._closing or len(self._queue) >= _QUEUE or self._bytes + len(value) > _QUEUE_BYTES:
            self.dropped += 1
            return
        self._queue.append((key, value, until_s))
        self._bytes += len(value)
        self._news.set()

    def drop(self) -> None:
        """Redis is lost: what waits will not be kept."""
        self.dropped += len(self._queue)
        self._queue.clear()
        self._bytes = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Send what waits, for a second at most."""
        self._closing = True
        self._news.set()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._task, _CLOSE_WITHIN_S)
        self.drop()
        await self._link.close()

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._news.clear()
                await self._news.wait()
                continue
            batch = self._batch()
            self._busy = True
            try:
                await self._send(batch)
                self.failing = None
            except Lost as exc:
                await self._fail(str(exc), len(batch))
            except Exception as exc:  # noqa: BLE001 - a border: without this task nothing would be kept any more
                await self._fail(f"{type(exc).__name__}: {exc}", len(batch))
            finally:
                self._busy = False

    async def _fail(self, why: str, dropped: int) -> None:
        self.dropped += dropped
        if self.failing is None:
            _log.warning("answers are not kept: Redis: %s", why)
        self.failing = why
        if not self._closing:
            await asyncio.sleep(_PAUSE_S)

    def _batch(self) -> list[tuple[bytes, bytes, float]]:
        batch: list[tuple[bytes, bytes, float]] = []
        size = 0
        while self._queue and len(batch) < _BATCH and (not batch or size + len(self._queue[0][1]) <= _BATCH_BYTES):
            answer = self._queue.popleft()
            batch.append(answer)
            size += len(answer[1])
        self._bytes -= size
        return batch

    async def _send(self, batch: list[tuple[bytes, bytes, float]]) -> None:
        now_s = self._monotonic_s()
        look = now_s >= self._look_at_s
        if self.full and not look:
            self.dropped += len(batch)
            return
        answers = [(key, value, until_s - now_s) for key, value, until_s in batch if until_s > now_s]
        if not answers:
            return
        taken = await self._link.keep(answers, look=look)
        if look:
            self._look_at_s = now_s + _LOOK_EVERY_S
            if self.full != (not taken):
                self._tell(full=not taken)
        if taken:
            self.kept += len(answers)
        else:
            self.dropped += len(answers)

    def _tell(self, *, full: bool) -> None:
        self.full = full
        if full:
            _log.warning("Redis has used more than %d %% of its memory: no more answers are kept", MEMORY_PERCENT)
        else:
            _log.info("Redis has memory again: answers are kept")
