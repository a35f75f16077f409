"""Which calls may be answered with another question's answer, and among which other calls.

A call is split into its question, the text of its last message, and its namespace, everything else. The namespace is
the exact fingerprint of the same call without that text: whatever keeps two calls apart there keeps them apart here.

No question, and so never a semantic hit: a conversation with tool calls, images, audio or files; an offer of tools
(``tool_choice: none`` apart) or of a web search; several alternatives; a request for randomness (`temperature` above 0,
or without one a `seed`, `top_p` or `top_k`); a last message that is not the user's; a long text, whose small
differences no embedding sees.
"""

from collections.abc import Iterable

import msgspec

from ...types import Call
from ..fingerprint import Fingerprints

_LIST = {"chat": "messages", "messages": "messages", "responses": "input"}
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_OFFERS = ("tools", "functions", "mcp_servers")
_BEYOND_TEXT = ("web_search_options", "audio", "plugins")
_SAMPLING = ("seed", "top_p", "top_k", "min_p")
_HARMLESS = {"top_p": 1.0}
_ABSENT = (b"", b"null", b"[]", b"{}", b"false")
_RAW = msgspec.Raw


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """``only_deterministic``: a call that does not say ``temperature: 0`` is left alone, too."""

    only_deterministic: bool = False
    max_characters: int = 2000


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A question, and the namespace within which another may be the same."""

    namespace: bytes
    question: str


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


class _Item(msgspec.Struct, gc=False):
    """A message of any dialect, or an item of a Responses input that is none."""

    role: str = ""
    type: str = "message"
    content: _RAW = _RAW(b"null")
    tool_calls: _RAW = _RAW()
    function_call: _RAW = _RAW()
    tool_call_id: _RAW = _RAW()
    audio: _RAW = _RAW()


_Fields = dict[str, _RAW]
_FIELDS: "msgspec.json.Decoder[_Fields]" = msgspec.json.Decoder(_Fields)
_ITEMS: "msgspec.json.Decoder[list[_RAW]]" = msgspec.json.Decoder(list[_RAW])
_ITEM = msgspec.json.Decoder(_Item)
_PARTS: "msgspec.json.Decoder[list[_Part]]" = msgspec.json.Decoder(list[_Part])
_STRING = msgspec.json.Decoder(str)
_NUMBER = msgspec.json.Decoder(float)


def asked_by(call: Call, fingerprints: Fingerprints, generation: bytes, rules: Rules) -> Asked | None:
    """The call's question; None for a call that only its own answer will do for."""
    name = _LIST.get(call.operation)
    if name is None or call.view.choices > 1:
        return None
    try:
        fields = _FIELDS.decode(call.body)
        if not _is_plain(fields, rules.only_deterministic) or not _given(fields, name):
            return None
        found = _split(fields[name])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # a shape that this file does not know
    if found is None:
        return None
    question, rest = found
    if not question.strip() or len(question) > rules.max_characters:
        return None
    fields[name] = rest
    bare = msgspec.structs.replace(call, body=msgspec.json.encode(fields))
    namespace = fingerprints.of(bare, generation)
    return Asked(namespace, question) if namespace is not None else None


def _is_plain(fields: _Fields, only_deterministic: bool) -> bool:
    """Whether text is asked for, and not to be another every time."""
    if any(_given(fields, name) for name in _BEYOND_TEXT) or _modalities(fields) != ["text"]:
        return False
    if any(_given(fields, name) for name in _OFFERS) and bytes(fields.get("tool_choice", _RAW())) != b'"none"':
        return False
    temperature = _number(fields, "temperature")
    if temperature is not None:
        return temperature == 0
    return not only_deterministic and all(_number(fields, name) in (None, _HARMLESS.get(name)) for name in _SAMPLING)


def _split(content: _RAW) -> tuple[str, _RAW] | None:
    """The last message's text, and the list without it."""
    if bytes(content)[:1] == b'"':
        return _STRING.decode(content), _RAW(b'""')
    items = _ITEMS.decode(content)
    if not items or not all(_is_text(_ITEM.decode(item)) for item in items):
        return None
    last = _ITEM.decode(items[-1])
    if last.role != "user":
        return None
    wire = _FIELDS.decode(items[-1])
    wire["content"] = _RAW(b"null")
    items[-1] = _RAW(msgspec.json.encode(wire))
    return "\n".join(_texts(last.content)), _RAW(msgspec.json.encode(items))


def _is_text(item: _Item) -> bool:
    if item.role in ("tool", "function", "") or item.type != "message":
        return False
    if any(bytes(each) not in _ABSENT for each in (item.tool_calls, item.function_call, item.tool_call_id, item.audio)):
        return False
    return bytes(item.content)[:1] != b"[" or all(part.type in _TEXT_PARTS for part in _PARTS.decode(item.content))


def _texts(content: _RAW) -> Iterable[str]:
    if bytes(content)[:1] == b'"':
        return [_STRING.decode(content)]
    return [] if bytes(content) == b"null" else [part.text for part in _PARTS.decode(content)]


def _given(fields: _Fields, name: str) -> bool:
    return bytes(fields.get(name, _RAW())) not in _ABSENT


def _number(fields: _Fields, name: str) -> float | None:
    raw = bytes(fields.get(name, _RAW()))
    return None if raw in (b"", b"null") else _NUMBER.decode(raw)


def _modalities(fields: _Fields) -> list[str]:
    wanted = fields.get("modalities")
    if wanted is None or bytes(wanted) in _ABSENT:
        return ["text"]
    return [str(each) for each in msgspec.json.decode(wanted, type=list[str])]
