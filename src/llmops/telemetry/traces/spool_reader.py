"""Reading a spool's files: frames in the order in which they were written, oldest file first.

What is damaged is told and stepped over: a frame that does not fit its checksum, and the rest of a file whose structure
is lost or whose end is torn. A torn end was never answered for; what it may have held is not counted.
"""

import fcntl
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from .spool_frames import ENCODINGS, HEAD, MAGIC, SUFFIX, Encoding

KEPT = "kept"
"""The folder, where there is one, that finished files are moved to for others who read them as well (`export`)."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """An export as it was taken in."""

    tenant: str
    encoding: Encoding
    body: bytes
    spans: int
    received_us: int


class Chunk(msgspec.Struct, frozen=True):
    """Some frames of one file: where they end, and what between them could not be read."""

    name: str
    begin: int
    end: int
    frames: list[Frame]
    damaged: int = 0
    """Spans that were accepted and cannot be read."""
    notices: list[str] = []


class SpoolReader:
    """Of one folder; one reader at a time. ``positions`` says how far files have been read."""

    def __init__(self, folder: Path) -> None:
        self.positions: dict[str, int] = {}
        self._folder = folder

    def names(self) -> list[str]:
        """The spool's files, oldest first."""
        try:
            found = [entry.name for entry in os.scandir(self._folder) if entry.name.endswith(SUFFIX)]
        except FileNotFoundError:
            return []
        return sorted(found, key=_age)

    def next_chunk(self, limit_bytes: int, names: Sequence[str]) -> Chunk | None:
        """The next frames of the first of these files that has some, about so many bytes and at least one frame."""
        for name in names:
            chunk = self._read(name, limit_bytes)
            if chunk is not None:
                return chunk
        return None

    def advance(self, chunk: Chunk) -> None:
        """What the chunk holds is stored."""
        self.positions[chunk.name] = chunk.end

    def finished(self, names: Sequence[str]) -> list[str]:
        """Which of these files are read to the end, and nobody will append to them."""
        found = []
        for name in names:
            with suppress(FileNotFoundError):
                if self._is_finished(name):
                    found.append(name)
        return found

    def remove(self, names: Sequence[str]) -> None:
        """Remove files that are finished."""
        kept = self._folder / KEPT
        kept_for_others = kept.is_dir()
        for name in names:
            with suppress(FileNotFoundError):
                if kept_for_others:
                    os.rename(self._folder / name, kept / name)
                else:
                    os.unlink(self._folder / name)
            self.positions.pop(name, None)

    def waiting(self, name: str) -> int:
        """The spans of a file that have not been read, by what its frames say."""
        spans, at = 0, self.positions.get(name, 0)
        with suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
            file.seek(at)
            while len(head := file.read(HEAD.size)) == HEAD.size:
                magic, size, _, _, count, _, _ = HEAD.unpack(head)
                if magic != MAGIC:
                    break
                spans += count
                file.seek(size, os.SEEK_CUR)
        return spans

    def _is_finished(self, name: str) -> bool:
        fd = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return os.fstat(fd).st_size <= self.positions.get(name, 0)
        finally:
            os.close(fd)

    def _read(self, name: str, limit_bytes: int) -> Chunk | None:
        begin = self.positions.get(name, 0)
        try:
            with (self._folder / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size <= begin:
                    return None
                file.seek(begin)
                content = file.read(limit_bytes)
                if len(content) >= HEAD.size:  # at least the first frame whole, however large
                    missing = HEAD.size + HEAD.unpack_from(content)[1] - len(content)
                    if 0 < missing <= size - begin:
                        content += file.read(missing)
        except FileNotFoundError:
            return None
        return self._frames(name, begin, content, size)

    def _frames(self, name: str, begin: int, content: bytes, size: int) -> Chunk | None:
        frames: list[Frame] = []
        damaged, at, notices = 0, 0, []
        whole = memoryview(content)
        while at + HEAD.size <= len(content):
            magic, length, checksum, received_us, spans, tenant_bytes, encoding = HEAD.unpack_from(content, at)
            if magic != MAGIC or encoding >= len(ENCODINGS) or tenant_bytes > length:
                notices.append(f"{name}: what follows byte {begin + at} is no frame; the rest of the file is left out")
                return Chunk(name, begin, size, frames, damaged, notices)
            end = at + HEAD.size + length
            if end > len(content):
                break
            begin_body = at + HEAD.size + tenant_bytes
            if zlib.crc32(whole[at + HEAD.size : end]) != checksum:
                damaged += spans
                notices.append(f"{name}: the frame at byte {begin + at} with {spans} spans is damaged")
            else:
                tenant = content[at + HEAD.size : begin_body].decode()
                frames.append(Frame(tenant, ENCODINGS[encoding], content[begin_body:end], spans, received_us))
            at = end
        if at == 0:
            return self._torn(name, begin, size)
        return Chunk(name, begin, begin + at, frames, damaged, notices)

    def _torn(self, name: str, begin: int, size: int) -> Chunk | None:
        """No whole frame: it is being written, or its writer died over it."""
        try:
            fd = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        finally:
            os.close(fd)
        return Chunk(name, begin, size, [], 0, [f"{name}: its end is torn at byte {begin}; nobody was told it is kept"])


def _age(name: str) -> tuple[int, str]:
    begun = name.partition("-")[0]
    return (int(begun) if begun.isdecimal() else 0), name
