"""The texts of calls, where they were captured, as attributes of their spans: OpenTelemetry's lists of messages."""

from typing import Any

import msgspec

from ..spans.span import Span

_MARKS = (b'"content":', b'"output":')


class _Message(msgspec.Struct, frozen=True):
    role: str = ""
    content: str | None = None


class _Line(msgspec.Struct, frozen=True):
    request_id: str
    messages_masked: list[_Message] = []
    output: str | None = None


class Texts(msgspec.Struct, frozen=True):
    """What was asked and answered; empty where nothing was captured."""

    asked: list[_Message] = []
    answered: str | None = None


_decode = msgspec.json.Decoder(_Line).decode
NOTHING = Texts()


class Captured:
    """The texts in some lines of the request log, by the calls' ids."""

    def __init__(self, lines: bytes) -> None:
        self._found: dict[str, Texts] = {}
        for line in lines.split(b"\n"):
            if any(mark in line for mark in _MARKS):
                self._add(line)

    def of(self, request_id: str) -> Texts:
        return self._found.get(request_id, NOTHING)

    def _add(self, line: bytes) -> None:
        try:
            read = _decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        asked = [message for message in read.messages_masked if message.content is not None]
        if asked or read.output is not None:
            self._found[read.request_id] = Texts(asked, read.output)


def with_texts(span: Span, texts: Texts) -> Span:
    """The span with these texts."""
    more: dict[str, Any] = {}
    if texts.asked:
        more["gen_ai.input.messages"] = _messages([(each.role, each.content or "") for each in texts.asked])
    if texts.answered is not None:
        more["gen_ai.output.messages"] = _messages([("assistant", texts.answered)])
    return msgspec.structs.replace(span, attributes={**span.attributes, **more}) if more else span


def _messages(said: list[tuple[str, str]]) -> str:
    listed = [{"role": role, "parts": [{"type": "text", "content": content}]} for role, content in said]
    return msgspec.json.encode(listed).decode()
