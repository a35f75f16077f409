"""Responses requests into a neutral `Conversation`.

Wire reference: OpenAI API, "Create a model response". ``store`` is harmless either way, as it does not change the
answer; parameters that lean on OpenAI's state or built-in tools end up in `Conversation.leftover`, by their path.
"""

from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import Conversation, OutputFormat, ReasoningConfig, Text, Tool, ToolChoice
from ..dialect import decode_request
from ..paths import convert_at, note_unknown
from .input_items import InputReader


class _Format(msgspec.Struct):
    type: str = "text"
    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    """The old name of ``summary``."""


class _Tool(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Request(msgspec.Struct):
    """Every field with a neutral meaning; what is not listed here ends up in `Conversation.leftover`."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    reasoning: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    include: list[str] | None = None
    store: bool | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Request.__struct_fields__)
_DEFAULTS: dict[str, tuple[str, ...]] = {
    "truncation": ("disabled",),
    "service_tier": ("auto", "default"),
    "text.verbosity": ("medium",),
    "reasoning.context": ("auto",),
    "reasoning.mode": ("standard",),
}
_NAMES = {"max_tokens": "max_output_tokens", "output": "text.format", "logprobs": "include"}
_LOGPROBS = "message.output_text.logprobs"
_HONOURED = frozenset({_LOGPROBS, "reasoning.encrypted_content"})
"""What ``include`` may ask for: `reply` writes both whenever the upstream gives them."""


def read_request(body: bytes) -> Conversation:
    wire: _Request = decode_request(body, _REQUEST)
    leftover: dict[str, Any] = {}
    note_unknown(decode_request(body, _OBJECT), _KNOWN, "", leftover)
    include = wire.include or []
    if unmet := [wanted for wanted in include if wanted not in _HONOURED]:
        leftover["include"] = unmet
    note_unknown(wire.stream_options or {}, frozenset(), "stream_options", leftover)
    if wire.user and wire.safety_identifier and wire.user != wire.safety_identifier:
        leftover["safety_identifier"] = wire.safety_identifier
    conversation = Conversation(
        system=[Text(wire.instructions)] if wire.instructions else [],
        tools=[_read_tool(tool, f"tools[{number}]", leftover) for number, tool in enumerate(wire.tools or [])],
        tool_choice=_read_tool_choice(wire.tool_choice),
        parallel_tool_calls=wire.parallel_tool_calls,
        output=_read_output(wire.text or {}, leftover),
        max_tokens=wire.max_output_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        logprobs=True if _LOGPROBS in include or wire.top_logprobs else None,
        top_logprobs=wire.top_logprobs,
        reasoning=_read_reasoning(wire.reasoning or {}, leftover),
        user=wire.user or wire.safety_identifier,
        metadata=wire.metadata,
        stream=bool(wire.stream),
        names=dict(_NAMES) if wire.user else {**_NAMES, "user": "safety_identifier"},
    )
    for path, defaults in _DEFAULTS.items():
        if leftover.get(path) in defaults:
            del leftover[path]
    conversation.leftover = leftover
    reader = InputReader(conversation)
    if isinstance(wire.input, str):
        reader.read_text(wire.input)
    else:
        for number, item in enumerate(wire.input or []):
            reader.read(item, f"input[{number}]")
    return conversation


def _read_tool(found: dict[str, Any], path: str, leftover: dict[str, Any]) -> Tool:
    if found.get("type") != "function":
        raise InvalidRequest(
            f"only function tools can be translated, not {found.get('type')!r} (at {path!r})", param=path
        )
    note_unknown(found, frozenset(_Tool.__struct_fields__) | {"type"}, path, leftover)
    tool = convert_at(found, _Tool, path)
    return Tool(name=tool.name, description=tool.description, parameters=tool.parameters or {}, strict=tool.strict)


def _read_tool_choice(choice: str | dict[str, Any] | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "name": str(name)}:
            return ToolChoice("tool", name)
    raise InvalidRequest(
        f"tool_choice {choice!r} is not understood; use 'auto', 'none', 'required' or a function", param="tool_choice"
    )


def _read_output(text: dict[str, Any], leftover: dict[str, Any]) -> OutputFormat | None:
    note_unknown(text, frozenset({"format"}), "text", leftover)
    if text.get("format") is None:
        return None
    wanted = convert_at(text["format"], _Format, "text.format")
    note_unknown(text["format"], frozenset(_Format.__struct_fields__), "text.format", leftover)
    match wanted.type:
        case "text":
            return None
        case "json_object":
            return OutputFormat()
        case "json_schema" if wanted.schema is not None:
            return OutputFormat(
                schema=wanted.schema, name=wanted.name or "output", strict=wanted.strict, description=wanted.description
            )
    raise InvalidRequest("text.format must be text, json_object, or json_schema with a schema", param="text.format")


def _read_reasoning(found: dict[str, Any], leftover: dict[str, Any]) -> ReasoningConfig | None:
    note_unknown(found, frozenset(_Reasoning.__struct_fields__), "reasoning", leftover)
    wanted = convert_at(found, _Reasoning, "reasoning")
    summary = wanted.summary or wanted.generate_summary
    if wanted.effort is None and summary is None:
        return None
    off = wanted.effort == "none"
    return ReasoningConfig(enabled=not off, effort=None if off else wanted.effort, summary=summary)
