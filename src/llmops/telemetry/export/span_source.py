"""Spans from outside, as they lie in the spool: each export reads it beside the writer that stores them.

The writer gives up a file that it has stored. Where there are exports, it moves it into the folder `KEPT` instead of
removing it, and the last export that has read it removes it there.
"""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..spans import otlp_json, otlp_read
from ..spans.otlp_salvage import OtlpError
from ..traces.spool_frames import SUFFIX
from ..traces.spool_reader import KEPT, Chunk, Frame, SpoolReader
from .source import Batch, Positions, Produced

_log = logging.getLogger(__name__)
_READ = {"protobuf": otlp_read.read, "json": otlp_json.read}
_CHUNK_BYTES = 1_000_000


class SpanSource:
    """A file has one name wherever it is; one that is moved between two looks is found at the next."""

    name = "spans"

    def __init__(self, folder: Path) -> None:
        self._spool, self._kept = SpoolReader(folder), SpoolReader(folder / KEPT)
        self._folders = (folder, folder / KEPT)
        self._kept.positions = self._spool.positions
        self._sizes: dict[str, int] = {}

    @property
    def positions(self) -> Positions:
        return dict(self._spool.positions)

    @property
    def waiting_bytes(self) -> int:
        known = self._spool.positions
        return sum(max(0, size - known.get(name, 0)) for name, size in self._sizes.items())

    def begin(self, positions: Positions | None) -> None:
        self.look()
        self._spool.positions.clear()
        self._spool.positions.update(self._sizes if positions is None else positions)

    def look(self) -> None:
        found = dict(files_of(self._folders))
        for name in [name for name in self._spool.positions if name not in found]:
            del self._spool.positions[name]
        self._sizes = found

    def next_batch(self) -> Batch | None:
        for name in sorted(self._sizes):
            if self._sizes[name] > self._spool.positions.get(name, 0):
                chunk = self._spool.next_chunk(_CHUNK_BYTES, [name]) or self._kept.next_chunk(_CHUNK_BYTES, [name])
                if chunk is not None:
                    return self._batch(chunk)
        return None

    def advance(self, batch: Batch) -> None:
        self._spool.advance(batch.taken)

    def waiting(self) -> tuple[int, int]:
        return 0, sum(self._spool.waiting(name) + self._kept.waiting(name) for name in self._sizes)

    def close(self) -> None:
        """Nothing is kept open."""

    @staticmethod
    def _batch(chunk: Chunk) -> Batch:
        produced, unreadable = [], chunk.damaged
        for frame in chunk.frames:
            read = _spans_of(frame)
            unreadable += max(0, frame.spans - len(read.spans))
            produced.append(read)
        return Batch(produced, chunk, unreadable, chunk.notices)


def files_of(folders: Iterable[Path]) -> list[tuple[str, int]]:
    """Names and sizes of a spool's files, in either folder."""
    found: dict[str, int] = {}
    for folder in folders:
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):
                        found[entry.name] = entry.stat().st_size
    return sorted(found.items())


def remove_read(folder: Path, positions: Iterable[Positions]) -> None:
    """Remove the kept files that all exports have read to their ends."""
    everybody = list(positions)
    for name, size in files_of([folder / KEPT]):
        if all(known.get(name, 0) >= size for known in everybody):
            with suppress(FileNotFoundError):
                (folder / KEPT / name).unlink()


def discard_kept(folder: Path) -> None:
    """Remove what is kept for exports that there are no more."""
    remove_read(folder, [])
    with suppress(OSError):
        (folder / KEPT).rmdir()


def _spans_of(frame: Frame) -> Produced:
    try:
        spans = list(_READ[frame.encoding](frame.body))
    except OtlpError as exc:
        _log.error("an export of %d spans cannot be read any more: %s", frame.spans, exc)
        spans = []
    return Produced(frame.tenant, frame.received_us / 1e6, spans)
