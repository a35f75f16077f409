"""Complete Messages replies: what policies need of them, and the road to and from a neutral `Answer`.

Citations of a text block have no neutral form. They are only given where documents asked for them, and that wish is
refused when a request is translated; where they come all the same, the answer says that they were lost.
"""

from typing import Any

import msgspec

from ...errors import UpstreamBroken
from ...types import Outcome
from ..call_proof import read_proof, write_proof
from ..conversation import Answer, Choice, FinishReason, Part, Reasoning, Refusal, Text, ToolCall
from .usage import WireUsage, read_usage, write_usage


class WireBlock(msgspec.Struct):
    """Any content block: the fields of the types we know, so that unknown types pass through the fast lane."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    citations: msgspec.Raw = msgspec.Raw()
    extra_content: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def chars(self) -> int:
        """Characters of output in this block."""
        return len(self.text or "") + len(self.thinking or "") + len(self.name or "") + len(bytes(self.input))

    @property
    def cites(self) -> bool:
        return bytes(self.citations) not in (b"", b"null", b"[]")


class StopDetails(msgspec.Struct):
    explanation: str | None = None


class _Reply(msgspec.Struct):
    content: list[WireBlock]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: WireUsage | None = None


_REPLY = msgspec.json.Decoder(_Reply)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_STRING = msgspec.json.Decoder(str)
_ANY = msgspec.json.Decoder()


def _decode_reply(body: bytes) -> _Reply:
    try:
        return _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream's answer is not a message: {exc}", upstream_status=200) from exc


def tap_reply(body: bytes, outcome: Outcome) -> None:
    wire = _decode_reply(body)
    outcome.model = wire.model
    outcome.upstream_id = wire.id
    outcome.usage = read_usage(wire.usage)
    outcome.finish_reason = read_finish(wire.stop_reason)
    outcome.output_chars = sum(block.chars for block in wire.content)
    outcome.text = "".join(block.text for block in wire.content if block.type == "text" and block.text)


_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def read_finish(reason: str | None) -> FinishReason:
    """Anthropic's stop reason; one that is not known means that the model stopped of itself."""
    return _FINISH.get(reason or "end_turn", "stop")


def write_stop(reason: FinishReason, stop_sequence: str | None, *, refused: bool, called: bool) -> str:
    """The stop reason of an answer. Agents look for "tool_use", so a call that an upstream ended with "stop" has it.

    Raises `UpstreamBroken` for "error": the dialect has no stop reason for it, and "end_turn" would be a lie.
    """
    if reason == "error":
        raise UpstreamBroken("the upstream ended its answer with an error")
    if refused:
        return "refusal"
    if reason == "stop":
        return "stop_sequence" if stop_sequence is not None else "tool_use" if called else "end_turn"
    return _STOP[reason]


def read_reply(body: bytes) -> Answer:
    wire = _decode_reply(body)
    parts = [read_block(block) for block in wire.content]
    if wire.stop_reason == "refusal" and wire.stop_details and wire.stop_details.explanation:
        parts.append(Refusal(wire.stop_details.explanation))
    choice = Choice(parts=parts, finish_reason=read_finish(wire.stop_reason), stop_sequence=wire.stop_sequence)
    lost = ["citations"] if any(block.cites for block in wire.content) else []
    return Answer(
        id=wire.id or "", model=wire.model or "", created_s=0, choices=[choice], usage=read_usage(wire.usage), lost=lost
    )


def read_block(block: WireBlock) -> Part:
    """A block as a part; `UpstreamBroken` for a type with no neutral meaning, or for one that lacks its fields."""
    match block:
        case WireBlock(type="text", text=str(text)):
            return Text(text)
        case WireBlock(type="thinking", thinking=str(thinking)):
            return Reasoning(text=thinking, signature=block.signature or None)
        case WireBlock(type="redacted_thinking"):
            return Reasoning(encrypted=_read_raw(block.data, _STRING))
        case WireBlock(type="tool_use", id=str(id_), name=str(name)):
            _read_raw(block.input, _OBJECT)
            return ToolCall(
                id=id_,
                name=name,
                arguments=bytes(block.input).decode(),
                signature=read_proof(_read_raw(block.extra_content, _ANY)),
            )
        case WireBlock(type="text" | "thinking" | "tool_use"):
            raise UpstreamBroken(f"the upstream sent a {block.type!r} block that lacks a field")
    raise UpstreamBroken(f"the upstream sent a content block of type {block.type!r}, which cannot be translated")


def _read_raw(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Any]") -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream sent a content block that cannot be read: {exc}") from exc


def write_reply(answer: Answer) -> bytes:
    """Only the first choice exists in this dialect; a request for more is refused when it is read."""
    choice = min(answer.choices, key=lambda choice: choice.index, default=None)
    if choice is None:
        raise UpstreamBroken("the upstream's answer holds no choice")
    blocks = [block for part in choice.parts for block in _write_blocks(part)]
    stop_reason = write_stop(
        choice.finish_reason,
        choice.stop_sequence,
        refused=any(isinstance(part, Refusal) for part in choice.parts),
        called=any(isinstance(part, ToolCall) for part in choice.parts),
    )
    return msgspec.json.encode(
        {
            "id": answer.id,
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": blocks,
            "stop_reason": stop_reason,
            "stop_sequence": choice.stop_sequence,
            "usage": write_usage(answer.usage),
        }
    )


def _write_blocks(part: Part) -> list[dict[str, Any]]:
    """Mostly one block; reasoning that is shown and opaque at once makes two, and empty parts none."""
    match part:
        case Text() | Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Reasoning():
            blocks: list[dict[str, Any]] = []
            if part.text or part.signature:
                blocks.append({"type": "thinking", "thinking": part.text, "signature": part.signature or ""})
            if part.encrypted:
                blocks.append({"type": "redacted_thinking", "data": part.encrypted})
            return blocks
        case ToolCall():
            return [
                {
                    "type": "tool_use",
                    "id": part.id,
                    "name": part.name,
                    "input": _write_input(part),
                    **write_proof(part.signature),
                }
            ]
    raise UpstreamBroken(f"the upstream's answer holds a part that a message cannot: {type(part).__name__}")


def _write_input(call: ToolCall) -> msgspec.Raw:
    arguments = call.arguments.strip() or "{}"
    try:
        _OBJECT.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise UpstreamBroken(
            f"the model called tool {call.name!r} with arguments that are not a JSON object, "
            f"which a message cannot hold: {exc}"
        ) from exc
    return msgspec.Raw(arguments.encode())
