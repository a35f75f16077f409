"""Content blocks of a Messages request into neutral parts.

Each block is decoded by its own typed struct, so that an error names its exact place. ``cache_control`` is accepted
everywhere and not carried on: it is a hint about cost, not about meaning, and other providers cache by themselves.
Any other field that is not known here goes to ``leftover`` under its path.

Not covered: server tools' blocks, search results and the files of Anthropic's Files API in images; they are refused,
because no other provider could honour them.
"""

import base64
from typing import Any, Literal, TypeVar

import msgspec

from ...errors import InvalidRequest
from ..call_proof import read_proof
from ..conversation import Document, Image, Part, Reasoning, Role, Text, ToolCall, ToolResult


class _Block(msgspec.Struct, tag_field="type"):
    pass


class _Base64(msgspec.Struct, tag_field="type", tag="base64"):
    data: str
    media_type: str


class _Url(msgspec.Struct, tag_field="type", tag="url"):
    url: str


class _File(msgspec.Struct, tag_field="type", tag="file"):
    file_id: str


class _PlainText(msgspec.Struct, tag_field="type", tag="text"):
    data: str
    media_type: str = "text/plain"


class _Text(_Block, tag="text"):
    text: str


class _Image(_Block, tag="image"):
    source: _Base64 | _Url


class _Document(_Block, tag="document"):
    source: _Base64 | _Url | _File | _PlainText
    title: str | None = None


class _Thinking(_Block, tag="thinking"):
    thinking: str
    signature: str | None = None


class _RedactedThinking(_Block, tag="redacted_thinking"):
    data: str


class _ToolUse(_Block, tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw
    extra_content: Any = None


class _ToolResult(_Block, tag="tool_result"):
    tool_use_id: str
    content: str | list[msgspec.Raw] | None = None
    is_error: bool | None = None


_Shown = _Text | _Image | _Document
_AnyBlock = _Shown | _Thinking | _RedactedThinking | _ToolUse | _ToolResult

_SHOWN: "msgspec.json.Decoder[_Shown]" = msgspec.json.Decoder(_Shown)
_BLOCK: "msgspec.json.Decoder[_AnyBlock]" = msgspec.json.Decoder(_AnyBlock)
_TEXT = msgspec.json.Decoder(_Text)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_HARMLESS = frozenset({"type", "cache_control"})
_ROLE: dict[type[msgspec.Struct], Role] = {
    _Thinking: "assistant",
    _RedactedThinking: "assistant",
    _ToolUse: "assistant",
    _ToolResult: "user",
}

Content = str | list[msgspec.Raw]
_T = TypeVar("_T")
_B = TypeVar("_B", bound=msgspec.Struct)


class BlockReader:
    """Reads the blocks of one request; what it does not know is collected in ``leftover``."""

    def __init__(self, leftover: dict[str, Any]) -> None:
        self._leftover = leftover

    def texts(self, content: Content, path: str) -> list[Text]:
        """A system prompt: text only."""
        if isinstance(content, str):
            return [Text(content)] if content else []
        return [Text(self._decode(raw, _TEXT, f"{path}[{number}]").text) for number, raw in enumerate(content)]

    def parts(self, content: Content, role: Literal["user", "assistant"], path: str) -> list[Part]:
        if isinstance(content, str):
            return [Text(content)] if content else []
        return [self._part(raw, role, f"{path}[{number}]") for number, raw in enumerate(content)]

    def _part(self, raw: msgspec.Raw, role: Role, path: str) -> Part:
        block = self._decode(raw, _BLOCK, path)
        if _ROLE.get(type(block), role) != role:
            raise InvalidRequest(
                f"a {type(block).__struct_config__.tag!r} block cannot be part of a message of role "
                f"{role!r} (at {path!r})",
                param=path,
            )
        match block:
            case _Thinking():
                return Reasoning(text=block.thinking, signature=block.signature or None)
            case _RedactedThinking():
                return Reasoning(encrypted=block.data)
            case _ToolUse():
                decode_at(block.input, _OBJECT, f"{path}.input")
                signature = read_proof(block.extra_content)
                if block.extra_content and signature is None:
                    self._leftover[f"{path}.extra_content"] = block.extra_content
                return ToolCall(
                    id=block.id, name=block.name, arguments=bytes(block.input).decode(), signature=signature
                )
            case _ToolResult():
                return ToolResult(
                    call_id=block.tool_use_id,
                    content=self._result(block.content, f"{path}.content"),
                    is_error=bool(block.is_error),
                )
            case _:
                return _read_shown(block)

    def _result(self, content: Content | None, path: str) -> list[Text | Image | Document]:
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)] if content else []
        return [_read_shown(self._decode(raw, _SHOWN, f"{path}[{number}]")) for number, raw in enumerate(content)]

    def _decode(self, raw: msgspec.Raw, decoder: "msgspec.json.Decoder[_B]", path: str) -> _B:
        block = decode_at(raw, decoder, path)
        for name, value in _OBJECT.decode(raw).items():
            if name in _HARMLESS or name in block.__struct_fields__ or value is None:
                continue
            if name == "caller" and value == {"type": "direct"}:
                continue  # "the model itself called the tool", which is the only way elsewhere
            self._leftover[f"{path}.{name}"] = value
        return block


def _read_shown(block: _Shown) -> Text | Image | Document:
    match block:
        case _Text():
            return Text(block.text)
        case _Image(source=_Base64() as source):
            return Image(data=source.data, media_type=source.media_type)
        case _Image(source=_Url() as source):
            return Image(url=source.url)
        case _Document(source=_Base64() as source):
            return Document(data=source.data, media_type=source.media_type, name=block.title)
        case _Document(source=_Url() as source):
            return Document(url=source.url, name=block.title)
        case _Document(source=_File() as source):
            return Document(file_id=source.file_id, name=block.title)
        case _Document(source=_PlainText() as source):
            data = base64.b64encode(source.data.encode()).decode()
            return Document(data=data, media_type=source.media_type, name=block.title)
    raise AssertionError(block)  # the decoder knows no other


def decode_at(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[_T]", path: str) -> _T:
    """Decode a piece of a request that lies at ``path``; a failure is an `InvalidRequest` that names the place."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        place = path + where.rstrip("`")
        if where == ".type`" and what.startswith("Invalid value"):
            what = f"a block of type {what.removeprefix('Invalid value ')} cannot be carried to another provider"
        raise InvalidRequest(f"{what} (at {place!r})", param=place) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"the body is not valid JSON at {path!r}: {exc}", param=path) from exc
    except RecursionError as exc:
        raise InvalidRequest(f"{path} is nested too deeply", param=path) from exc
