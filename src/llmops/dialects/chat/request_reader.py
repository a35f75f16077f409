"""Chat Completions requests into a neutral `Conversation`.

Wire reference: OpenAI API, "Create chat completion". Compatible servers (vLLM, Ollama, llama.cpp …) add fields such as
``top_k`` and ``reasoning_content``, which are understood here. Members that are not, at any depth, are left over.
"""

from typing import Annotated, Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import Conversation, OutputFormat, ReasoningConfig, Tool, ToolChoice
from ..dialect import decode_request
from ..paths import convert_at, note_unknown
from .message_reader import MessageReader


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str = "function"
    function: _Function | None = None


class _JsonSchema(msgspec.Struct):
    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None


class _Request(msgspec.Struct):
    """Every field with a neutral meaning; what is not listed here ends up in `Conversation.leftover`."""

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    store: bool | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Request.__struct_fields__)
_FORMAT, _NAMED, _TOOL, _FUNCTION = (
    frozenset(struct.__struct_fields__) for struct in (_ResponseFormat, _JsonSchema, _Tool, _Function)
)


def read_request(body: bytes) -> Conversation:
    wire: _Request = decode_request(body, _REQUEST)
    fields: dict[str, Any] = decode_request(body, _OBJECT)
    leftover = {name: value for name, value in fields.items() if name not in _KNOWN and value is not None}
    if wire.store:
        leftover["store"] = True
    note_unknown(wire.stream_options or {}, frozenset({"include_usage"}), "stream_options", leftover)
    conversation = Conversation(
        tools=[_read_tool(tool, f"tools[{number}]", leftover) for number, tool in enumerate(wire.tools or ())],
        tool_choice=_read_tool_choice(wire.tool_choice),
        parallel_tool_calls=wire.parallel_tool_calls,
        output=_read_output(wire.response_format, leftover),
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=[wire.stop] if isinstance(wire.stop, str) else wire.stop or [],
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        n=wire.n,
        logprobs=wire.logprobs,
        top_logprobs=wire.top_logprobs,
        reasoning=_read_effort(wire.reasoning_effort),
        user=wire.user,
        metadata=wire.metadata,
        stream=bool(wire.stream),
        leftover=leftover,
        names={"output": "response_format", "reasoning": "reasoning_effort"},
    )
    if wire.max_completion_tokens is not None:
        conversation.names["max_tokens"] = "max_completion_tokens"
    reader = MessageReader(conversation)
    for number, message in enumerate(wire.messages):
        reader.read(message, f"messages[{number}]")
    return conversation


def _read_tool(found: dict[str, Any], path: str, leftover: dict[str, Any]) -> Tool:
    tool = convert_at(found, _Tool, path)
    if tool.type != "function" or tool.function is None:
        raise InvalidRequest(f"only function tools are understood, not {tool.type!r} (at {path!r})", param=path)
    note_unknown(found, _TOOL | {"cache_control"}, path, leftover)
    note_unknown(found["function"], _FUNCTION | {"cache_control"}, f"{path}.function", leftover)
    function = tool.function
    return Tool(
        name=function.name,
        description=function.description,
        parameters=function.parameters or {},
        strict=function.strict,
    )


def _read_tool_choice(choice: str | dict[str, Any] | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name)
    raise InvalidRequest(
        f"tool_choice {choice!r} is not understood; use 'auto', 'none', 'required' or a function", param="tool_choice"
    )


def _read_output(found: dict[str, Any] | None, leftover: dict[str, Any]) -> OutputFormat | None:
    if found is None:
        return None
    wanted = convert_at(found, _ResponseFormat, "response_format")
    note_unknown(found, _FORMAT, "response_format", leftover)
    if wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return OutputFormat()
    named = wanted.json_schema
    if wanted.type != "json_schema" or named is None or named.schema is None:
        raise InvalidRequest(
            "response_format must be text, json_object, or json_schema with a schema", param="response_format"
        )
    note_unknown(found["json_schema"], _NAMED, "response_format.json_schema", leftover)
    return OutputFormat(
        schema=named.schema, name=named.name or "output", strict=named.strict, description=named.description
    )


def _read_effort(effort: str | None) -> ReasoningConfig | None:
    if effort is None:
        return None
    return ReasoningConfig(enabled=effort != "none", effort=None if effort == "none" else effort)
