"""A neutral `Conversation` as a Messages request.

Anthropic wants an output limit, strictly alternating roles and tool results ahead of everything else in their turn:
a missing limit becomes `DEFAULT_MAX_TOKENS`, neighbouring turns of one role are merged, results are moved to the front.
"""

from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import Conversation, Message, ReasoningConfig, Tool, ToolChoice, ToolResult, Uncarried
from .block_writer import write_part

DEFAULT_MAX_TOKENS = 4096
"""The output limit of a request that names none; a thinking budget, which counts towards the limit, comes on top."""

_CARRIED = frozenset(
    {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "output",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "reasoning",
        "user",
    }
)
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def write_request(conversation: Conversation, model: str, uncarried: Uncarried) -> bytes:
    uncarried.check(conversation, _CARRIED)
    messages = _write_messages(conversation.messages, uncarried)
    if not messages:
        raise InvalidRequest("Anthropic needs at least one user message beside the system prompt", param="messages")
    wire: dict[str, Any] = {"model": model, "max_tokens": _max_tokens(conversation), "messages": messages}
    system = [text.text for text in conversation.system if text.text]
    if len(system) == 1:
        wire["system"] = system[0]
    elif system:
        wire["system"] = [{"type": "text", "text": text} for text in system]
    _write_sampling(conversation, wire)
    _write_tools(conversation, wire)
    if conversation.output:
        if conversation.output.schema is None:
            uncarried.add("output")  # JSON mode without a schema has no counterpart
        else:
            wire.setdefault("output_config", {})["format"] = {
                "type": "json_schema",
                "schema": conversation.output.schema,
            }
    if conversation.reasoning:
        _write_reasoning(conversation.reasoning, wire, uncarried)
    if conversation.user is not None:
        wire["metadata"] = {"user_id": conversation.user}
    if conversation.stream:
        wire["stream"] = True
    return msgspec.json.encode(wire)


def _max_tokens(conversation: Conversation) -> int:
    if conversation.max_tokens is not None:
        return conversation.max_tokens
    return DEFAULT_MAX_TOKENS + ((conversation.reasoning.budget_tokens or 0) if conversation.reasoning else 0)


def _write_messages(messages: list[Message], uncarried: Uncarried) -> list[dict[str, Any]]:
    turns: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = []  # role, tool results, other blocks
    for number, message in enumerate(messages):
        if not turns or turns[-1][0] != message.role:
            turns.append((message.role, [], []))
        _, results, others = turns[-1]
        for position, part in enumerate(message.parts):
            place = f"messages[{number}].content[{position}]"
            block = write_part(part, message.role, place, uncarried)
            if block is not None:
                (results if isinstance(part, ToolResult) else others).append(block)
    wire: list[dict[str, Any]] = []
    for role, results, others in turns:
        content = results + others
        if not content:
            continue
        if wire and wire[-1]["role"] == role:  # an empty turn between the two was left out
            wire[-1]["content"] += content
        else:
            wire.append({"role": role, "content": content})
    return wire


def _write_sampling(conversation: Conversation, wire: dict[str, Any]) -> None:
    if conversation.temperature is not None and not 0 <= conversation.temperature <= 1:
        raise InvalidRequest(
            f"temperature is {conversation.temperature!r}; the Anthropic deployment behind this model takes 0 to 1",
            param="temperature",
        )
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(conversation, name)
        if value is not None:
            wire[name] = value
    if conversation.stop:
        wire["stop_sequences"] = conversation.stop


def _write_tools(conversation: Conversation, wire: dict[str, Any]) -> None:
    """Without tools, a choice of "auto" or "none" and the wish for one call at a time are true of themselves."""
    choice = conversation.tool_choice
    if conversation.tools:
        wire["tools"] = [_write_tool(tool) for tool in conversation.tools]
    elif choice is None or choice.mode in ("auto", "none"):
        return
    single = conversation.parallel_tool_calls is False
    if choice is None:
        if not single:
            return
        choice = ToolChoice("auto")
    wire["tool_choice"] = {"type": _MODES[choice.mode]}
    if choice.mode == "tool":
        wire["tool_choice"]["name"] = choice.name
    if single and choice.mode != "none":
        wire["tool_choice"]["disable_parallel_tool_use"] = True


def _write_tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    wire["input_schema"] = {"type": "object", **(tool.parameters or {"properties": {}})}
    if tool.strict is not None:
        wire["strict"] = tool.strict
    return wire


def _write_reasoning(reasoning: ReasoningConfig, wire: dict[str, Any], uncarried: Uncarried) -> None:
    """A budget is manual thinking, a word is an effort; the wish for a summary asks for thinking that is shown."""
    if not reasoning.enabled:
        wire["thinking"] = {"type": "disabled"}
        return
    if reasoning.budget_tokens is not None:
        wire["thinking"] = {"type": "enabled", "budget_tokens": reasoning.budget_tokens}
    elif reasoning.effort is None or reasoning.summary:
        wire["thinking"] = {"type": "adaptive"}
    if reasoning.summary:
        wire["thinking"]["display"] = "summarized"
    if reasoning.effort is not None:
        if reasoning.effort in _EFFORTS:
            wire.setdefault("output_config", {})["effort"] = _EFFORTS[reasoning.effort]
        else:
            uncarried.add("reasoning")
