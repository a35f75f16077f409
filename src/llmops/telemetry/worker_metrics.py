"""Metrics of several workers as one: each leaves its snapshot in a shared folder, and a scrape adds them up.

The folder belongs to one run of the server. The file of a worker that has died stays, so that counters never fall; it
only stops counting as load.
"""

import os
from pathlib import Path

import msgspec

from .metrics import Snapshot, merge


class WorkerMetrics:
    """This worker's place in the folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mine = directory / f"{os.getpid()}.metrics"
        directory.mkdir(parents=True, exist_ok=True)

    def publish(self, snapshot: Snapshot) -> None:
        draft = self._mine.with_suffix(".draft")
        draft.write_bytes(msgspec.msgpack.encode(snapshot))
        draft.replace(self._mine)

    def together(self, mine: Snapshot) -> Snapshot:
        """``mine`` as it is now, with what the other workers published last."""
        return merge([mine, *self._others()])

    def _others(self) -> list[Snapshot]:
        found = []
        for path in self._directory.glob("*.metrics"):
            if path == self._mine:
                continue
            try:
                snapshot = msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
            except (OSError, msgspec.DecodeError):
                continue  # it is being replaced; the next scrape sees it
            if not _is_alive(int(path.stem)):
                snapshot.rest()
            found.append(snapshot)
        return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
