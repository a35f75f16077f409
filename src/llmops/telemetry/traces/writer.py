"""From the spool to the database: read some frames, make rows of their spans, store them, note how far that was.

Blocking; runs in one thread. Of all processes that share a spool one holds the lock in its folder and does the work;
when it ends, however it ends, the next one that asks takes over. What the database refuses for its own sake is found by
halving, counted and told, so that one span never holds up the others.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..assessments.assessment import Assessment
from ..assessments.events import assessments_of
from ..spans import otlp_json, otlp_read
from ..spans.conventions import facts_of
from ..spans.otlp_salvage import OtlpError
from ..spans.span import Span
from .batch import Batch, Kept, Key, key_of
from .records import Stored, stored
from .report import FileCounts
from .repository.spans import SpanRepository, Unstorable
from .spool_reader import Chunk, Frame, SpoolReader

_log = logging.getLogger(__name__)
_READ = {"protobuf": otlp_read.read, "json": otlp_json.read}
_MAX_NOTICES = 20
_ALL = 2**63
_FORGOTTEN_S = 30 * 86_400.0


class Judgements(Protocol):
    """Where what spans say of themselves and others is kept: `AssessmentRepository`."""

    def store(self, found: Sequence[Assessment]) -> None: ...


class Writer:
    """``notices`` are what an operator should know of spans that could not be kept. ``mask_after_s`` and
    ``is_durable`` (no file is removed before the database is on the disk) may be changed at any time."""

    def __init__(
        self,
        folder: Path,
        repository: SpanRepository,
        *,
        mask_after_s: float | None = None,
        is_durable: bool = False,
        judgements: Judgements | None = None,
    ) -> None:
        self.notices: list[str] = []
        self.mask_after_s = mask_after_s
        self.is_durable = is_durable
        self._folder = folder
        self._repository = repository
        self._judgements = judgements
        self._judged: list[Assessment] = []
        self._reader = SpoolReader(folder)
        self._lock: int | None = None
        self._positions_known = False
        self._counts: dict[str, FileCounts] = {}
        self._changed: set[str] = set()

    def step(self, limit_bytes: int, now_s: float) -> bool:
        """Store the next frames; false when there is nothing to do, or another process does it.

        Raises `StoreUnavailable`, or `OSError` when the spool cannot be read: then it is tried again.
        """
        if not self.owner:
            return False
        names = self._reader.names()
        if not self._positions_known:
            self._look_up(names)
        chunk = self._reader.next_chunk(limit_bytes, names)
        if chunk is None:
            return False
        try:
            self._store(chunk, now_s)
        except Exception:
            self._positions_known = False  # it may have been stored: the answer is what was lost
            raise
        return True

    def tidy(self, now_s: float) -> None:
        """Remove the files that nobody needs any more. Not before what became of their spans has been told (`changed`):
        the next process would find nothing to tell it by."""
        if self._changed or not self.owner or not self._positions_known:
            return
        finished = self._reader.finished(self._reader.names())
        if finished and (not self.is_durable or self._repository.settle()):
            self._reader.remove(finished)
            self._repository.forget_spools(finished, now_s - _FORGOTTEN_S)

    def changed(self) -> dict[str, FileCounts]:
        """The counts of the files that have changed since this was asked before."""
        found = {name: self._counts[name] for name in self._changed}
        self._changed.clear()
        return found

    def waiting(self) -> int:
        """The spans that are not stored yet, by what their frames say."""
        return sum(self._reader.waiting(name) for name in self._reader.names())

    @property
    def owner(self) -> bool:
        """Whether this process does the work; takes it on where nobody else does."""
        if self._lock is None:
            self._lock = taken(self._folder)
        return self._lock is not None

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _look_up(self, names: Sequence[str]) -> None:
        for position in self._repository.positions(names):
            self._reader.positions[position.name] = position.read_bytes
            self._count(position.name, FileCounts(position.stored, position.known, position.damaged))
        self._positions_known = True

    def _store(self, chunk: Chunk, now_s: float) -> None:
        found: dict[Key, Stored] = {}
        damaged, again = chunk.damaged, 0
        for notice in chunk.notices:
            self._note(notice)
        for frame in chunk.frames:
            rows = self._rows(frame, now_s)
            damaged += max(0, frame.spans - len(rows))
            for each in rows:
                key = key_of(each.row)
                if key in found:
                    again += 1
                else:
                    found[key] = each
        if self._judged and self._judgements is not None:
            judged, self._judged = self._judged, []
            self._judgements.store(judged)  # before the spans: stored again, the same ids are the same scores
        kept, refused = self._keep(chunk, found, again, damaged, now_s)
        self._reader.advance(chunk)
        before = self._counts.get(chunk.name, FileCounts())
        self._count(
            chunk.name,
            FileCounts(before.stored + kept.stored, before.known + kept.known, before.damaged + damaged + refused),
        )

    def _count(self, name: str, counts: FileCounts) -> None:
        self._counts[name] = counts
        self._changed.add(name)

    def _keep(self, chunk: Chunk, spans: dict[Key, Stored], again: int, damaged: int, now_s: float) -> tuple[Kept, int]:
        """Store spans up to the end of the chunk; returns also how many the database refused for what they are."""
        try:
            return self._repository.store(Batch(chunk.name, chunk.end, spans, again, damaged), now_s), 0
        except Unstorable as exc:
            good = list(self._storable(chunk, list(spans.values()), now_s, str(exc)))
        refused = len(spans) - len(good)
        kept = self._repository.store(Batch(chunk.name, chunk.end, {}, again, damaged + refused), now_s)
        stored_spans = sum(each.stored for each in good)
        return Kept(stored_spans, kept.known + len(good) - stored_spans), refused

    def _storable(self, chunk: Chunk, spans: Sequence[Stored], now_s: float, why: str) -> Iterator[Kept]:
        """Store by halves, one result for each span that could be; the position stays where it was meanwhile."""
        if len(spans) == 1:
            row = spans[0].row
            self._note(f"the span {row.span_id} of the trace {row.trace_id} cannot be stored: {why}")
            return
        middle = len(spans) // 2
        for half in (spans[:middle], spans[middle:]):
            try:
                kept = self._repository.store(
                    Batch(chunk.name, chunk.begin, {key_of(each.row): each for each in half}), now_s
                )
            except Unstorable as exc:
                yield from self._storable(chunk, half, now_s, str(exc))
            else:
                yield from [Kept(1, 0)] * kept.stored + [Kept(0, 1)] * kept.known

    def _rows(self, frame: Frame, now_s: float) -> list[Stored]:
        before_us = None
        if self.mask_after_s is not None:
            before_us = int((now_s - self.mask_after_s) * 1e6) if self.mask_after_s else _ALL
        rows = []
        try:
            for span in _READ[frame.encoding](frame.body):  # one at a time, while it is in the processor's cache
                row = self._row(span, frame, before_us)
                if row is not None:
                    rows.append(row)
                if span.events and self._judgements is not None:
                    self._judged += assessments_of(span, frame.tenant, frame.received_us)
        except OtlpError as exc:
            self._note(f"an export of {frame.spans} spans cannot be read any more: {exc}")
        return rows

    def _row(self, span: Span, frame: Frame, before_us: int | None) -> Stored | None:
        try:
            return stored(span, facts_of(span), frame.tenant, frame.received_us, before_us)
        except Exception as exc:  # noqa: BLE001 - a border: a defect met by one span must not hold up all others
            _log.exception("the span %s of the trace %s cannot be understood", span.span_id, span.trace_id)
            self._note(f"the span {span.span_id} cannot be understood: {type(exc).__name__}")
            return None

    def _note(self, notice: str) -> None:
        _log.error("%s", notice)
        self.notices = [*self.notices, notice][-_MAX_NOTICES:]


def taken(folder: Path) -> int | None:
    """The lock of a spool's writer, as a file to be closed; None where another process has it, or there is no spool."""
    try:
        fd = os.open(folder / ".writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return fd
