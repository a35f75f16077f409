"""Neutral parts as content blocks of a Messages request.

A proof that belongs to another provider's tool call (`ToolCall.signature`) means nothing to Anthropic, and an opaque
thought comes apart from the text it may have: both are named as uncarried. Empty text is left out: Anthropic refuses
empty text blocks.
"""

import base64
import binascii
from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import Document, Image, Part, Reasoning, Refusal, Role, Text, ToolCall, ToolResult, Uncarried

_OBJECT = msgspec.json.Decoder(dict[str, Any])


def write_part(part: Part, role: Role, path: str, uncarried: Uncarried) -> dict[str, Any] | None:
    """One block, or None where there is nothing to write; what cannot be carried is noted under ``path``."""
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Image() | Document() if role == "user":
            return _write_source(part, path, uncarried)
        case ToolResult() if role == "user":
            return _write_result(part, path, uncarried)
        case ToolCall() if role == "assistant":
            if part.signature:
                uncarried.add(f"{path}.extra_content")
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": _write_input(part, path)}
        case Reasoning() if role == "assistant":
            return _write_reasoning(part, path, uncarried)
    uncarried.add(path)
    return None


def _write_reasoning(part: Reasoning, path: str, uncarried: Uncarried) -> dict[str, Any] | None:
    """Anthropic takes thinking back only with the proof that it is its own."""
    if part.signature:
        if part.encrypted:
            uncarried.add(path)
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    if part.text:
        uncarried.add(path)
    return {"type": "redacted_thinking", "data": part.encrypted} if part.encrypted else None


def _write_input(call: ToolCall, path: str) -> msgspec.Raw:
    arguments = call.arguments.strip() or "{}"
    try:
        _OBJECT.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise InvalidRequest(
            f"the arguments of tool call {call.name!r} must be the text of a JSON object (at {path!r}): {exc}",
            param=path,
        ) from exc
    return msgspec.Raw(arguments.encode())


def _write_result(result: ToolResult, path: str, uncarried: Uncarried) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.call_id}
    content: list[dict[str, Any]] = []
    for number, part in enumerate(result.content):
        block = write_part(part, "user", f"{path}.content[{number}]", uncarried)
        if block is not None:
            content.append(block)
    if len(content) == 1 and content[0]["type"] == "text":
        wire["content"] = content[0]["text"]
    elif content:
        wire["content"] = content
    if result.is_error:
        wire["is_error"] = True
    return wire


def _write_source(part: Image | Document, path: str, uncarried: Uncarried) -> dict[str, Any] | None:
    source: dict[str, Any]
    match part:
        case Image() | Document() if part.url is not None:
            source = {"type": "url", "url": part.url}
        case Document(file_id=str(file_id)):
            source = {"type": "file", "file_id": file_id}
        case Document(data=str(data), media_type="text/plain"):
            source = {"type": "text", "media_type": "text/plain", "data": _plain_text(data, path)}
        case Image() | Document() if part.data is not None and part.media_type:
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
        case _:
            uncarried.add(path)
            return None
    if isinstance(part, Image):
        if part.detail not in (None, "auto"):
            uncarried.add(f"{path}.detail")
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _plain_text(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as exc:
        raise InvalidRequest(f"the text document is not base64 of UTF-8 text (at {path!r}): {exc}", param=path) from exc
