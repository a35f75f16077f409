"""Putting a rendered prompt into a request, in the words of its dialect.

The prompt's messages stand in front of the request's own. A text prompt is an instruction (the role ``system``) where
the request has messages of its own, and the user's message where it has none. What the version's ``config`` gives
(``model``, ``parameters``) are defaults: whatever the request says itself, in whichever spelling, wins. The rest of the
body is not rebuilt.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import InvalidRequest, UnsupportedParameter
from ..types import Operation
from .render import Rendered

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_anything = msgspec.json.Decoder().decode
_INSTRUCTING = ("system", "developer")
#: Parameters that dialects call by different names: by operation the one to use, where there is one.
_SPELLINGS: Sequence[tuple[frozenset[str], Mapping[Operation, str]]] = (
    (
        frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"}),
        {"chat": "max_completion_tokens", "messages": "max_tokens", "responses": "max_output_tokens"},
    ),
    (frozenset({"stop", "stop_sequences"}), {"chat": "stop", "messages": "stop_sequences"}),
)


def place(operation: Operation, body: bytes, rendered: Rendered, config: Mapping[str, Any]) -> bytes:
    """The body with the prompt in it and the field ``prompt`` gone."""
    fields: dict[str, Any] = dict(_decode(body))
    fields.pop("prompt", None)
    if operation == "responses":
        _into_responses(fields, rendered)
    elif operation == "chat":
        own = _own(fields, "messages")
        fields["messages"] = [*_messages(rendered, bool(own)), *own]
    else:
        _into_messages(fields, rendered)
    if not _said(fields, "model") and config.get("model"):
        fields["model"] = config["model"]
    if operation != "count_tokens":  # its fields are those of a request that nobody answers
        _default(operation, fields, config.get("parameters") or {})
    return msgspec.json.encode(fields)


def _into_responses(fields: dict[str, Any], rendered: Rendered) -> None:
    given = fields.get("input")
    text = _anything(given) if given is not None and bytes(given)[:1] != b"[" else None
    own: list[Any] = [{"role": "user", "content": text}] if text else _own(fields, "input") if text is None else []
    fields["input"] = [*_messages(rendered, bool(own)), *own]


def _into_messages(fields: dict[str, Any], rendered: Rendered) -> None:
    """Anthropic has one system prompt beside the messages."""
    own = _own(fields, "messages")
    messages = _messages(rendered, bool(own))
    leading = 0
    while leading < len(messages) and messages[leading]["role"] in _INSTRUCTING:
        leading += 1
    if any(each["role"] in _INSTRUCTING for each in messages[leading:]):
        raise UnsupportedParameter(
            "the prompt has a system message behind others, which a Messages request cannot carry", param="prompt"
        )
    texts = [each["content"] for each in messages[:leading]]
    if texts:
        fields["system"] = _system("\n\n".join(texts), fields.get("system"))
    fields["messages"] = [*messages[leading:], *own]


def _system(text: str, own: msgspec.Raw | None) -> Any:
    given = _anything(own) if own is not None else None
    if isinstance(given, list):
        return [{"type": "text", "text": text}, *given]
    return f"{text}\n\n{given}" if given else text


def _messages(rendered: Rendered, has_own: bool) -> list[dict[str, Any]]:
    if rendered.text is None:
        return rendered.messages
    return [{"role": "system" if has_own else "user", "content": rendered.text}]


def _own(fields: Mapping[str, Any], name: str) -> list[Any]:
    given = fields.get(name)
    if given is None or bytes(given) == b"null":
        return []
    try:
        return _items(given)
    except msgspec.ValidationError as exc:
        raise InvalidRequest(f"{name} must be a list", param=name) from exc


def _said(fields: Mapping[str, Any], name: str) -> bool:
    given = fields.get(name)
    return given is not None and bytes(given) not in (b"null", b'""')


def _default(operation: Operation, fields: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        spellings, known = next(
            ((names, known) for names, known in _SPELLINGS if name in names), (frozenset({name}), None)
        )
        if any(each in fields for each in spellings):
            continue
        if known is None or (operation == "chat" and name == "max_tokens"):
            fields[name] = value
        elif operation not in known:
            raise UnsupportedParameter(
                f"the prompt's parameter {name!r} cannot be carried by this kind of request", param=name
            )
        else:
            wanted = known[operation]
            fields[wanted] = [value] if wanted == "stop_sequences" and isinstance(value, str) else value
