"""A neutral `Conversation` as a Responses request.

The history is sent whole and ``store`` is false: nothing ever leans on the upstream's state. For the same reason items
carry no ids, which OpenAI would look up in its store and not find.
"""

from typing import Any

import msgspec

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

_PLAIN = ("parallel_tool_calls", "temperature", "top_p", "top_logprobs", "user", "metadata")
_CARRIED = frozenset({*_PLAIN, "tools", "tool_choice", "output", "max_tokens", "logprobs", "reasoning"})


def write_request(conversation: Conversation, model: str, uncarried: Uncarried) -> bytes:
    uncarried.check(conversation, _CARRIED)
    wire: dict[str, Any] = {"model": model, "input": _write_input(conversation, uncarried), "store": False}
    if conversation.system:
        wire["instructions"] = "\n\n".join(text.text for text in conversation.system)
    for name in _PLAIN:
        value = getattr(conversation, name)
        if value is not None:
            wire[name] = value
    if conversation.max_tokens is not None:
        wire["max_output_tokens"] = conversation.max_tokens
    if conversation.tools:
        wire["tools"] = [_write_tool(tool) for tool in conversation.tools]
    if conversation.tool_choice:
        wire["tool_choice"] = _write_tool_choice(conversation.tool_choice)
    if conversation.output:
        wire["text"] = {"format": _write_output(conversation.output)}
    include: list[str] = []
    if conversation.reasoning:
        wire["reasoning"] = _write_reasoning(conversation.reasoning)
        if conversation.reasoning.enabled:
            include.append("reasoning.encrypted_content")
    if conversation.logprobs:
        include.append("message.output_text.logprobs")
    if include:
        wire["include"] = include
    if conversation.stream:
        wire["stream"] = True
    return msgspec.json.encode(wire)


def _write_input(conversation: Conversation, uncarried: Uncarried) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number, message in enumerate(conversation.messages):
        path = f"messages[{number}]"
        items += (_write_assistant if message.role == "assistant" else _write_user)(message, path, uncarried)
    return items


def _write_user(message: Message, path: str, uncarried: Uncarried) -> list[dict[str, Any]]:
    """Tool results first, each an item of its own; then one message with the rest."""
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for number, part in enumerate(message.parts):
        where = f"{path}.content[{number}]"
        if isinstance(part, ToolResult):
            output = _write_result(part, where, uncarried)
            items.append({"type": "function_call_output", "call_id": part.call_id, "output": output})
        elif (written := _write_part(part)) is not None:
            content.append(written)
        else:
            uncarried.add(where)
    if content:
        items.append({"type": "message", "role": "user", "content": content})
    return items


def _write_result(result: ToolResult, path: str, uncarried: Uncarried) -> str | list[dict[str, Any]]:
    """A text on its own as a string; Responses knows no flag for an error, so the text says it."""
    parts: list[Text | Image | Document] = list(result.content)
    if result.is_error:
        match parts:
            case [Text(text=text), *rest]:
                parts = [Text(f"Error: {text}"), *rest]
            case _:
                parts = [Text("Error:"), *parts]
    match parts:
        case []:
            return ""
        case [Text(text=text)]:
            return text
    content: list[dict[str, Any]] = []
    for part in parts:
        if (written := _write_part(part)) is not None:
            content.append(written)
        else:
            uncarried.add(path)
    return content


def _write_part(part: Part) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image(url=url, data=data) if url or data:
            url = url or _data_url(part.media_type, data)
            return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
        case Audio():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case Document(data=str(data)):
            inline = _data_url(part.media_type, data)
            return {"type": "input_file", "filename": part.name or "document", "file_data": inline}
        case Document(file_id=str(file_id)):
            return {"type": "input_file", "file_id": file_id}
        case Document(url=str(url)):
            return {"type": "input_file", "file_url": url}
    return None


def _data_url(media_type: str | None, data: str | None) -> str:
    return f"data:{media_type or 'application/octet-stream'};base64,{data}"


def _write_assistant(message: Message, path: str, uncarried: Uncarried) -> list[dict[str, Any]]:
    """Parts in their order; neighbouring texts and refusals share one message item."""
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] | None = None
    for number, part in enumerate(message.parts):
        match part:
            case Text() | Refusal():
                if content is None:
                    content = []
                    items.append({"type": "message", "role": "assistant", "content": content})
                content.append(
                    {"type": "output_text", "text": part.text}
                    if isinstance(part, Text)
                    else {"type": "refusal", "refusal": part.text}
                )
                continue
            case Reasoning() if part.text or part.encrypted:
                if part.signature:
                    uncarried.add(f"{path}.content[{number}]")
                items.append(_write_thought(part))
            case ToolCall():
                if part.signature:
                    uncarried.add(f"{path}.content[{number}].extra_content")
                items.append(
                    {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}
                )
            case _:
                uncarried.add(f"{path}.content[{number}]")
        content = None
    return items


def _write_thought(part: Reasoning) -> dict[str, Any]:
    """A foreign provider's signature proves the text to that provider and to nobody else: it has been reported."""
    item: dict[str, Any] = {"type": "reasoning", "summary": []}
    if part.text:
        item["summary"] = [{"type": "summary_text", "text": part.text}]
    if part.encrypted:
        item["encrypted_content"] = part.encrypted
    return item


def _write_tool(tool: Tool) -> dict[str, Any]:
    """``strict`` is always said: left out it means true here and false in every other dialect."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    wire = {"type": "function", "name": tool.name, "parameters": parameters, "strict": bool(tool.strict)}
    if tool.description is not None:
        wire["description"] = tool.description
    return wire


def _write_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "name": choice.name}
    return choice.mode


def _write_output(output: OutputFormat) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    wire: dict[str, Any] = {"type": "json_schema", "name": output.name, "schema": output.schema}
    if output.strict is not None:
        wire["strict"] = output.strict
    if output.description is not None:
        wire["description"] = output.description
    return wire


def _write_reasoning(wanted: ReasoningConfig) -> dict[str, Any]:
    """An effort word as it is; a token budget by the steps the Chat dialect uses (≤ 2k low, ≤ 8k medium)."""
    wire: dict[str, Any] = {}
    if not wanted.enabled:
        wire["effort"] = "none"
    elif wanted.effort:
        wire["effort"] = wanted.effort
    elif (budget := wanted.budget_tokens) is not None:
        wire["effort"] = "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"
    elif not wanted.summary:
        wire["effort"] = "medium"
    if wanted.summary:
        wire["summary"] = wanted.summary
    return wire
