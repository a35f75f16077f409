"""A write-ahead file of one process: lines that outlive the process, however it ends, until they are needed no more.

The file is mapped into memory, so that writing a line costs no system call and yet leaves it with the operating system:
it survives the process, though not a power cut. Its room is allocated and filled with NUL when it is made, so a full
disk is noticed there and never in the middle of a line, and a line meets no page that the file system has yet to find a
place for. A line counts once its newline is there, which is written last.

To make a file and to let go of one takes milliseconds: `prepare` and `sweep` do that in another thread, so that to
begin the next file is to copy what it begins with and to rename it.

The file is locked as long as its process lives; one without an owner was left by a process that died, and whoever finds
it (`orphans`) takes it over.
"""

import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".jsonl"
ROOM_BYTES = 8_000_000
_HIDDEN = ".new"
"""Suffix of a file that is not begun: nobody may find it before it is locked and says what it has to."""
_NEWLINE = ord("\n")
_NOTHING = bytes(1 << 18)


class _File(NamedTuple):
    fd: int
    path: Path
    map: mmap.mmap
    room: int

    def let_go(self) -> None:
        self.map.close()
        os.close(self.fd)


class Journal:
    """Writes ``<folder>/<pid>-<random>-<serial>.jsonl``, made by ``begin``; what is not written yet is NUL.

    `prepare` and `sweep` may run in another thread, one at a time, but not beside `close`.
    """

    def __init__(self, folder: Path, room_bytes: int = ROOM_BYTES) -> None:
        self._folder = folder
        self._room_bytes = room_bytes
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._serial = 0
        self._numbers = count()  # threads may draw from it at once
        self._size = self._room = 0
        self._file: _File | None = None
        self._spare: _File | None = None
        self._old: list[_File] = []
        self._kept: list[_File] = []
        self._gone: list[_File] = []

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit; false before ``begin``."""
        return self._size + size <= self._room

    def begin(self, lines: bytes, size: int) -> None:
        """Begin a new file with ``lines`` and room for at least ``size`` bytes more; the one before is kept, locked,
        until `forget`. Raises `OSError`, and goes on with the old one, where there is no room on the disk."""
        room = max(self._room_bytes, 2 * (len(lines) + size))
        file = self._begun_spare(lines, room)
        if file is None:
            file = self._begun(self._make(room), lines)
            self.sweep()  # where nobody prepares files nobody sweeps either
        self._retire()
        self._file = file
        self._size, self._room = len(lines), file.room
        self._serial += 1

    def write(self, lines: bytes) -> None:
        """Append whole lines, for which there must be room."""
        assert self._file is not None
        written = self._file.map
        start, self._size = self._size, self._size + len(lines)
        written[start : self._size - 1] = lines[:-1]
        written[self._size - 1] = _NEWLINE

    def forget(self) -> None:
        """Remove the files before the present one."""
        for file in self._old:
            with suppress(FileNotFoundError):
                os.unlink(file.path)
        self._gone += self._old
        self._old.clear()

    def keep(self) -> None:
        """Leave the files before the present one where they are until this process ends: somebody will need them."""
        self._kept += self._old
        self._old.clear()

    @property
    def is_unprepared(self) -> bool:
        """Whether `prepare` and `sweep` have something to do."""
        return bool(self._gone) or (self._spare is None and self._file is not None)

    def prepare(self) -> None:
        """Make the file that is to be begun next, unless it is there. Raises `OSError`."""
        if self._spare is None:
            self._spare = self._make(self._room_bytes)

    def sweep(self) -> None:
        """Let go of the memory and the room of files that are removed."""
        with suppress(IndexError):  # until there is none, whoever takes them
            while True:
                self._gone.pop().let_go()

    def close(self, *, keep: bool) -> None:
        """Let go of all files; unless ``keep``, the latest are no longer needed and removed."""
        self._retire()
        if keep:
            self.keep()
        self.forget()
        if self._spare is not None:
            _drop(self._spare)
            self._spare = None
        self._gone += self._kept
        self._kept.clear()
        self.sweep()

    def _make(self, room: int) -> _File:
        """A file that nobody finds yet, locked and empty."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._folder / f"{self._name}-{next(self._numbers)}{_HIDDEN}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if not os.fstat(fd).st_nlink:  # taken for a dead process's before it was locked
                    os.close(fd)
                    continue
                os.posix_fallocate(fd, 0, room)
                for start in range(0, room, len(_NOTHING)):  # else each page costs 6 to 60 us on ext4 when first used
                    os.pwrite(fd, _NOTHING[: room - start], start)
                return _File(fd, path, mmap.mmap(fd, room), room)
            except OSError:
                os.close(fd)
                with suppress(OSError):
                    os.unlink(path)
                raise

    def _begun_spare(self, lines: bytes, room: int) -> _File | None:
        spare = self._spare
        if spare is None or spare.room < room:
            return None
        self._spare = None
        try:
            return self._begun(spare, lines)
        except OSError:  # somebody has removed it
            return None

    def _begun(self, file: _File, lines: bytes) -> _File:
        """The file with its first lines, to be found from now on."""
        path = self._folder / f"{self._name}-{self._serial}{SUFFIX}"
        file.map[: len(lines)] = lines
        try:
            os.rename(file.path, path)
        except OSError:
            _drop(file)
            raise
        return file._replace(path=path)

    def _retire(self) -> None:
        if self._file is not None:
            self._old.append(self._file)
        self._file = None
        self._size = self._room = 0


def _drop(file: _File) -> None:
    with suppress(OSError):
        os.unlink(file.path)
    file.let_go()


def remove_unused(folder: Path) -> None:
    """Remove files that a process had made, and not begun, when it died."""
    for path in folder.glob(f"*{_HIDDEN}"):
        with suppress(OSError):  # it has just been begun or removed, or its owner lives
            fd = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)  # who holds the lock is the only one to rename it: it is this file
            finally:
                os.close(fd)


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
