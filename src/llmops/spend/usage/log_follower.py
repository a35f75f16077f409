"""Follows the request log through all its files: whole lines, none skipped, none read twice, whatever rotates them.

A file is known by its inode together with its first line, and each has its own position. So it does not matter in which
order files were renamed, how many rotations passed unseen, or whether an inode was used again: what is in the folder
and has not been read is read, oldest first. A copy, or a log on another disk, is read again, which changes nothing. The
present file is kept open, and read to its end also when somebody renames, compresses or deletes it meanwhile.

A file that lost lines before they were read (deleted, truncated) is reported. Not covered: compressed files, and lines
in the middle of a file that somebody changes after they were read.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

_log = logging.getLogger(__name__)
_LOOK_AT_ALL_S = 5.0
_HEAD_BYTES = 65_536
_MAX_LINE_BYTES = 64_000_000
_AT_REST_S = 10.0
"""A file that has been renamed and not written to for so long is complete, a line without its end torn for good."""


class LogPart(msgspec.Struct, frozen=True, gc=False):
    """One file of the log, as it was when the folder was looked at."""

    id: int
    name: str
    device: int
    inode: int
    size: int
    changed_ns: int


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Whole lines of a file. ``known`` is its position as it is stored, ``end`` the one after these lines; ``torn``
    says what stands there instead of lines."""

    part: LogPart
    lines: bytes
    known: int
    end: int
    torn: str | None = None


class LogFollower:
    """Belongs to one thread. ``notices`` is what went wrong with files, in words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []
        stem, suffix = re.escape(path.stem), re.escape(path.suffix)
        self._pattern = re.compile(rf"{stem}(-[^/]*)?{suffix}([.-]\d[\d.-]*)?")
        self._parts: dict[int, LogPart] = {}
        self._stored: dict[int, int] = {}
        """Positions as the database has them."""
        self._begin_anew: set[int] = set()
        self._current: tuple[int, int] | None = None
        """The open file, and which part it is."""
        self._looked_s = -_LOOK_AT_ALL_S

    @property
    def parts(self) -> list[LogPart]:
        """The files, oldest first, as they were seen last."""
        return sorted(self._parts.values(), key=lambda part: (part.changed_ns, part.name))

    @property
    def behind_bytes(self) -> int:
        """What was seen and is not read yet."""
        return sum(max(0, part.size - self.position(part.id)) for part in self._parts.values())

    def position(self, part_id: int) -> int:
        """How far a file has been read."""
        return 0 if part_id in self._begin_anew else self._stored.get(part_id, 0)

    def resume(self, positions: Mapping[int, int]) -> None:
        """Take these positions, as they are stored, for the files that there are."""
        self._stored = {part_id: positions.get(part_id, 0) for part_id in self._parts}
        self._begin_anew.clear()
        for part in self._parts.values():
            self._check_length(part)

    def advance(self, chunk: Chunk) -> None:
        """These lines are stored."""
        self._stored[chunk.part.id] = chunk.end
        self._begin_anew.discard(chunk.part.id)

    def close(self) -> None:
        if self._current is not None:
            os.close(self._current[0])
            self._current = None

    def look(self, *, thoroughly: bool = False) -> set[int]:
        """See what has been written; returns the files that are new here, whose positions must be looked up.

        Raises `OSError` when the folder cannot be read.
        """
        if not thoroughly and time.monotonic() - self._looked_s < _LOOK_AT_ALL_S and self._see_present_file():
            return set()
        self._looked_s = time.monotonic()
        found = self._see_all_files()
        self._keep_open(found)
        self._note_missing(found)
        new = set(found) - set(self._parts)
        self._parts = found
        for part in found.values():
            self._check_length(part)
        return new

    def next_chunk(self, limit_bytes: int) -> Chunk | None:
        """The next lines, about so many bytes; None when all that was seen is read."""
        for part in self.parts:
            begin = self.position(part.id)
            if begin >= part.size:
                continue
            try:
                chunk = self._read(part, begin, limit_bytes)
            except FileNotFoundError:  # since the last look; the next one reports it
                self._looked_s = -_LOOK_AT_ALL_S
                continue
            if chunk is not None:
                return chunk
        return None

    # --- looking ---

    def _see_present_file(self) -> bool:
        """Whether the open file is still the present one, its size brought up to date."""
        if self._current is None:
            return False
        fd, part_id = self._current
        part, mine = self._parts[part_id], os.fstat(fd)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        if (named.st_ino, named.st_dev) != (mine.st_ino, mine.st_dev) or mine.st_size < part.size:
            return False
        if mine.st_size != part.size:
            self._parts[part_id] = msgspec.structs.replace(part, size=mine.st_size, changed_ns=mine.st_mtime_ns)
        return True

    def _see_all_files(self) -> dict[int, LogPart]:
        known = {(part.device, part.inode): part for part in self._parts.values()}
        found: dict[int, LogPart] = {}
        try:
            names = sorted(name for name in os.listdir(self.path.parent) if self._pattern.fullmatch(name))
        except FileNotFoundError:
            return found
        for name in names:
            with suppress(FileNotFoundError):  # renamed at this moment: found under the other name, or the next time
                status = os.stat(self.path.with_name(name))
                seen = known.get((status.st_dev, status.st_ino))
                if seen is not None and (seen.size, seen.changed_ns) == (status.st_size, status.st_mtime_ns):
                    part = msgspec.structs.replace(seen, name=name)
                else:
                    opened = self._identify(name)
                    if opened is None:
                        continue
                    part = opened
                found[part.id] = part
        return found

    def _identify(self, name: str) -> LogPart | None:
        """The file of that name; None while it has no first line."""
        fd = os.open(self.path.with_name(name), os.O_RDONLY)
        try:
            status = os.fstat(fd)
            head = os.pread(fd, _HEAD_BYTES, 0)
        finally:
            os.close(fd)
        line, end, _ = head.partition(b"\n")
        if not end and len(head) < _HEAD_BYTES:
            return None
        part_id = int.from_bytes(blake2b(b"%d %b" % (status.st_ino, line), digest_size=8).digest()) >> 1
        return LogPart(part_id, name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def _keep_open(self, found: dict[int, LogPart]) -> None:
        """Keep the present file open; the one before only until it has been read."""
        if self._current is not None:
            fd, part_id = self._current
            status, part = os.fstat(fd), self._parts[part_id]
            gone = all((each.device, each.inode) != (part.device, part.inode) for each in found.values())
            if gone and part_id not in found and part.size <= status.st_size > self.position(part_id):
                found[part_id] = msgspec.structs.replace(part, size=status.st_size, changed_ns=status.st_mtime_ns)
                return
            self.close()
        present = next((part for part in found.values() if part.name == self.path.name), None)
        if present is not None:
            with suppress(FileNotFoundError):
                fd = os.open(self.path, os.O_RDONLY)
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) == (present.device, present.inode):
                    self._current = (fd, present.id)
                else:
                    os.close(fd)

    def _note_missing(self, found: dict[int, LogPart]) -> None:
        for part_id, part in self._parts.items():
            unread = part.size - self.position(part_id)
            if part_id not in found and unread > 0:
                self._notice(f"the log file {part.name} is gone, and {unread} bytes of it had not been read")

    def _check_length(self, part: LogPart) -> None:
        if part.size < self.position(part.id):
            self._notice(f"the log file {part.name} is shorter than what was read of it; it is read from its beginning")
            self._begin_anew.add(part.id)

    def _notice(self, text: str) -> None:
        _log.error("%s", text)
        self.notices = [*self.notices[-19:], text]

    # --- reading ---

    def _read(self, part: LogPart, begin: int, limit_bytes: int) -> Chunk | None:
        """The next lines of a file; None where its last one is not complete."""
        known = self._stored.get(part.id, 0)
        kept = self._current if self._current is not None and self._current[1] == part.id else None
        fd = kept[0] if kept is not None else os.open(self.path.with_name(part.name), os.O_RDONLY)
        try:
            status = os.fstat(fd)
            if status.st_ino != part.inode:
                raise FileNotFoundError(part.name)
            want = min(limit_bytes, part.size - begin)
            while True:
                data = os.pread(fd, want, begin)
                whole = data.rfind(b"\n") + 1
                if whole:
                    return Chunk(part, data[:whole], known, begin + whole)
                if want >= _MAX_LINE_BYTES:
                    return self._skip_line(fd, part, begin, known)
                if begin + want >= part.size:
                    break
                want = min(4 * want, part.size - begin, _MAX_LINE_BYTES)
        finally:
            if kept is None:
                os.close(fd)
        left = part.name != self.path.name or status.st_nlink == 0
        if left and time.time() - part.changed_ns / 1e9 > _AT_REST_S:
            return Chunk(part, b"", known, part.size, f"a record that its writer left torn: {data[:80]!r}")
        return None

    def _skip_line(self, fd: int, part: LogPart, begin: int, known: int) -> Chunk | None:
        """Past a line that nobody can have meant."""
        at = begin
        while data := os.pread(fd, 1_000_000, at):
            found = data.find(b"\n")
            if found >= 0:
                end = at + found + 1
                return Chunk(part, b"", known, end, f"a line of {end - begin} bytes, which is more than is read")
            at += len(data)
        return None
