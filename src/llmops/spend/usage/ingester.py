"""The gateway's ingester: a task and a thread that keep the database abreast of the request log.

While the gateway serves it works in small slices and rests in between. How long depends on how late the event loop
wakes it: where calls leave room it takes up to its share of a core, and next to nothing while they need all of it; what
has piled up is worked off afterwards, and at full speed in `catch_up`. While the database is away it tries
again now and then: what waits is in the log, not in memory.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ...errors import LLMOpsError
from ...telemetry.figures import Figure
from .ingestion import Ingestion, Step
from .repository.calls import CallRepository

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_SLICE_BYTES = 200_000
_FULL_BYTES = 8_000_000
"""Seven thousand calls or so: in smaller transactions the sums that all of them add to are written more often."""
_WAIT_FOR_OTHERS_S = 0.05
_LONGEST_PAUSE_S = 5.0
_BUSY_LAG_S = 0.002
"""A loop that wakes its sleepers later than this has more calls than it can carry at once."""
_BUSY_REST = 30
_NEWS = 0.3


class Ingester:
    """Belongs to one event loop until ``aclose``. ``failing`` says why it cannot go on, while it cannot."""

    def __init__(
        self,
        path: Path,
        repository: CallRepository,
        *,
        poll_s: float = 0.25,
        share: float = 0.4,
        lock_path: Path | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """``share`` is how much of a core it takes at most while calls leave room for it."""
        self.failing: str | None = None
        self._ingestion = Ingestion(path, repository, lock_path=lock_path, now_s=now_s)
        self._poll_s = poll_s
        self._rest = (1 - share) / share
        self._lag_s = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingester")
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def behind_bytes(self) -> int:
        """What of the log is not in the database yet, as far as this process looks after it."""
        return self._ingestion.behind_bytes

    @property
    def read_until_ms(self) -> int:
        """Up to this moment calls that have ended are in the database, as far as this process looks after it."""
        return self._ingestion.read_until_ms

    @property
    def ingested(self) -> int:
        """Calls that this process has brought into the database."""
        return self._ingestion.ingested

    @property
    def unreadable(self) -> int:
        """Lines that were no records."""
        return self._ingestion.unreadable

    async def start(self) -> None:
        """Follow the log from now on."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def catch_up(self) -> None:
        """Return when the log, as it is now, is in the database; another process may be the one that does it.

        Raises `StoreUnavailable`, or `OSError` when the log cannot be read: nothing is lost then, it goes on later.
        """
        sizes = await self._in_thread(self._ingestion.sizes)
        while True:
            while await self._in_thread(self._full_step) is not None:
                pass
            if self._ingestion.owner or await self._in_thread(lambda: self._ingestion.reached(sizes)):
                return
            await asyncio.sleep(_WAIT_FOR_OTHERS_S)

    async def aclose(self, limit_s: float = 2.0) -> None:
        """Store what the log still holds, for so long at most, and stop; call it when the log has been closed."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        deadline_s = time.monotonic() + limit_s
        try:
            while time.monotonic() < deadline_s and await self._in_thread(self._full_step) is not None:
                pass
        except (LLMOpsError, OSError) as exc:
            _log.warning("the end of the request log is not in the database yet; the next start goes on: %s", exc)
        await self._in_thread(self._ingestion.close)
        self._thread.shutdown()

    def status(self) -> dict[str, Any]:
        """For ``/api/status``."""
        return {
            "owner": self._ingestion.owner,
            "ingested": self.ingested,
            "behind_bytes": self.behind_bytes,
            "unreadable_lines": self.unreadable,
            "last_unreadable_line": self._ingestion.last_unreadable,
            "notices": self._ingestion.notices,
            "failing": self.failing,
        }

    def figures(self) -> list[Figure]:
        """For the metrics."""
        return [
            Figure("llmops_ingest_behind_bytes", self.behind_bytes),
            Figure("llmops_ingest_calls_total", self.ingested),
            Figure("llmops_ingest_unreadable_lines_total", self.unreadable),
        ]

    def problems(self) -> list[str]:
        """For ``/health``: what is not as it should be."""
        found = []
        if self.failing:
            found.append(f"calls cannot be stored, the request log keeps them meanwhile: {self.failing}")
        if self.unreadable:
            found.append(f"{self.unreadable} lines of the request log could not be read")
        return found + self._ingestion.notices[-3:]

    async def _follow(self) -> None:
        pause_s = self._poll_s
        while not self._closing:
            try:
                step = await self._in_thread(self._slice)
            except (LLMOpsError, OSError) as exc:
                pause_s = self._note_failure(str(exc), pause_s)
            except Exception as exc:  # noqa: BLE001 - a border: whatever it is, the next lines may do better
                pause_s = self._note_failure(f"{type(exc).__name__}: {exc}", pause_s, cause=exc)
            else:
                if self.failing is not None:
                    _log.warning("calls are stored again")
                self.failing = None
                pause_s = self._poll_s if step is None else self._rest_s(step.busy_s)
            begun_s = time.monotonic()
            try:
                await asyncio.wait_for(self._wake.wait(), pause_s)
            except TimeoutError:
                late_s = time.monotonic() - begun_s - pause_s
                self._lag_s += (late_s - self._lag_s) * _NEWS

    def _rest_s(self, busy_s: float) -> float:
        """How long to rest after so much work. A loop with time to spare wakes its sleepers within a millisecond."""
        rest = self._rest if self._lag_s < _BUSY_LAG_S else _BUSY_REST
        return max(0.001, rest * busy_s)

    def _slice(self) -> Step | None:
        return self._ingestion.step(_SLICE_BYTES)

    def _full_step(self) -> Step | None:
        return self._ingestion.step(_FULL_BYTES) or self._ingestion.step(_FULL_BYTES, thoroughly=True)

    def _note_failure(self, reason: str, pause_s: float, *, cause: Exception | None = None) -> float:
        if self.failing is None:
            _log.error("calls cannot be stored, the request log keeps them meanwhile: %s", reason, exc_info=cause)
        self.failing = reason
        return min(_LONGEST_PAUSE_S, max(2 * pause_s, 2 * self._poll_s))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
