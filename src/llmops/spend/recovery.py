"""After a crash: what the journals of dead processes hold and the request log does not is logged now.

A line that was made and not written is written as it is. A call that was under way when its process died has a
reservation only: nobody knows what it used, so it is charged its estimate and marked as such. Doing this twice, or by
two processes at once, changes nothing: a journal is taken over under its lock, and what the log has is left out.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path

import msgspec

from ..store.journal import one_at_a_time, orphans, taken_over
from ..telemetry.log_file import LogFile
from ..telemetry.record import CallRecord, timestamp, token_usage
from .entry import Entry, Opened, Reserved
from .settlement import as_estimated

_log = logging.getLogger(__name__)
CRASHED = "gateway_crashed"
_CLOCK_TOLERANCE_S = 60.0


class Recovered(msgspec.Struct, frozen=True):
    """One call that was missing from the log, and what it was charged."""

    request_id: str
    tokens: int
    nanousd: int


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
    lines: dict[str, bytes] = {}

    def read(self, content: bytes) -> None:
        for raw in content.splitlines():
            try:
                if raw.startswith(b'{"entry"'):
                    entry = _decode_entry(raw)
                    if isinstance(entry, Opened):
                        self.opened.append(entry)
                    else:
                        self.reserved[entry.request_id] = entry
                else:
                    self.lines[_decode_line(raw).request_id] = raw
            except (msgspec.DecodeError, UnicodeDecodeError):
                _log.error("a line of the ledger's journal cannot be read and is left out: %d bytes", len(raw))


_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def recover(folder: Path, log: LogFile, now_s: float) -> list[Recovered]:
    """Bring the log up to date with the journals in ``folder`` whose owners are gone. Raises `OSError` where the log
    cannot be written; the journals are then kept."""
    if not orphans(folder):
        return []
    with ExitStack() as stack:
        stack.enter_context(one_at_a_time(folder))  # of one process there may be two journals, which belong together
        journals = _Journals()
        for path in orphans(folder):
            journals.read(stack.enter_context(taken_over(path)) or b"")
        if not journals.reserved and not journals.lines:
            return []
        logged = set(_logged(log.path, journals.opened))
        missing = {request_id: raw for request_id, raw in journals.lines.items() if request_id not in logged}
        known = logged | journals.lines.keys()
        for request_id, entry in journals.reserved.items():
            if request_id not in known:
                missing[request_id] = _encode(_unfinished(entry))
        if missing:
            log.append(b"".join(raw + b"\n" for raw in missing.values()), now_s)
            _log.warning("%d calls of a gateway that died were entered in the request log", len(missing))
        return [_recovered(raw) for raw in missing.values()]


def _logged(log_path: Path, begun: Sequence[Opened]) -> Iterator[str]:
    """The request ids in the log behind the place where the journals began."""
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
                    yield _decode_line(line).request_id
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue


def _recovered(raw: bytes) -> Recovered:
    line = _decode_line(raw)
    return Recovered(line.request_id, line.token_usage.total, line.cost_nanousd or 0)


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
        status=500,
        stream=entry.stream,
        user=entry.user,
        tags=entry.tags,
        cost_nanousd=entry.nanousd,
        reserved_nanousd=entry.nanousd,
        recovered=True,
    )
