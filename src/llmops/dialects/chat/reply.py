"""Complete Chat Completions replies: what policies need of them, and the road to and from a neutral `Answer`."""

from typing import Any

import msgspec

from ...errors import UpstreamBroken
from ...types import Outcome, Usage
from ..call_proof import read_proof, write_proof
from ..conversation import Answer, Choice, FinishReason, Part, Reasoning, Refusal, Text, ToolCall
from .reasoning_details import read_details, write_reasoning


class PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class WireUsage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for cached tokens."""


class CalledFunction(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class WireToolCall(msgspec.Struct, gc=False):
    id: str | None = None
    index: int | None = None
    function: CalledFunction | None = None
    extra_content: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def signature(self) -> str | None:
        return read_proof(decode_raw(self.extra_content))


class WireMessage(msgspec.Struct, gc=False):
    """A reply's message, and a stream's delta: they share their fields."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """vLLM's and OpenRouter's name for ``reasoning_content``."""
    tool_calls: list[WireToolCall] | None = None
    reasoning_details: msgspec.Raw = msgspec.Raw(b"null")
    annotations: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def annotated(self) -> bool:
        """Whether there are citations of pages or files, which no neutral value holds."""
        return bytes(self.annotations) not in (b"null", b"[]")


class WireChoice(msgspec.Struct):
    index: int = 0
    message: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    stop_reason: Any = None
    """vLLM's name for the stop sequence that ended the text."""


class _Reply(msgspec.Struct):
    choices: list[WireChoice]
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: WireUsage | None = None


_REPLY = msgspec.json.Decoder(_Reply)
_ANY = msgspec.json.Decoder()


def decode_reply(body: bytes) -> _Reply:
    try:
        return _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream's answer is not a chat completion: {exc}", upstream_status=200) from exc


def decode_raw(raw: msgspec.Raw) -> Any:
    """A member that was passed over on the fast lane."""
    try:
        return _ANY.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream's answer is not valid JSON: {exc}", upstream_status=200) from exc


def read_usage(wire: WireUsage) -> Usage:
    """OpenAI's counts: cached tokens are part of the prompt, reasoning tokens part of the completion.

    Where the total shows that reasoning was counted beside the completion, as xAI does, it is added.
    """
    prompt_details, completion_details = wire.prompt_tokens_details, wire.completion_tokens_details
    prompt, completion = wire.prompt_tokens or 0, wire.completion_tokens or 0
    reasoning = (completion_details.reasoning_tokens if completion_details else None) or 0
    if reasoning > 0 and wire.total_tokens == prompt + completion + reasoning:
        completion += reasoning
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=(prompt_details.cached_tokens if prompt_details else None) or wire.prompt_cache_hit_tokens or 0,
        cache_write=(prompt_details.cache_write_tokens if prompt_details else None) or 0,
        reasoning=reasoning,
        prompt_audio=(prompt_details.audio_tokens if prompt_details else None) or 0,
        completion_audio=(completion_details.audio_tokens if completion_details else None) or 0,
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    prompt_details = {"cached_tokens": usage.cached}
    completion_details = {"reasoning_tokens": usage.reasoning}
    if usage.cache_write:
        prompt_details["cache_write_tokens"] = usage.cache_write
    if usage.prompt_audio:
        prompt_details["audio_tokens"] = usage.prompt_audio
    if usage.completion_audio:
        completion_details["audio_tokens"] = usage.completion_audio
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }


def tap_reply(body: bytes, outcome: Outcome) -> None:
    wire = decode_reply(body)
    outcome.model = wire.model
    outcome.upstream_id = wire.id
    if wire.usage:
        outcome.usage = read_usage(wire.usage)
    for choice in wire.choices:
        message = choice.message
        if message is None:
            continue
        outcome.output_chars += message_chars(message)
        if choice.index == 0:
            outcome.finish_reason = choice.finish_reason
            outcome.text = message.content


def message_chars(message: WireMessage) -> int:
    """Characters of output in a message or delta; 0 means that it bears no content."""
    chars = 0
    if message.content:
        chars = len(message.content)
    if message.reasoning_content or message.reasoning:
        chars += len(message.reasoning_content or message.reasoning or "")
    if message.refusal:
        chars += len(message.refusal)
    if message.tool_calls:
        for call in message.tool_calls:
            if call.function:
                chars += len(call.function.arguments or "") + len(call.function.name or "")
    return chars


_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


def read_finish(reason: str | None) -> FinishReason:
    """OpenAI's finish reason; one that is not known means that the model stopped of itself."""
    return _FINISH.get(reason or "stop", "stop")


def read_reply(body: bytes) -> Answer:
    wire = decode_reply(body)
    return Answer(
        id=wire.id or "",
        model=wire.model or "",
        created_s=int(wire.created or 0),
        choices=[_read_choice(choice) for choice in wire.choices],
        usage=read_usage(wire.usage) if wire.usage else Usage(source="none"),
        lost=["annotations"] if any(choice.message and choice.message.annotated for choice in wire.choices) else [],
    )


def _read_choice(wire: WireChoice) -> Choice:
    message = wire.message or WireMessage()
    parts: list[Part] = []
    parts += read_details(decode_raw(message.reasoning_details), message.reasoning_content or message.reasoning)
    if message.content:
        parts.append(Text(message.content))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    for number, call in enumerate(message.tool_calls or []):
        function = call.function or CalledFunction()
        parts.append(
            ToolCall(
                id=call.id or f"call_{number}",
                name=function.name or "",
                arguments=function.arguments or "",
                signature=call.signature,
            )
        )
    return Choice(
        index=wire.index,
        parts=parts,
        finish_reason=read_finish(wire.finish_reason),
        logprobs=wire.logprobs,
        stop_sequence=wire.stop_reason if isinstance(wire.stop_reason, str) else None,
    )


def write_reply(answer: Answer) -> bytes:
    wire: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created_s,
        "model": answer.model,
        "choices": [_write_choice(choice) for choice in answer.choices],
    }
    if answer.usage.source != "none":
        wire["usage"] = write_usage(answer.usage)
    return msgspec.json.encode(wire)


def _write_choice(choice: Choice) -> dict[str, Any]:
    """Parts that a message has no place for (a model's images, say) are an error: nobody asked for them."""
    texts = [part.text for part in choice.parts if isinstance(part, Text)]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
    thoughts: list[Reasoning] = []
    calls: list[dict[str, Any]] = []
    for part in choice.parts:
        match part:
            case Reasoning():
                thoughts.append(part)
            case Refusal():
                message["refusal"] = (message["refusal"] or "") + part.text
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function, **write_proof(part.signature)})
            case Text():
                pass
            case _:
                raise UpstreamBroken(
                    f"the upstream's answer holds a part that a chat completion cannot: {type(part).__name__}"
                )
    message |= write_reasoning(thoughts)
    if calls:
        message["tool_calls"] = calls
    return {
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": choice.finish_reason,
        **write_stop(choice.stop_sequence),
    }


def write_stop(stop_sequence: str | None) -> dict[str, Any]:
    """OpenAI does not say which stop sequence was met; vLLM does, in a member of its own."""
    return {"stop_reason": stop_sequence} if stop_sequence is not None else {}
