"""The texts of calls in the request log, where capture was on: found by trace, read when they are asked for.

Only places are kept in memory. A log that was rotated away or compressed has no texts any more: those calls are told as
being without.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from .report import Progress, no_progress

_MARKS = (b'"content":"', b'"output":"')


class Message(msgspec.Struct, frozen=True):
    role: str = ""
    content: str | None = None


class LoggedCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says of a call."""

    trace_id: str = ""
    span_id: str = ""
    tenant: str = ""
    prompt_version: str | None = None
    messages_masked: list[Message] = []
    output: str | None = None


class _Place(NamedTuple):
    file: Path
    offset: int
    length: int


_decode = msgspec.json.Decoder(LoggedCall).decode


class LoggedTexts:
    """The calls of one tenant in these traces."""

    def __init__(
        self, files: Iterable[Path], tenant: str, traces: Collection[str], progress: Progress = no_progress
    ) -> None:
        self._places: dict[str, list[_Place]] = {}
        known = [file for file in files if file.is_file()]
        for number, file in enumerate(known, 1):
            self._look(file, tenant, set(traces))
            progress(number, len(known))

    def of(self, trace_id: str) -> list[LoggedCall]:
        """In the order of the log."""
        found = []
        for place in self._places.get(trace_id, ()):
            with place.file.open("rb") as file:
                file.seek(place.offset)
                call = _read(file.read(place.length))
            if call is not None and call.trace_id == trace_id:  # the file may have been rotated meanwhile
                found.append(call)
        return found

    def _look(self, file: Path, tenant: str, traces: set[str]) -> None:
        at = 0
        with file.open("rb") as lines:
            for line in lines:
                if any(mark in line for mark in _MARKS):
                    call = _read(line)
                    if call is not None and call.tenant == tenant and call.trace_id in traces:
                        self._places.setdefault(call.trace_id, []).append(_Place(file, at, len(line)))
                at += len(line)


def _read(line: bytes) -> LoggedCall | None:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
