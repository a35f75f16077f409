"""Exports of spans on disk, between the answer that they are taken and the database.

Each process appends to a file of its own under the folder, frame by frame, and begins another when that is large. A
frame is handed to the operating system before its sender is answered: it survives the process, however it ends; with
``fsync`` it is on the disk and survives a power cut too. A frame that could not be written whole is taken back. The
file is locked as long as its process may append to it; one that is not locked and read to its end is no longer needed.

Not covered: who may write (`gateway.trace_intake`), and reading (`spool_reader`).
"""

import fcntl
import os
import secrets
import threading
import time
import zlib
from pathlib import Path
from typing import Literal

from .shares import Shares, fits
from .spool_frames import ENCODINGS, HEAD, MAGIC, SUFFIX, Encoding

_SIZE_EVERY_S = 1.0


class SpoolFull(Exception):
    """There is no room: for nobody, or for this tenant, who has more there than is left for the others."""

    def __init__(self, reason: Literal["spool_full", "tenant_share"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Spool:
    """Where exports wait. ``append`` may be called from any thread, and blocks for as long as the disk takes."""

    def __init__(self, folder: Path, *, limit_bytes: int, file_bytes: int = 64_000_000, fsync: bool = False) -> None:
        self.limit_bytes = limit_bytes
        self.file_bytes = file_bytes
        self.fsync = fsync
        self.frames = 0
        self.folder = folder
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._size = 0
        self._shares = Shares(folder)
        self._looked_s = self._counted_s = -_SIZE_EVERY_S
        self._counted = 0

    @property
    def waiting_bytes(self) -> int:
        """What all processes have there, as it was a moment ago; waits for no disk that is being written to."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= _SIZE_EVERY_S:
            self._counted_s, self._counted = now_s, waiting_bytes(self.folder)
        return self._counted

    def append(self, tenant: str, encoding: Encoding, body: bytes, *, spans: int, received_us: int) -> None:
        """Keep an export; `SpoolFull` where there is no room for it, `OSError` where the disk refuses. Then nothing of
        it is kept."""
        named = tenant.encode()
        length, checksum = len(named) + len(body), zlib.crc32(body, zlib.crc32(named))
        head = HEAD.pack(MAGIC, length, checksum, received_us, spans, len(named), ENCODINGS.index(encoding))
        size = len(head) + length
        with self._lock:
            self._check_room(named, size)
            if self._fd is None or self._size + size > self.file_bytes:
                self._begin()
            assert self._fd is not None
            self._write(self._fd, [head, named, body])
            self._size += size
            self._shares.add(named, size)
            self.frames += 1

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _check_room(self, tenant: bytes, size: int) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s >= _SIZE_EVERY_S:
            self._looked_s = now_s
            self._shares.look(whose_beyond=self.limit_bytes // 2)
        waiting = self._shares.total
        if waiting + size > self.limit_bytes:
            raise SpoolFull(
                "spool_full", f"the spool of spans is full ({waiting:,} bytes wait for the database); try again later"
            )
        own = self._shares.of(tenant)
        if not fits(self.limit_bytes, waiting, own, size):
            raise SpoolFull(
                "tenant_share",
                f"the spool of spans is nearly full, and {own:,} of its {waiting:,} bytes are this tenant's; what is "
                "left is for the others: try again later",
            )

    def _begin(self) -> None:
        self._let_go()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        draft = path.with_suffix(".new")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, path)  # nobody may find it unlocked and empty
            if self.fsync:
                _sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        self._fd, self._size = fd, 0

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, fd: int, parts: list[bytes]) -> None:
        wanted = sum(map(len, parts))
        written = 0
        try:
            written = os.writev(fd, parts)
            while written < wanted:
                written += os.write(fd, b"".join(parts)[written:])
        except OSError:
            self._take_back(fd)
            raise
        if self.fsync:
            try:
                os.fdatasync(fd)
            except OSError:  # what of the file is on the disk nobody can say any more
                self._take_back(fd)
                self._let_go()
                raise

    def _take_back(self, fd: int) -> None:
        """Cut off what was written of a frame. Where even that fails the file is left to its reader, who sees that
        its end is torn."""
        try:
            os.ftruncate(fd, self._size)
        except OSError:
            self._let_go()


def waiting_bytes(folder: Path) -> int:
    """How large the files of a spool are together; 0 for a folder that cannot be read, nor be written then."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    try:
                        total += entry.stat().st_size
                    except FileNotFoundError:
                        continue
    except OSError:
        return 0
    return total


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
