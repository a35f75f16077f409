"""A chat completion as an `Output`: text, tool calls, refusal, why it ended and what it took."""

from typing import Any

import msgspec

from ..output import Output, ToolCall


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class Completion(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(Completion).decode


def read_completion(body: bytes) -> Output:
    """The first choice. `msgspec.DecodeError` for what is no chat completion, `ValueError` for one without a choice."""
    found = _decode(body)
    if not found.choices:
        raise ValueError("the completion has no choice")
    choice, usage = found.choices[0], found.usage or _Usage()
    message = choice.message
    return Output(
        text=_text(message.content),
        tool_calls=tuple(_tool_call(each.function) for each in message.tool_calls or () if each.function is not None),
        refusal=message.refusal,
        finish_reason=choice.finish_reason,
        tokens_in=usage.prompt_tokens,
        tokens_out=usage.completion_tokens,
    )


def cached_tokens(body: bytes) -> int:
    """Tokens of the prompt that the provider had kept."""
    usage = _decode(body).usage
    details = usage.prompt_tokens_details if usage is not None else None
    return (details.cached_tokens if details is not None else None) or 0


def _text(content: Any) -> str | None:
    if isinstance(content, list):  # parts
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def _tool_call(function: _Function) -> ToolCall:
    try:
        arguments = msgspec.json.decode(function.arguments)
    except msgspec.DecodeError:
        arguments = function.arguments
    return ToolCall(name=function.name, arguments=arguments)
