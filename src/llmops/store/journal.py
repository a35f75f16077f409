"""A write-ahead file of one process: lines that outlive the process, however it ends, until they are needed no more.

The file is mapped into memory, so that writing a line costs no system call and yet leaves it with the operating system:
it survives the process, though not a power cut. Its room is allocated when it is begun, so a full disk is noticed there
and never in the middle of a line. A line counts once its newline is there, which is written last.

The file is locked as long as its process lives; one without an owner was left by a process that died, and whoever finds
it (`orphans`) takes it over.
"""

import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".jsonl"
ROOM_BYTES = 8_000_000
_NEWLINE = ord("\n")


class Journal:
    """Writes ``<folder>/<pid>-<random>-<serial>.jsonl``, made by ``begin``; what is not written yet is NUL."""

    def __init__(self, folder: Path, room_bytes: int = ROOM_BYTES) -> None:
        self._folder = folder
        self._room_bytes = room_bytes
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._serial = 0
        self._size = self._room = 0
        self._map: mmap.mmap | None = None
        self._fd: int | None = None
        self._path: Path | None = None
        self._old: list[tuple[int, Path]] = []
        self._kept: list[int] = []

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit; false before ``begin``."""
        return self._size + size <= self._room

    def begin(self, lines: bytes, size: int) -> None:
        """Begin a new file with ``lines`` and room for at least ``size`` bytes more; the one before is kept, locked,
        until `forget`. Raises `OSError`, and goes on with the old one, where there is no room on the disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._name}-{self._serial}{SUFFIX}"
        hidden = path.with_suffix(".new")  # nobody may find it before it is locked
        room = max(self._room_bytes, 2 * (len(lines) + size))
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.posix_fallocate(fd, 0, room)
            mapped = mmap.mmap(fd, room)
            mapped[: len(lines)] = lines
            os.rename(hidden, path)
        except OSError:
            os.close(fd)
            with suppress(OSError):
                os.unlink(hidden)
            raise
        self._retire()
        self._fd, self._path, self._map = fd, path, mapped
        self._size, self._room = len(lines), room
        self._serial += 1

    def write(self, lines: bytes) -> None:
        """Append whole lines, for which there must be room."""
        assert self._map is not None
        start, self._size = self._size, self._size + len(lines)
        self._map[start : self._size - 1] = lines[:-1]
        self._map[self._size - 1] = _NEWLINE

    def forget(self) -> None:
        """Remove the files before the present one."""
        for fd, path in self._old:
            with suppress(FileNotFoundError):
                os.unlink(path)
            os.close(fd)
        self._old.clear()

    def keep(self) -> None:
        """Leave the files before the present one where they are until this process ends: somebody will need them."""
        self._kept += [fd for fd, _ in self._old]
        self._old.clear()

    def close(self, *, keep: bool) -> None:
        """Let go of all files; unless ``keep``, the latest are no longer needed and removed."""
        self._retire()
        if keep:
            self.keep()
        self.forget()
        for fd in self._kept:
            os.close(fd)
        self._kept.clear()

    def _retire(self) -> None:
        if self._map is not None and self._fd is not None and self._path is not None:
            self._map.close()
            self._old.append((self._fd, self._path))
        self._map = self._fd = self._path = None
        self._size = self._room = 0


def orphans(folder: Path) -> list[Path]:
    """The files in ``folder``, oldest first, whether somebody owns them or not."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == SUFFIX]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: (_changed_s(path), path.name))


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # its owner has just removed it
        return 0.0


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until nobody else takes over journals in ``folder``, and keep others waiting."""
    fd = os.open(folder / "recovery.lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def taken_over(path: Path) -> Iterator[bytes | None]:
    """The whole lines of a file whose owner is gone; it is removed at the end, unless that is an exception.

    None where the owner lives, or the file is gone too.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        if not os.fstat(fd).st_nlink:  # somebody else has just dealt with it
            yield None
            return
        content = path.read_bytes()
        yield content[: content.find(b"\0")].rpartition(b"\n")[0] if b"\0" in content else content
        os.unlink(path)
    finally:
        os.close(fd)
