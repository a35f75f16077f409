"""A neutral `Conversation` as a Chat Completions request."""

from typing import Any

import msgspec

from ..call_proof import write_proof
from ..conversation import (
    PARAMETERS,
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
from .reasoning_details import write_reasoning

_CARRIED = frozenset(PARAMETERS)
_PLAIN = (
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "user",
    "metadata",
)


def write_request(
    conversation: Conversation, model: str, uncarried: Uncarried, *, max_tokens_field: str, asks_usage: bool
) -> bytes:
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
        if asks_usage:
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
    thoughts: list[Reasoning] = []
    calls: list[dict[str, Any]] = []
    for number, part in enumerate(message.parts):
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                wire["refusal"] = part.text
            case Reasoning():
                thoughts.append(part)
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function, **write_proof(part.signature)})
            case _:
                uncarried.add(f"{path}.content[{number}]")
    if texts:
        wire["content"] = "".join(texts)
    if calls:
        wire["tool_calls"] = calls
    return wire | write_reasoning(thoughts)


def _write_tool(tool: Tool) -> dict[str, Any]:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    function: dict[str, Any] = {"name": tool.name, "parameters": parameters}
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
