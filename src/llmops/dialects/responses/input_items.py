"""The input items of a Responses request, one by one, into neutral messages.

Items without a ``type`` are messages. What an item or a content part holds beyond the fields understood here goes to
``leftover`` by its path; ids and states of earlier answers say nothing to a model and are left out. Items of built-in
tools and of server-side state (``item_reference``) are refused: only OpenAI itself can resolve them.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ..call_proof import read_proof
from ..conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from ..data_url import split_data_url
from ..paths import convert_at, note_unknown, placed
from .sealing import unseal


class _InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    text: str


class _OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """``logprobs`` tell of the earlier answer; no model reads them."""

    text: str
    logprobs: Any = None


class _RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class _InputImage(msgspec.Struct, tag_field="type", tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class _InputFile(msgspec.Struct, tag_field="type", tag="input_file"):
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None


class _InlineAudio(msgspec.Struct):
    data: str
    format: str


class _InputAudio(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: _InlineAudio


_WirePart = _InputText | _OutputText | _RefusalPart | _InputImage | _InputFile | _InputAudio


class _MessageItem(msgspec.Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[dict[str, Any]] | None = None


class _CallItem(msgspec.Struct):
    call_id: str
    name: str
    arguments: str
    extra_content: Any = None


class _OutputItem(msgspec.Struct):
    call_id: str
    output: str | list[dict[str, Any]]


class _ReasoningText(msgspec.Struct):
    text: str


class _ReasoningItem(msgspec.Struct):
    summary: list[_ReasoningText] | None = None
    content: list[_ReasoningText] | None = None
    encrypted_content: str | None = None


_HARMLESS = frozenset({"type", "id", "status"})
_MESSAGE, _CALL, _OUTPUT, _REASONING = (
    _HARMLESS | frozenset(item.__struct_fields__) for item in (_MessageItem, _CallItem, _OutputItem, _ReasoningItem)
)


class InputReader:
    """Appends items to the messages of ``conversation``, and remembers which item each part came from."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def read(self, item: dict[str, Any], path: str) -> None:
        leftover = self._conversation.leftover
        match item.get("type"):
            case "message" | None:
                note_unknown(item, _MESSAGE, path, leftover)
                self._read_message(convert_at(item, _MessageItem, path), f"{path}.content")
            case "function_call":
                note_unknown(item, _CALL, path, leftover)
                call = convert_at(item, _CallItem, path)
                signature = read_proof(call.extra_content)
                if call.extra_content and signature is None:
                    leftover[f"{path}.extra_content"] = call.extra_content
                self._add(
                    "assistant",
                    ToolCall(id=call.call_id, name=call.name, arguments=call.arguments, signature=signature),
                    path,
                )
            case "function_call_output":
                note_unknown(item, _OUTPUT, path, leftover)
                self._read_output(convert_at(item, _OutputItem, path), path)
            case "reasoning":
                note_unknown(item, _REASONING, path, leftover)
                thought = convert_at(item, _ReasoningItem, path)
                text = "\n\n".join(part.text for part in [*(thought.summary or ()), *(thought.content or ())])
                self._add("assistant", unseal(text, thought.encrypted_content), path)
            case other:
                raise InvalidRequest(
                    f"an input item of type {other!r} cannot be translated; use message, function_call, "
                    f"function_call_output or reasoning (at '{path}.type')",
                    param=f"{path}.type",
                )

    def read_text(self, text: str) -> None:
        """The short form of an input: one user's text."""
        if text:
            self._conversation.messages.append(Message("user", []))
            self._append(Text(text), "input")

    def _read_message(self, wire: _MessageItem, path: str) -> None:
        parts = self._read_content(wire.content or "", path)
        if wire.role in ("system", "developer"):
            for part, where in parts:
                if not isinstance(part, Text):
                    raise InvalidRequest(f"a {wire.role} message can hold text only (at {where!r})", param=where)
                self._conversation.system.append(part)
        elif wire.role == "assistant":
            for part, where in parts:
                self._add("assistant", part, where)
        else:
            self._conversation.messages.append(Message("user", []))
            for part, where in parts:
                self._append(part, where)

    def _read_output(self, wire: _OutputItem, path: str) -> None:
        content: list[Text | Image | Document] = []
        for part, where in self._read_content(wire.output, f"{path}.output"):
            if not isinstance(part, Text | Image | Document):
                raise InvalidRequest(f"a tool's output holds text, images and files only (at {where!r})", param=where)
            content.append(part)
        messages = self._conversation.messages
        if not (messages and messages[-1].parts and isinstance(messages[-1].parts[-1], ToolResult)):
            messages.append(Message("user", []))
        self._append(ToolResult(call_id=wire.call_id, content=content), path)

    def _add(self, role: Role, part: Part, path: str) -> None:
        """Append to the last message, or to a new one where that is another role's."""
        messages = self._conversation.messages
        if not messages or messages[-1].role != role:
            messages.append(Message(role, []))
        self._append(part, path)

    def _append(self, part: Part, path: str) -> None:
        messages = self._conversation.messages
        place = f"messages[{len(messages) - 1}].content[{len(messages[-1].parts)}]"
        self._conversation.names[place] = path
        messages[-1].parts.append(part)

    def _read_content(self, content: str | list[dict[str, Any]], path: str) -> list[tuple[Part, str]]:
        if isinstance(content, str):
            return [(Text(content), path)] if content else []
        places = [(wire, f"{path}[{number}]") for number, wire in enumerate(content)]
        return [(part, where) for wire, where in places if (part := self._read_part(wire, where)) is not None]

    def _read_part(self, found: dict[str, Any], path: str) -> Part | None:
        """One content part; None where it names an image that only OpenAI's file store holds (noted as left over)."""
        leftover = self._conversation.leftover
        wire: _WirePart = convert_at(found, _WirePart, path)  # type: ignore[arg-type]
        note_unknown(found, frozenset({"type", *wire.__struct_fields__}), path, leftover)
        match wire:
            case _InputText() | _OutputText():
                return Text(wire.text)
            case _RefusalPart():
                return Refusal(wire.refusal)
            case _InputAudio():
                return Audio(data=wire.input_audio.data, format=wire.input_audio.format)
            case _InputFile():
                if wire.detail not in (None, "auto"):
                    leftover[f"{path}.detail"] = wire.detail
                return _read_file(wire, path)
            case _InputImage(image_url=str(url)):
                return _read_image(url, wire.detail, f"{path}.image_url")
            case _InputImage(file_id=str(file_id)):
                leftover[f"{path}.file_id"] = file_id
                return None
        raise InvalidRequest(f"an input_image needs an image_url or a file_id (at {path!r})", param=path)


def _read_image(url: str, detail: str | None, path: str) -> Image:
    if url.startswith("data:"):
        media_type, data = _split(url, path)
        return Image(data=data, media_type=media_type, detail=detail)
    return Image(url=url, detail=detail)


def _read_file(wire: _InputFile, path: str) -> Document:
    if wire.file_data is not None:
        media_type, data = _split(wire.file_data, f"{path}.file_data")
        return Document(data=data, media_type=media_type, name=wire.filename)
    if wire.file_url is None and wire.file_id is None:
        raise InvalidRequest(f"an input_file needs file_data, file_url or file_id (at {path!r})", param=path)
    return Document(url=wire.file_url, file_id=wire.file_id, name=wire.filename)


def _split(url: str, path: str) -> tuple[str, str]:
    try:
        return split_data_url(url)
    except InvalidRequest as exc:
        raise placed(exc, path) from exc
