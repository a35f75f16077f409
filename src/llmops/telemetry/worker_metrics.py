"""Metrics of several workers as one: each leaves its snapshot in a shared folder, and a scrape adds them up.

The folder belongs to one run of the server. The file of a worker that has died stays, so that counters never fall; it
only stops counting as load. A worker is alive while it holds the lock beside its file: the kernel lets go of it in
whatever way the worker ends, and a process that gets a dead one's id is not taken for it, nor writes over its counts.
Not covered: what a killed worker had counted since it last published, a tenth of a second under load.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp

import msgspec

from .metrics import Snapshot, merge

_LOCK = ".lock"


class WorkerMetrics:
    """This worker's place in the folder, from now until the process ends or ``close``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock_file, name = mkstemp(_LOCK, f"{os.getpid()}-", directory)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        self._mine = Path(name).with_suffix(".metrics")
        self._turn = threading.Lock()

    def publish(self, snapshot: Callable[[], Snapshot]) -> None:
        """Leave what ``snapshot`` says now; callable in several threads, of which none puts back older numbers."""
        with self._turn:
            draft = self._mine.with_suffix(".draft")
            draft.write_bytes(msgspec.msgpack.encode(snapshot()))
            draft.replace(self._mine)

    def together(self, mine: Snapshot) -> Snapshot:
        """``mine`` as it is now, with what the other workers published last."""
        return merge([mine, *self._others()])

    def close(self) -> None:
        os.close(self._lock_file)

    def _others(self) -> list[Snapshot]:
        found = []
        for path in self._directory.glob("*.metrics"):
            if path == self._mine:
                continue
            try:
                snapshot = msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
            except (OSError, msgspec.DecodeError):
                continue  # it is being replaced; the next scrape sees it
            if not _is_held(path.with_suffix(_LOCK)):
                snapshot.rest()
            found.append(snapshot)
        return found


def _is_held(path: Path) -> bool:
    """Whether the process that made this lock lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
