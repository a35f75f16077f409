"""Messages requests into a neutral `Conversation`.

Wire reference: Anthropic API, "Create a Message". A ``system`` message among the messages joins the system prompt,
as it does in Chat Completions. The top-level ``cache_control`` is a hint about cost, not meaning, and is not carried.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ..conversation import Conversation, Message, OutputFormat, ReasoningConfig, Text, Tool, ToolChoice
from ..dialect import decode_request
from .blocks import BlockReader
from .view import MaxTokens, require_max_tokens


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[msgspec.Raw]


class _Tool(msgspec.Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: Any = None


class _ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct):
    type: str
    budget_tokens: int | None = None


class _Format(msgspec.Struct):
    type: str
    schema: dict[str, Any] | None = None


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None
    effort: str | None = None


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Request(msgspec.Struct):
    """Every field with a neutral meaning; what is not listed here ends up in `Conversation.leftover`."""

    model: str
    messages: list[_Message]
    max_tokens: MaxTokens | None = None
    system: str | list[msgspec.Raw] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    metadata: _Metadata | None = None
    stream: bool | None = None
    cache_control: Any = None


_REQUEST = msgspec.json.Decoder(_Request)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NAMES = {
    "stop": "stop_sequences",
    "output": "output_config.format",
    "reasoning": "thinking",
    "user": "metadata.user_id",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
}
_MODES: dict[str, Literal["auto", "none", "required", "tool"]] = {
    "auto": "auto",
    "any": "required",
    "tool": "tool",
    "none": "none",
}


def read_request(body: bytes) -> Conversation:
    wire: _Request = decode_request(body, _REQUEST)
    require_max_tokens(wire.max_tokens)
    return _read(wire, body)


def read_counted(body: bytes) -> Conversation:
    """A request to ``/v1/messages/count_tokens``: the same without ``max_tokens``."""
    return _read(decode_request(body, _REQUEST), body)


def _read(wire: _Request, body: bytes) -> Conversation:
    leftover = _unknown_fields(wire, decode_request(body, _OBJECT))
    if not wire.messages:
        raise InvalidRequest("messages must hold at least one message", param="messages")
    blocks = BlockReader(leftover)
    names = _names(wire)
    system: list[Text] = blocks.texts(wire.system, "system") if wire.system else []
    messages: list[Message] = []
    for number, message in enumerate(wire.messages):
        path = f"messages[{number}].content"
        if message.role == "system":
            system.extend(blocks.texts(message.content, path))
        else:
            if len(messages) != number:  # a system message among them has shifted the places
                names[f"messages[{len(messages)}]"] = f"messages[{number}]"
            messages.append(Message(message.role, blocks.parts(message.content, message.role, path)))
    return Conversation(
        system=system,
        messages=messages,
        tools=[_read_tool(tool, number) for number, tool in enumerate(wire.tools or [])],
        tool_choice=_read_tool_choice(wire.tool_choice) if wire.tool_choice else None,
        parallel_tool_calls=False if wire.tool_choice and wire.tool_choice.disable_parallel_tool_use else None,
        output=_read_output(wire),
        max_tokens=wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=wire.stop_sequences or [],
        reasoning=_read_reasoning(wire, leftover),
        user=wire.metadata.user_id if wire.metadata else None,
        stream=bool(wire.stream),
        leftover=leftover,
        names=names,
    )


def _unknown_fields(wire: _Request, decoded: dict[str, Any]) -> dict[str, Any]:
    """What the typed structs above passed over, by its path; null means "not given"."""
    places: list[tuple[str, msgspec.Struct | None, Any]] = [("", wire, decoded)]
    for name in ("tool_choice", "thinking", "output_config", "output_format", "metadata"):
        places.append((f"{name}.", getattr(wire, name), decoded.get(name)))
    for number, tool in enumerate(wire.tools or []):
        places.append((f"tools[{number}].", tool, decoded["tools"][number]))
    return {
        f"{path}{name}": value
        for path, struct, fields in places
        if struct is not None
        for name, value in fields.items()
        if name not in struct.__struct_fields__ and value is not None
    }


def _names(wire: _Request) -> dict[str, str]:
    names = dict(_NAMES)
    if wire.thinking is None and wire.output_config is not None:
        names["reasoning"] = "output_config.effort"
    if wire.output_format is not None:
        names["output"] = "output_format"
    return names


def _read_tool(tool: _Tool, number: int) -> Tool:
    if tool.type not in (None, "custom"):
        raise InvalidRequest(
            f"a tool of type {tool.type!r} belongs to Anthropic and cannot be carried to another "
            "provider; only custom tools can",
            param=f"tools[{number}].type",
        )
    if not tool.name:
        raise InvalidRequest("a tool needs a name", param=f"tools[{number}].name")
    return Tool(name=tool.name, description=tool.description, parameters=tool.input_schema or {}, strict=tool.strict)


def _read_tool_choice(choice: _ToolChoice) -> ToolChoice:
    if choice.type != "tool":
        return ToolChoice(_MODES[choice.type])
    if not choice.name:
        raise InvalidRequest("a tool_choice of type 'tool' needs the tool's name", param="tool_choice.name")
    return ToolChoice("tool", choice.name)


def _read_output(wire: _Request) -> OutputFormat | None:
    configured = wire.output_config.format if wire.output_config else None
    wanted, path = (configured, "output_config.format") if configured else (wire.output_format, "output_format")
    if wanted is None:
        return None
    if wanted.type != "json_schema" or wanted.schema is None:
        raise InvalidRequest(f"{path} must be of type 'json_schema' and hold a schema", param=path)
    return OutputFormat(schema=wanted.schema)


def _read_reasoning(wire: _Request, leftover: dict[str, Any]) -> ReasoningConfig | None:
    """``thinking`` and ``output_config.effort`` together; an effort beside disabled thinking is left over."""
    effort = wire.output_config.effort if wire.output_config else None
    thinking = wire.thinking
    match thinking.type if thinking else None:
        case None:
            return ReasoningConfig(effort=effort) if effort else None
        case "adaptive":
            return ReasoningConfig(effort=effort)
        case "enabled":
            assert thinking is not None
            if thinking.budget_tokens is None:
                raise InvalidRequest("thinking of type 'enabled' needs budget_tokens", param="thinking.budget_tokens")
            return ReasoningConfig(effort=effort, budget_tokens=thinking.budget_tokens)
        case "disabled":
            if effort:
                leftover["output_config.effort"] = effort
            return ReasoningConfig(enabled=False)
    raise InvalidRequest(
        "thinking must be of type 'enabled', 'adaptive' or 'disabled' to be carried to another provider",
        param="thinking.type",
    )
