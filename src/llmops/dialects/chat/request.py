"""Chat Completions requests: the typed view for policies, and the road to and from a neutral `Conversation`.

Wire reference: OpenAI API, "Create chat completion". Compatible servers (vLLM, Ollama, llama.cpp …) add fields such as
``top_k`` and ``reasoning_content``, which are understood here.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ...types import MessageView, OutputContract, RequestView
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
    Uncarried,
)
from ..dialect import decode_request
from ..masking import message_view

# --- the view ---------------------------------------------------------------------------------------------------


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _ResponseFormat(msgspec.Struct):
    type: str = "text"
    json_schema: msgspec.Raw = msgspec.Raw()


class _MessageView(msgspec.Struct):
    role: str
    content: msgspec.Raw = msgspec.Raw(b"null")


class _View(msgspec.Struct):
    model: str
    messages: list[_MessageView]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    user: str | None = None
    response_format: _ResponseFormat | None = None


class _SchemaHolder(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw()


_VIEW = msgspec.json.Decoder(_View)
_SCHEMA_HOLDER = msgspec.json.Decoder(_SchemaHolder)


def view(body: bytes) -> RequestView:
    wire: _View = decode_request(body, _VIEW)
    if not wire.messages:
        raise InvalidRequest("messages must hold at least one message", param="messages")
    messages: list[MessageView] = [message_view(message.role, message.content) for message in wire.messages]
    return RequestView(
        model=wire.model,
        stream=bool(wire.stream),
        wants_usage=wire.stream_options is not None and wire.stream_options.include_usage,
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        user=wire.user,
        output=_contract(wire.response_format) if wire.response_format else None,
        messages=messages,
    )


def _contract(wanted: _ResponseFormat) -> OutputContract | None:
    if wanted.type == "json_object":
        return OutputContract()
    if wanted.type == "json_schema" and wanted.json_schema:
        return OutputContract(schema=bytes(decode_request(wanted.json_schema, _SCHEMA_HOLDER).schema) or None)
    return None


# --- reading into neutral form ------------------------------------------------------------------------------------


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
    leftover = {name: value for name, value in _OBJECT.decode(body).items() if name not in _KNOWN and value is not None}
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
        if messages and messages[-1].role == "user" and isinstance(messages[-1].parts[-1], ToolResult):
            messages[-1].parts.append(result)
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


def split_data_url(url: str) -> tuple[str, str]:
    """``data:image/png;base64,AAAA`` as (media type, base64 text)."""
    header, comma, data = url.partition(",")
    media_type, _, encoding = header.removeprefix("data:").partition(";")
    if not comma or encoding != "base64":
        raise InvalidRequest("a data URL must have the form data:<media type>;base64,<data>")
    return media_type, data


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


# --- writing from neutral form ------------------------------------------------------------------------------------

_CARRIED = frozenset({
    "tools", "tool_choice", "parallel_tool_calls", "output", "max_tokens", "temperature", "top_p", "top_k", "stop",
    "seed", "presence_penalty", "frequency_penalty", "n", "logprobs", "top_logprobs", "reasoning", "user", "metadata",
})
_PLAIN = ("parallel_tool_calls", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "n",
          "logprobs", "top_logprobs", "user", "metadata")


def write_request(conversation: Conversation, model: str, uncarried: Uncarried, *, max_tokens_field: str) -> bytes:
    """Write for an upstream; ``max_tokens_field`` is ``max_completion_tokens`` at OpenAI, ``max_tokens`` elsewhere."""
    uncarried.check(conversation, _CARRIED)
    wire: dict[str, Any] = {"model": model, "messages": _write_messages(conversation, uncarried)}
    for name in _PLAIN:
        value = getattr(conversation, name)
        if value is not None:
            wire[name] = value
    if conversation.max_tokens is not None:
        wire[max_tokens_field] = conversation.max_tokens
    if conversation.stop:
        wire["stop"] = conversation.stop
    if conversation.tools:
        wire["tools"] = [_write_tool(tool) for tool in conversation.tools]
    if conversation.tool_choice:
        wire["tool_choice"] = _write_tool_choice(conversation.tool_choice)
    if conversation.output:
        wire["response_format"] = _write_output(conversation.output)
    if conversation.reasoning:
        wire["reasoning_effort"] = _write_effort(conversation.reasoning)
    if conversation.stream:
        wire["stream"] = True
        wire["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(wire)


def _write_messages(conversation: Conversation, uncarried: Uncarried) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    if conversation.system:
        wire.append({"role": "system", "content": "\n\n".join(text.text for text in conversation.system)})
    for number, message in enumerate(conversation.messages):
        if message.role == "assistant":
            wire.append(_write_assistant(message, f"messages[{number}]", uncarried))
        else:
            wire.extend(_write_user(message, f"messages[{number}]", uncarried))
    return wire


def _write_user(message: Message, path: str, uncarried: Uncarried) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for number, part in enumerate(message.parts):
        where = f"{path}.content[{number}]"
        if isinstance(part, ToolResult):
            wire.append({"role": "tool", "tool_call_id": part.call_id, "content": _result_text(part, where, uncarried)})
        elif (written := _write_part(part)) is not None:
            content.append(written)
        else:
            uncarried.add(where)
    if len(content) == 1 and content[0]["type"] == "text":
        wire.append({"role": "user", "content": content[0]["text"]})
    elif content:
        wire.append({"role": "user", "content": content})
    return wire


def _result_text(result: ToolResult, path: str, uncarried: Uncarried) -> str:
    if any(not isinstance(part, Text) for part in result.content):
        uncarried.add(path)
    text = "\n".join(part.text for part in result.content if isinstance(part, Text))
    return f"Error: {text}" if result.is_error else text


def _write_part(part: Part) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "image_url", "image_url": {"url": url, **({"detail": part.detail} if part.detail else {})}}
        case Audio():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case Document(file_id=str(file_id)):
            return {"type": "file", "file": {"file_id": file_id}}
        case Document(data=str(data)):
            named = {"filename": part.name or "document", "file_data": f"data:{part.media_type};base64,{data}"}
            return {"type": "file", "file": named}
    return None


def _write_assistant(message: Message, path: str, uncarried: Uncarried) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant", "content": None}
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for number, part in enumerate(message.parts):
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                wire["refusal"] = part.text
            case Reasoning():
                if part.text:
                    wire["reasoning_content"] = wire.get("reasoning_content", "") + part.text
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function})
            case _:
                uncarried.add(f"{path}.content[{number}]")
    if texts:
        wire["content"] = "".join(texts)
    if calls:
        wire["tool_calls"] = calls
    return wire


def _write_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters or {"type": "object", "properties": {}}}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _write_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _write_output(output: OutputFormat) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    named: dict[str, Any] = {"name": output.name, "schema": output.schema}
    if output.strict is not None:
        named["strict"] = output.strict
    if output.description is not None:
        named["description"] = output.description
    return {"type": "json_schema", "json_schema": named}


def _write_effort(reasoning: ReasoningConfig) -> str:
    """An effort word as it is; a token budget by the steps OpenAI-compatible gateways use (≤ 2k low, ≤ 8k medium)."""
    if not reasoning.enabled:
        return "none"
    if reasoning.effort:
        return reasoning.effort
    budget = reasoning.budget_tokens
    if budget is None:
        return "medium"
    return "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"
