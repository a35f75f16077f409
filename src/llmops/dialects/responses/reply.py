"""Complete Responses replies: what policies need of them, and the road to and from a neutral `Answer`.

Responses knows no alternatives (``n``): of an `Answer` with several choices the first is written, which is the only
one that a request of this dialect can have asked for.
"""

from typing import Annotated, Any

import msgspec

from ...errors import UpstreamBroken, UpstreamUnavailable
from ...types import Outcome, Usage
from ..conversation import Answer, Choice, FinishReason, Part, Reasoning, Refusal, Text, ToolCall
from .logprobs import Logprob, from_chat, to_chat
from .output_items import (
    CallItem,
    annotated,
    count_chars,
    decode_item,
    decode_upstream,
    item_logprobs,
    item_parts,
    joined_text,
    understood,
)
from .response_object import (
    call_item,
    message_item,
    numbered_id,
    reasoning_item,
    refusal_content,
    response_object,
    text_content,
)

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


class _InputDetails(msgspec.Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: Count | None = None


class WireUsage(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Failure(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class WireResponse(msgspec.Struct):
    output: list[msgspec.Raw]
    id: str | None = None
    model: str | None = None
    created_at: Seconds | None = None
    status: str | None = None
    error: _Failure | None = None
    incomplete_details: _IncompleteDetails | None = None
    usage: WireUsage | None = None


_REPLY = msgspec.json.Decoder(WireResponse)
_PENDING = ("queued", "in_progress")


def check_failed(wire: WireResponse) -> None:
    """Raise `UpstreamUnavailable` where the response says that it failed."""
    if wire.status in ("failed", "cancelled") or (wire.error is not None and wire.status != "completed"):
        said = wire.error.message if wire.error else None
        raise UpstreamUnavailable(
            f"the upstream's response {wire.status or 'failed'}: {said or '(no message)'}", upstream_status=200
        )


def read_usage(wire: WireUsage) -> Usage:
    """OpenAI's counts: cached and cache-written tokens are part of the input, reasoning tokens of the output."""
    details, output_details = wire.input_tokens_details, wire.output_tokens_details
    return Usage(
        prompt=wire.input_tokens or 0,
        completion=wire.output_tokens or 0,
        cached=(details.cached_tokens if details else None) or 0,
        cache_write=(details.cache_write_tokens if details else None) or 0,
        reasoning=(output_details.reasoning_tokens if output_details else None) or 0,
    )


def read_finish(wire: WireResponse, *, has_calls: bool) -> FinishReason:
    """Why the model stopped; an unknown reason for being incomplete is taken for a limit."""
    if wire.status == "incomplete":
        reason = wire.incomplete_details.reason if wire.incomplete_details else None
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if has_calls else "stop"


def tap_reply(body: bytes, outcome: Outcome) -> None:
    """Items of built-in tools pass; so does a background response that has only been queued, with no finish reason."""
    wire = decode_upstream(body, _REPLY, "a response")
    check_failed(wire)
    note_response(wire, outcome)
    parts = known_parts(wire)
    outcome.output_chars += count_chars(parts)
    outcome.text = joined_text(parts)


def note_response(wire: WireResponse, outcome: Outcome) -> None:
    """Put usage, finish reason, model and id of a response into ``outcome``."""
    outcome.model = wire.model or outcome.model
    outcome.upstream_id = wire.id or outcome.upstream_id
    if wire.usage:
        outcome.usage = read_usage(wire.usage)
    if wire.status not in _PENDING:
        outcome.finish_reason = read_finish(
            wire, has_calls=any(isinstance(decode_item(raw), CallItem) for raw in wire.output)
        )


def known_parts(wire: WireResponse) -> list[Part]:
    return [part for raw in wire.output if (item := decode_item(raw)) is not None for part in item_parts(item)]


def read_reply(body: bytes) -> Answer:
    wire = decode_upstream(body, _REPLY, "a response")
    check_failed(wire)
    if wire.status in _PENDING:
        raise UpstreamBroken(f"the upstream sent a response that is still {wire.status!r}", upstream_status=200)
    parts: list[Part] = []
    logprobs: list[Logprob] = []
    lost: list[str] = []
    for number, raw in enumerate(wire.output):
        item = understood(decode_item(raw))
        logprobs += item_logprobs(item)
        lost += ["annotations"] if annotated(item) else []
        for part in item_parts(item):
            if isinstance(part, ToolCall) and not part.id:
                part = msgspec.structs.replace(part, id=f"call_{number}")
            parts.append(part)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    choice = Choice(parts=parts, finish_reason=read_finish(wire, has_calls=has_calls), logprobs=to_chat(logprobs))
    return Answer(
        id=wire.id or "",
        model=wire.model or "",
        created_s=int(wire.created_at or 0),
        choices=[choice],
        usage=read_usage(wire.usage) if wire.usage else Usage(source="none"),
        lost=lost,
    )


def write_reply(answer: Answer) -> bytes:
    choice = answer.choices[0] if answer.choices else Choice()
    output = _write_output(answer.id, choice)
    if output and choice.finish_reason in ("length", "content_filter") and "status" in output[-1]:
        output[-1]["status"] = "incomplete"
    response = response_object(
        answer.id, answer.model, answer.created_s, output, finish=choice.finish_reason, usage=answer.usage
    )
    return msgspec.json.encode(response)


def _write_output(answer_id: str, choice: Choice) -> list[dict[str, Any]]:
    """Parts in their order; neighbouring texts and refusals share one message item."""
    output: list[dict[str, Any]] = []
    content: list[dict[str, Any]] | None = None
    messages = thoughts = 0
    logprobs = from_chat(choice.logprobs)
    for part in choice.parts:
        match part:
            case Text() | Refusal():
                if content is None:
                    content = []
                    output.append(message_item(numbered_id("msg", answer_id, messages), content, "completed"))
                    messages += 1
                if isinstance(part, Text):
                    content.append(text_content(part.text, logprobs))
                    logprobs = []  # all of them go with the first text
                else:
                    content.append(refusal_content(part.text))
                continue
            case Reasoning():
                output.append(reasoning_item(numbered_id("rs", answer_id, thoughts), part))
                thoughts += 1
            case ToolCall():
                output.append(call_item(part, "completed"))
            case _:
                raise UpstreamBroken(
                    f"the upstream's answer holds a part that a response cannot: {type(part).__name__}"
                )
        content = None
    return output
