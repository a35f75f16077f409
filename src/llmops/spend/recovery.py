"""After a crash: what the journals of dead processes hold and the request log does not is logged now.

A line that was made and not written is written as it is. A call that was under way when its process died has a
reservation only: nobody knows what it used, so it is charged its estimate and marked as such. Doing this twice, or by
two processes at once, changes nothing: a journal is taken over under its lock, and what the log has is left out.

Counters in Redis may not know what became of any of these calls, whether the log has it or not, so all are reported.
One for which they were asked and that was not let in is to be given back, and has no place in the log.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

import msgspec

from ..store.journal import one_at_a_time, orphans, remove_unused, taken_over
from ..telemetry.log_file import LogFile
from ..telemetry.record import CallRecord, timestamp, token_usage
from .entry import Admitted, Entry, Opened, Reserved, Settling
from .settlement import as_estimated

_log = logging.getLogger(__name__)
CRASHED = "gateway_crashed"
_CLOCK_TOLERANCE_S = 60.0
_T = TypeVar("_T")


class Recovered(msgspec.Struct, frozen=True):
    """One call of a process that died, and what it was charged. ``entered``: it was missing from the log until now.
    ``unfinished`` is the reservation of one that was under way and belongs to a rollout."""

    request_id: str
    tokens: int
    nanousd: int
    entered: bool
    unfinished: Reserved | None = None


class _Usage(msgspec.Struct):
    total: int = 0


class _Line(msgspec.Struct):
    """What has to be known of a line of the request log."""

    request_id: str
    token_usage: _Usage = msgspec.field(default_factory=_Usage)
    cost_nanousd: int | None = None


class _Journals(msgspec.Struct):
    """The content of all journals without an owner: of one process there may be two."""

    opened: list[Opened] = []
    reserved: dict[str, Reserved] = {}
    admitted: set[str] = set()
    settling: dict[str, Settling] = {}
    lines: dict[str, bytes] = {}

    def read(self, content: bytes) -> None:
        for raw in content.splitlines():
            try:
                if raw.startswith(b'{"entry"'):
                    self._take(_decode_entry(raw))
                else:
                    self.lines[_decode_line(raw).request_id] = raw
            except (msgspec.DecodeError, UnicodeDecodeError):
                _log.error("a line of the ledger's journal cannot be read and is left out: %d bytes", len(raw))

    def _take(self, entry: Entry) -> None:
        if isinstance(entry, Opened):
            self.opened.append(entry)
        elif isinstance(entry, Admitted):
            self.admitted.add(entry.request_id)
        elif isinstance(entry, Settling):
            self.settling[entry.request_id] = entry
        else:
            self.reserved[entry.request_id] = entry

    def was_under_way(self, entry: Reserved) -> bool:
        """Whether a call may have gone upstream."""
        return not entry.asked or entry.request_id in self.admitted


_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def recover(folder: Path, log: LogFile, now_s: float) -> list[Recovered]:
    """Bring the log up to date with the journals in ``folder`` whose owners are gone, and remove these. Raises
    `OSError` where the log cannot be written; the journals are then kept."""
    with recovering(folder, log, now_s) as found:
        return found


@contextmanager
def recovering(folder: Path, log: LogFile, now_s: float) -> Iterator[list[Recovered]]:
    """As `recover`, in two steps: the journals are removed at the end of the block, unless that is an exception."""
    if not orphans(folder):
        yield []
        return
    with ExitStack() as stack:
        stack.enter_context(one_at_a_time(folder))  # of one process there may be two journals, which belong together
        remove_unused(folder)
        journals = _Journals()
        for path in orphans(folder):
            journals.read(stack.enter_context(taken_over(path)) or b"")
        yield _complete(log, journals, now_s)


def _complete(log: LogFile, journals: _Journals, now_s: float) -> list[Recovered]:
    """Enter in the log what it lacks; returns what is known of every call now."""
    ids = dict.fromkeys(chain(journals.reserved, journals.lines, journals.settling))
    if not ids:
        return []
    known = {line.request_id: line for line in _logged(log.path, journals.opened) if line.request_id in ids}
    missing = {request_id: raw for request_id, raw in journals.lines.items() if request_id not in known}
    for request_id, entry in journals.reserved.items():
        if request_id not in known and request_id not in journals.lines and journals.was_under_way(entry):
            missing[request_id] = _encode(_unfinished(entry))
    if missing:
        log.append(b"".join(raw + b"\n" for raw in missing.values()), now_s)
        _log.warning("%d calls of a gateway that died were entered in the request log", len(missing))
        known |= {request_id: _decode_line(raw) for request_id, raw in missing.items()}
    return [_recovered(request_id, known, journals, entered=request_id in missing) for request_id in ids]


def _logged(log_path: Path, begun: Sequence[Opened]) -> Iterator[_Line]:
    """The lines in the log behind the place where the journals began."""
    since_s = min((entry.at_s for entry in begun), default=0.0) - _CLOCK_TOLERANCE_S
    seen: set[int] = set()
    # The present file comes first: where a sibling rotates it meanwhile, it is found under its other name as well.
    for path in chain([log_path], log_path.parent.glob(f"{log_path.stem}-*{log_path.suffix}")):
        with suppress(FileNotFoundError), path.open("rb") as file:
            status = os.fstat(file.fileno())
            sizes = [entry.log_size for entry in begun if entry.log_inode == status.st_ino]
            is_older = status.st_mtime < since_s and not sizes and path != log_path  # clocks are set back
            if is_older or status.st_ino in seen:
                continue
            seen.add(status.st_ino)
            # Where one journal began before this file, all of it counts; so it does where it has been cut since.
            mark = min(sizes) if sizes and len(sizes) == len(begun) else 0
            file.seek(mark if mark <= status.st_size else 0)
            for line in file:
                if not line.endswith(b"\n"):  # its writer was killed; it is taken off with the next append
                    break
                try:
                    yield _decode_line(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue


def _recovered(request_id: str, known: Mapping[str, _Line], journals: _Journals, *, entered: bool) -> Recovered:
    line, settling = known.get(request_id), journals.settling.get(request_id)
    if line is not None:
        reserved = journals.reserved.get(request_id) if entered and request_id not in journals.lines else None
        unfinished = reserved if reserved is not None and reserved.rollout_id is not None else None
        return Recovered(request_id, line.token_usage.total, line.cost_nanousd or 0, entered, unfinished)
    if settling is not None:
        return Recovered(request_id, settling.tokens, settling.nanousd, entered)
    return Recovered(request_id, 0, 0, entered)  # shared counters were asked for it, and it went nowhere


def _given(value: _T | None) -> _T | msgspec.UnsetType:
    return msgspec.UNSET if value is None else value


def _unfinished(entry: Reserved) -> CallRecord:
    """The record of a call whose end nobody saw."""
    return CallRecord(
        timestamp=timestamp(entry.at_s),
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        span_id=entry.span_id,
        tenant=entry.tenant,
        key_id=entry.key_id,
        operation=entry.operation,
        provider="unknown",
        model=entry.model,
        requested_model=entry.requested_model,
        latency_ms=0.0,
        token_usage=token_usage(as_estimated(entry.prompt_tokens, entry.completion_tokens)),
        error_type=CRASHED,
        prompt_version=entry.prompt_version,
        release_id=entry.release_id,
        rollout_id=_given(entry.rollout_id),
        arm=_given(entry.arm),
        probability=_given(entry.probability),
        session=entry.session,
        status=500,
        stream=entry.stream,
        user=entry.user,
        tags=entry.tags,
        cost_nanousd=entry.nanousd,
        reserved_nanousd=entry.nanousd,
        recovered=True,
    )
