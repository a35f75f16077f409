"""The request log's file: whole batches of lines appended under a lock, rotated without losing one.

Every append takes an exclusive lock on the file, so that several processes may share it; whoever finds that the path
names another file now (somebody rotated) opens that one. A write that the disk cuts short is taken back in full, and
one that was cut by the end of its process is taken off by the next, so a line is in the log whole or not at all. Not
covered: file systems without working ``flock`` (some NFS).
"""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path


class LogFile:
    """An append-only file. ``append`` raises `OSError` and leaves no trace when the batch cannot be written."""

    def __init__(self, path: Path, *, rotate_bytes: int, rotate_age_s: float) -> None:
        self.path = path
        self._rotate_bytes = rotate_bytes
        self._rotate_age_s = rotate_age_s
        self._fd: int | None = None

    def append(self, batch: bytes, now_s: float) -> None:
        """Append whole lines; rotate first where the file has grown too large or too old."""
        fd = self._locked()
        try:
            _take_off_half_a_line(fd)
            if self._is_due(fd, now_s):
                fd = self._rotate(fd, now_s)
            size = os.fstat(fd).st_size
            try:
                _write_all(fd, batch)
            except OSError:
                os.ftruncate(fd, size)
                raise
        finally:
            if self._fd is not None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _locked(self) -> int:
        """The file that the path names now, locked."""
        while True:
            if self._fd is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            mine = os.fstat(self._fd)
            try:
                named = os.stat(self.path)
            except FileNotFoundError:
                named = None
            if named is not None and (named.st_ino, named.st_dev) == (mine.st_ino, mine.st_dev):
                return self._fd
            self.close()  # which also unlocks it

    def _is_due(self, fd: int, now_s: float) -> bool:
        status = os.fstat(fd)
        if status.st_size == 0:
            return False
        return status.st_size >= self._rotate_bytes or now_s - _born_s(self.path, status) >= self._rotate_age_s

    def _rotate(self, fd: int, now_s: float) -> int:
        moment = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%S%f")
        target = self.path.with_name(f"{self.path.stem}-{moment}{self.path.suffix}")
        serial = 0
        while target.exists():
            serial += 1
            target = self.path.with_name(f"{self.path.stem}-{moment}-{serial}{self.path.suffix}")
        os.rename(self.path, target)
        fcntl.flock(fd, fcntl.LOCK_UN)
        self.close()
        return self._locked()


def _born_s(path: Path, status: os.stat_result) -> float:
    """When the file was begun: the time in its first line, which survives restarts; otherwise its last change."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096)
        stamp = first.split(b'"timestamp":"', 1)[1].split(b'"', 1)[0].decode()
        return datetime.fromisoformat(stamp).timestamp()
    except (OSError, IndexError, ValueError):
        return status.st_mtime


def _take_off_half_a_line(fd: int) -> None:
    """At the file's end: whoever wrote it was killed in the middle of it, and the next line would be spoilt too."""
    start = os.fstat(fd).st_size
    if not start or os.pread(fd, 1, start - 1) == b"\n":
        return
    found = -1
    while start and found < 0:
        end, start = start, max(0, start - 65_536)
        found = os.pread(fd, end - start, start).rfind(b"\n")
    os.ftruncate(fd, start + found + 1)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
