"""One step of bringing the log into the database: read some lines, store them, note how far that was.

Blocking; runs in one thread. Of all processes that share a log folder one holds the lock beside the log and does the
work; when it ends, however it ends, the next one that asks takes over.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from .call_line import LineReader
from .captured import captured
from .log_follower import LogFollower
from .repository.calls import CallRepository, Moved

_log = logging.getLogger(__name__)
_MOVED_PAUSE_S = 0.02


class Step(msgspec.Struct, frozen=True):
    """What was done. ``busy_s`` is the processor time that this process spent on it."""

    records: int
    busy_s: float


class Ingestion:
    """``ingested`` counts calls that were new to the database, ``unreadable`` lines that were no records."""

    def __init__(
        self,
        path: Path,
        repository: CallRepository,
        *,
        lock_path: Path | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """``lock_path``: for a database of somebody's own, which must not keep the gateway's from being filled."""
        self._now_s = now_s
        self.read_until_ms = 0
        """Up to this moment (since the epoch) calls that have ended are in the database, as far as this process looks
        after them."""
        self.ingested = 0
        self.unreadable = 0
        self.last_unreadable: str | None = None
        self._repository = repository
        self._follower = LogFollower(path)
        self._reader = LineReader()
        self._lock_path = lock_path or path.with_name(f".{path.name}.ingest")
        self._lock: int | None = None
        self._positions_known = False

    @property
    def owner(self) -> bool:
        """Whether this process ingests; otherwise another one does, or nobody has begun."""
        return self._lock is not None

    @property
    def behind_bytes(self) -> int:
        return self._follower.behind_bytes if self.owner else 0

    @property
    def notices(self) -> list[str]:
        """What went wrong with the log's files."""
        return self._follower.notices

    def step(self, limit_bytes: int, *, thoroughly: bool = False) -> Step | None:
        """Store the next lines, about so many bytes; None when there is nothing to do, or another process does it.

        ``thoroughly`` looks at all files, not only at the present one. Raises `StoreUnavailable`, or `OSError` when
        the log cannot be read.
        """
        begun_s, now_ms = time.thread_time(), round(self._now_s() * 1000)
        if not self._owned():
            self.read_until_ms = now_ms
            return None
        if self._follower.look(thoroughly=thoroughly) or not self._positions_known:
            self._look_up_positions()
        chunk = self._follower.next_chunk(limit_bytes)
        if chunk is None:
            self.read_until_ms = now_ms
            return None
        rows, unreadable = self._reader.read(chunk.lines, chunk.part.id)
        if chunk.torn is not None:
            unreadable.append(chunk.torn)
        try:
            new = self._repository.store(chunk, rows, len(unreadable), captured(chunk.lines))
        except Moved:
            time.sleep(_MOVED_PAUSE_S)
            self._look_up_positions()
            return Step(0, time.thread_time() - begun_s)
        except Exception:
            self._positions_known = False  # it may have been stored: the answer is what was lost
            raise
        self._follower.advance(chunk)
        self.ingested += new
        if rows:
            self.read_until_ms = rows[-1].started_at_ms + round(rows[-1].latency_ms)
        for problem in unreadable:
            self.unreadable += 1
            self.last_unreadable = f"{chunk.part.name}: {problem}"
            _log.error("the log file %s holds what is no record: %s", chunk.part.name, problem)
        return Step(len(rows), time.thread_time() - begun_s)

    def sizes(self) -> dict[int, int]:
        """The log's files and how much of each there is to read now, up to the end of the last whole line."""
        looker = LogFollower(self._follower.path)
        looker.look()
        found = {}
        for part in looker.parts:
            try:
                found[part.id] = _whole(looker.path.with_name(part.name), part.size)
            except FileNotFoundError:
                continue
        looker.close()
        return found

    def reached(self, sizes: dict[int, int]) -> bool:
        """Whether all of that, as far as it is still there, is in the database, whoever has stored it."""
        positions, present = self._repository.positions(list(sizes)), self.sizes()
        return all(positions.get(file_id, 0) >= size for file_id, size in sizes.items() if file_id in present)

    def close(self) -> None:
        self._follower.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _owned(self) -> bool:
        if self._lock is not None:
            return True
        try:
            fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except FileNotFoundError:  # no folder, no log
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError:
            os.close(fd)
            raise
        self._lock = fd
        return True

    def _look_up_positions(self) -> None:
        self._positions_known = False
        self._follower.resume(self._repository.positions([part.id for part in self._follower.parts]))
        self._positions_known = True


def _whole(path: Path, size: int) -> int:
    """Where the last whole line within ``size`` ends."""
    with path.open("rb") as file:
        end = size
        while end > 0:
            begin = max(0, end - 1_000_000)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0
