"""Chat Completions requests into a neutral `Conversation`.

Wire reference: OpenAI API, "Create chat completion". Compatible servers (vLLM, Ollama, llama.cpp …) add fields such as
``top_k`` and ``reasoning_content``, which are understood here.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ..conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningConfig,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ..data_url import split_data_url
from ..dialect import decode_request


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str = "function"
    function: _Function | None = None


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    id: str
    function: _CalledFunction | None = None
    type: str = "function"


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    name: str | None = None


class _Request(msgspec.Struct):
    """Every field with a neutral meaning; what is not listed here ends up in `Conversation.leftover`."""

    model: str
    messages: list[_Message]
    tools: list[_Tool] | None = None
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
    n: int | None = None
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


def read_request(body: bytes) -> Conversation:
    wire: _Request = decode_request(body, _REQUEST)
    fields: dict[str, Any] = decode_request(body, _OBJECT)
    leftover = {name: value for name, value in fields.items() if name not in _KNOWN and value is not None}
    if wire.store:
        leftover["store"] = True
    conversation = Conversation(
        tools=[_read_tool(tool, number) for number, tool in enumerate(wire.tools or [])],
        tool_choice=_read_tool_choice(wire.tool_choice),
        parallel_tool_calls=wire.parallel_tool_calls,
        output=_read_output(wire.response_format),
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
    system: list[Text] = []
    messages: list[Message] = []
    for number, message in enumerate(wire.messages):
        _read_message(message, f"messages[{number}]", system, messages)
    conversation.system = system
    conversation.messages = messages
    return conversation


def _read_message(wire: _Message, path: str, system: list[Text], messages: list[Message]) -> None:
    if wire.role in ("system", "developer"):
        parts = _read_content(wire.content, f"{path}.content")
        system.extend(part for part in parts if isinstance(part, Text))
    elif wire.role == "tool":
        if not wire.tool_call_id:
            raise InvalidRequest("a tool message must name the tool_call_id it answers", param=f"{path}.tool_call_id")
        content = [part for part in _read_content(wire.content, f"{path}.content")
                   if isinstance(part, Text | Image | Document)]
        result = ToolResult(call_id=wire.tool_call_id, content=content)
        before = messages[-1] if messages else None
        if before is not None and before.role == "user" and before.parts and isinstance(before.parts[-1], ToolResult):
            before.parts.append(result)
        else:
            messages.append(Message("user", [result]))
    elif wire.role == "user":
        messages.append(Message("user", _read_content(wire.content, f"{path}.content")))
    else:
        parts = [Reasoning(text=wire.reasoning_content)] if wire.reasoning_content else []
        parts += _read_content(wire.content, f"{path}.content")
        if wire.refusal:
            parts.append(Refusal(wire.refusal))
        for number, called in enumerate(wire.tool_calls or []):
            if called.function is None:
                raise InvalidRequest("only function tool calls are understood", param=f"{path}.tool_calls[{number}]")
            parts.append(ToolCall(id=called.id, name=called.function.name, arguments=called.function.arguments))
        messages.append(Message("assistant", parts))


def _read_content(content: str | list[dict[str, Any]] | None, path: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [_read_part(part, f"{path}[{number}]") for number, part in enumerate(content)]


def _read_part(part: dict[str, Any], path: str) -> Part:
    try:
        match part.get("type"):
            case "text":
                return Text(part["text"])
            case "refusal":
                return Refusal(part["refusal"])
            case "image_url":
                image = part["image_url"]
                return _read_image(image["url"], image.get("detail"))
            case "input_audio":
                return Audio(data=part["input_audio"]["data"], format=part["input_audio"]["format"])
            case "file":
                return _read_file(part["file"])
    except (KeyError, TypeError, AttributeError) as exc:
        raise InvalidRequest(f"a {part.get('type')!r} part lacks a field: {exc}", param=path) from exc
    raise InvalidRequest(f"unknown content part type {part.get('type')!r}", param=path)


def _read_image(url: str, detail: str | None) -> Image:
    if url.startswith("data:"):
        media_type, data = split_data_url(url)
        return Image(data=data, media_type=media_type, detail=detail)
    return Image(url=url, detail=detail)


def _read_file(file: dict[str, Any]) -> Document:
    if "file_data" in file:
        media_type, data = split_data_url(file["file_data"])
        return Document(data=data, media_type=media_type, name=file.get("filename"))
    return Document(file_id=file["file_id"], name=file.get("filename"))


def _read_tool(tool: _Tool, number: int) -> Tool:
    if tool.type != "function" or tool.function is None:
        raise InvalidRequest(f"only function tools are understood, not {tool.type!r}", param=f"tools[{number}]")
    function = tool.function
    return Tool(name=function.name, description=function.description, parameters=function.parameters or {},
                strict=function.strict)


def _read_tool_choice(choice: str | dict[str, Any] | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name)
    raise InvalidRequest(f"tool_choice {choice!r} is not understood; use 'auto', 'none', 'required' or a function",
                         param="tool_choice")


def _read_output(wanted: dict[str, Any] | None) -> OutputFormat | None:
    match wanted:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return OutputFormat()
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)} as named}:
            return OutputFormat(schema=schema, name=named.get("name") or "output", strict=named.get("strict"),
                                description=named.get("description"))
    raise InvalidRequest("response_format must be text, json_object, or json_schema with a schema",
                         param="response_format")


def _read_effort(effort: str | None) -> ReasoningConfig | None:
    if effort is None:
        return None
    return ReasoningConfig(enabled=effort != "none", effort=None if effort == "none" else effort)
