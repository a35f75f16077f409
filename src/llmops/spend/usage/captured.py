"""Texts that the request log captured, as the trace store keeps them to be searched: one for each call that has any.

Most logs have none, which shows without decoding a line. What is no record here is none for `call_line` either, which
says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...telemetry.spans.conventions.texts import joined, messages
from ...telemetry.traces.records import MAX_TEXT_CHARS, TextRow
from ...telemetry.traces.said import marked
from .records import CallRow

_SIGNS = (b'"content":"', b'"output":"')
"""Within a value their quotes would be escaped."""


class _Message(msgspec.Struct, gc=False):
    role: Any = None
    content: str | None = None


class _Line(msgspec.Struct, gc=False):
    request_id: str
    messages_masked: list[_Message] = []
    output: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def captured(lines: bytes) -> dict[str, str]:
    """By request id, what was said in the calls whose texts are in these lines."""
    if not any(sign in lines for sign in _SIGNS):
        return {}
    found: dict[str, str] = {}
    for raw in lines.split(b"\n"):
        if any(sign in raw for sign in _SIGNS):
            try:
                line = _decode(raw)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                continue
            said = [(each.role, messages(each.content)) for each in line.messages_masked if each.content]
            text = joined([marked(_name(role), each) for role, each in (*said, ("assistant", line.output)) if each])
            if text is not None:
                found[line.request_id] = text[:MAX_TEXT_CHARS]
    return found


def _name(role: Any) -> str | None:
    return role if isinstance(role, str) else None


def text_rows(texts: Mapping[str, str], rows: Sequence[CallRow]) -> list[TextRow]:
    """Of these calls, the texts that a trace and a tenant make findable."""
    return [
        TextRow(row.day, row.tenant, row.trace_id, row.span_id, texts[row.request_id])
        for row in rows
        if row.request_id in texts and row.tenant is not None and row.trace_id is not None and row.span_id is not None
    ]
