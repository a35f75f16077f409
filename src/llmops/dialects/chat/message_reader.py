"""The messages of a Chat Completions request into neutral ones.

System and developer messages become the system prompt, tool messages join into one user turn. Every part's place in
the caller's request is kept in ``names``, as positions shift on the way. What has no neutral meaning (a participant's
``name``, an ``audio`` that OpenAI keeps) goes to ``leftover``; annotations of an earlier answer say nothing to a model.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ..call_proof import read_proof
from ..conversation import Conversation, Document, Image, Message, Part, Refusal, Role, Text, ToolCall, ToolResult
from ..paths import convert_at, note_unknown
from .content import Content, read_content
from .reasoning_details import read_details


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    id: str
    function: _CalledFunction | None = None
    type: str | None = "function"
    extra_content: Any = None


class _Message(msgspec.Struct):
    """``reasoning`` is vLLM's and OpenRouter's name for ``reasoning_content``."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None


_MESSAGE = frozenset(_Message.__struct_fields__) | {"annotations"}
_TOOL_CALL = frozenset(_ToolCall.__struct_fields__) | {"index"}
_FUNCTION = frozenset(_CalledFunction.__struct_fields__)


class MessageReader:
    """Appends to ``conversation``."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def read(self, found: dict[str, Any], path: str) -> None:
        leftover = self._conversation.leftover
        wire = convert_at(found, _Message, path)
        note_unknown(found, _MESSAGE, path, leftover)
        content = read_content(wire.content, f"{path}.content", leftover)
        match wire.role:
            case "system" | "developer":
                for part, where in content:
                    if not isinstance(part, Text):
                        raise InvalidRequest(f"a {wire.role} message can hold text only (at {where!r})", param=where)
                    self._conversation.system.append(part)
            case "user":
                self._begin("user")
                for part, where in content:
                    self._append(part, where)
            case "tool":
                self._read_result(wire, content, path)
            case "assistant":
                self._read_assistant(wire, content, path)

    def _read_result(self, wire: _Message, content: list[tuple[Part, str]], path: str) -> None:
        if not wire.tool_call_id:
            raise InvalidRequest("a tool message must name the tool_call_id it answers", param=f"{path}.tool_call_id")
        shown: list[Text | Image | Document] = []
        for part, where in content:
            if not isinstance(part, Text | Image | Document):
                raise InvalidRequest(f"a tool's result holds text, images and files only (at {where!r})", param=where)
            shown.append(part)
        messages = self._conversation.messages
        if not (messages and messages[-1].parts and isinstance(messages[-1].parts[-1], ToolResult)):
            self._begin("user")
        self._append(ToolResult(call_id=wire.tool_call_id, content=shown), path)

    def _read_assistant(self, wire: _Message, content: list[tuple[Part, str]], path: str) -> None:
        self._begin("assistant")
        for thought in read_details(wire.reasoning_details, wire.reasoning_content or wire.reasoning):
            self._append(
                thought, f"{path}.reasoning_details" if wire.reasoning_details else f"{path}.reasoning_content"
            )
        for part, where in content:
            self._append(part, where)
        if wire.refusal:
            self._append(Refusal(wire.refusal), f"{path}.refusal")
        for number, called in enumerate(wire.tool_calls or ()):
            self._read_call(called, f"{path}.tool_calls[{number}]")

    def _read_call(self, found: dict[str, Any], path: str) -> None:
        leftover = self._conversation.leftover
        wire = convert_at(found, _ToolCall, path)
        if wire.function is None:
            raise InvalidRequest(f"only function tool calls are understood (at {path!r})", param=path)
        note_unknown(found, _TOOL_CALL, path, leftover)
        note_unknown(found["function"], _FUNCTION, f"{path}.function", leftover)
        signature = read_proof(wire.extra_content)
        if wire.extra_content and signature is None:
            leftover[f"{path}.extra_content"] = wire.extra_content
        self._append(
            ToolCall(id=wire.id, name=wire.function.name, arguments=wire.function.arguments, signature=signature), path
        )

    def _begin(self, role: Role) -> None:
        self._conversation.messages.append(Message(role, []))

    def _append(self, part: Part, path: str) -> None:
        messages = self._conversation.messages
        place = f"messages[{len(messages) - 1}].content[{len(messages[-1].parts)}]"
        self._conversation.names[place] = path
        messages[-1].parts.append(part)
