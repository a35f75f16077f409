"""The output items of a Responses reply, read into neutral parts.

Only what a function-calling model makes is understood: messages, function calls and reasoning. Items of built-in
tools are seen as None: a tap lets them pass, a translation must refuse them.
"""

from typing import Any, TypeVar

import msgspec

from ...errors import UpstreamBroken
from ..call_proof import read_proof
from ..conversation import Part, Reasoning, Refusal, Text, ToolCall
from .logprobs import Logprob
from .sealing import unseal

T = TypeVar("T")


class OutputContent(msgspec.Struct):
    """``output_text`` or ``refusal``."""

    type: str = "output_text"
    text: str | None = None
    refusal: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw(b"null")
    annotations: msgspec.Raw = msgspec.Raw()


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    content: list[OutputContent] | None = None


class CallItem(msgspec.Struct, tag_field="type", tag="function_call"):
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    extra_content: Any = None

    @property
    def signature(self) -> str | None:
        return read_proof(self.extra_content)


class _ReasoningText(msgspec.Struct):
    text: str | None = None


class ReasoningItem(msgspec.Struct, tag_field="type", tag="reasoning"):
    summary: list[_ReasoningText] | None = None
    content: list[_ReasoningText] | None = None
    encrypted_content: str | None = None


OutputItem = MessageItem | CallItem | ReasoningItem


class _Head(msgspec.Struct):
    type: str


_HEAD = msgspec.json.Decoder(_Head)
_ITEM: "msgspec.json.Decoder[OutputItem]" = msgspec.json.Decoder(OutputItem)
_LOGPROBS: "msgspec.json.Decoder[list[Logprob] | None]" = msgspec.json.Decoder(list[Logprob] | None)
_UNDERSTOOD = frozenset({"message", "function_call", "reasoning"})


def decode_upstream(data: bytes, decoder: "msgspec.json.Decoder[T]", what: str) -> T:
    """Decode what an upstream sent; a failure is `UpstreamBroken`, saying that it is not ``what``."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream did not send {what}: {exc}", upstream_status=200) from exc


def decode_item(raw: bytes) -> OutputItem | None:
    """The item, or None where it is of a type that has no neutral meaning."""
    if decode_upstream(raw, _HEAD, "an output item").type not in _UNDERSTOOD:
        return None
    return decode_upstream(raw, _ITEM, "an output item that can be read")


def understood(item: OutputItem | None) -> OutputItem:
    """``item`` itself; raises `UpstreamBroken` for one that translation would drop, wholly or in part."""
    if item is None:
        raise UpstreamBroken(
            "the upstream's answer holds an output item that cannot be translated; only messages, "
            "function calls and reasoning can",
            upstream_status=200,
        )
    if isinstance(item, MessageItem):
        for content in item.content or ():
            if content.type not in ("output_text", "refusal"):
                raise UpstreamBroken(
                    f"the upstream's message holds a part of type {content.type!r}, which cannot be translated",
                    upstream_status=200,
                )
    return item


def item_parts(item: OutputItem) -> list[Part]:
    match item:
        case MessageItem():
            return [part for content in item.content or () if (part := _content_part(content)) is not None]
        case CallItem():
            return [
                ToolCall(
                    id=item.call_id or item.id or "",
                    name=item.name or "",
                    arguments=item.arguments or "",
                    signature=item.signature,
                )
            ]
        case ReasoningItem():
            thought = read_reasoning(item)
            return [thought] if thought.text or thought.encrypted or thought.signature else []


def read_reasoning(item: ReasoningItem) -> Reasoning:
    """Summary and, where a model shows it, the reasoning itself; their paragraphs are set apart by blank lines."""
    texts = [part.text for part in [*(item.summary or ()), *(item.content or ())] if part.text]
    return unseal("\n\n".join(texts), item.encrypted_content)


def _content_part(content: OutputContent) -> Part | None:
    if content.type == "refusal":
        return Refusal(content.refusal) if content.refusal else None
    return Text(content.text) if content.type == "output_text" and content.text else None


def item_logprobs(item: OutputItem) -> list[Logprob]:
    if not isinstance(item, MessageItem):
        return []
    found = [decode_upstream(content.logprobs, _LOGPROBS, "logprobs") for content in item.content or ()]
    return [entry for entries in found for entry in entries or ()]


def annotated(item: OutputItem) -> bool:
    """Whether a text has annotations (citations of pages or files), which no neutral value holds."""
    return isinstance(item, MessageItem) and any(
        bytes(content.annotations) not in (b"", b"null", b"[]") for content in item.content or ()
    )


def count_chars(parts: list[Part]) -> int:
    """Characters of output, counted the way every dialect counts them."""
    chars = 0
    for part in parts:
        match part:
            case Text() | Refusal() | Reasoning():
                chars += len(part.text)
            case ToolCall():
                chars += len(part.name) + len(part.arguments)
    return chars


def joined_text(parts: list[Part]) -> str | None:
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "".join(texts) if texts else None
