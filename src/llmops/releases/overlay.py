"""A bundle laid over a request: what it puts into the body, in each dialect, ready to be copied in as bytes.

A bundle speaks Chat Completions. Into the other dialects it goes by the same road as a whole request would, so that
``max_tokens`` becomes ``max_output_tokens`` and tools take their form; what a dialect cannot carry is known beforehand
(``uncarried``) and is an error for a call of that dialect, never dropped in silence. Default parameters give way to the
request's; forced ones do not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..dialects.conversation import Uncarried
from ..dialects.dialect import Dialect
from ..errors import InvalidRequest
from ..types import Operation
from .bundle import Bundle

Fields = dict[str, msgspec.Raw]
_RAW: "msgspec.json.Decoder[Fields]" = msgspec.json.Decoder(Fields)
_encode = msgspec.json.Encoder().encode
_NOT_SAID = {"responses": ("model", "input", "store"), "messages": ("model", "messages")}
_LENGTHS = ("max_tokens", "max_completion_tokens")
"""Two names of one thing in Chat Completions."""
_UNSEEN = frozenset(
    {"temperature", "top_p", "top_k", "seed", "stop", "presence_penalty", "frequency_penalty", "logit_bias"}
)
"""What changes nothing of a request that policies look at."""
_COUNTED = frozenset({"tools", "tool_choice", "thinking"})
_EMBEDDED = frozenset({"dimensions", "encoding_format"})


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """For one operation. ``uncarried`` are the parameters that it has no place for."""

    defaults: Fields
    forced: Fields
    uncarried: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.defaults or self.forced or self.uncarried)

    @property
    def is_seen(self) -> bool:
        """Whether policies may find another request under it."""
        return not _UNSEEN.issuperset(self.defaults) or not _UNSEEN.issuperset(self.forced)

    def lay(self, fields: Fields) -> None:
        """Put it over the fields of a body."""
        for name, value in self.defaults.items():
            if not any(each in fields for each in (_LENGTHS if name in _LENGTHS else (name,))):
                fields[name] = value
        for name, value in self.forced.items():
            for each in _LENGTHS if name in _LENGTHS else ():
                fields.pop(each, None)
            fields[name] = value


def overlay_of(bundle: Bundle, operation: Operation, dialects: Mapping[Operation, Dialect]) -> Overlay:
    """``dialects`` are those of conversations. `InvalidRequest` for parameters that no request could have."""
    plain: dict[str, Any] = {**bundle.parameters, **({"tools": bundle.tools} if bundle.tools else {})}
    plain = {name: value for name, value in plain.items() if name not in bundle.forced}
    if operation == "chat":
        return Overlay(defaults=_raw(plain), forced=_raw(bundle.forced))
    if operation == "embeddings":
        uncarried = tuple(name for name in (*plain, *bundle.forced) if name not in _EMBEDDED)
        return Overlay(
            defaults=_only(_raw(plain), _EMBEDDED), forced=_only(_raw(bundle.forced), _EMBEDDED), uncarried=uncarried
        )
    is_counted = operation == "count_tokens"
    target: Operation = "messages" if is_counted else operation
    defaults, lost = _translated(plain, target, dialects)
    forced, lost_too = _translated(bundle.forced, target, dialects)
    if is_counted:  # a count is of what goes in: what shapes the answer has no part in it
        return Overlay(defaults=_only(defaults, _COUNTED), forced=_only(forced, _COUNTED))
    return Overlay(defaults=defaults, forced=forced, uncarried=(*lost, *lost_too))


def check_parameters(bundle: Bundle, dialects: Mapping[Operation, Dialect]) -> None:
    """`InvalidRequest` for parameters of the wrong kind."""
    if "dimensions" in bundle.parameters or "encoding_format" in bundle.parameters:
        return  # of a model that holds no conversation
    try:
        dialects["chat"].read_request(_request({**bundle.parameters, **bundle.forced, "tools": bundle.tools}))
    except InvalidRequest as exc:
        raise InvalidRequest(f"parameters: {exc.message}", param=exc.param) from exc


def with_messages(fields: Fields, operation: Operation, messages: Sequence[Mapping[str, Any]]) -> None:
    """Put a rendered prompt in front of the request's own messages; ``messages`` as Chat Completions has them."""
    if operation == "chat":
        own = msgspec.json.decode(fields["messages"], type=list[msgspec.Raw])
        fields["messages"] = msgspec.Raw(_encode([*messages, *own]))
    elif operation in ("messages", "count_tokens"):
        system = [each["content"] for each in messages if each["role"] in ("system", "developer")]
        others = [each for each in messages if each["role"] not in ("system", "developer")]
        if system:
            fields["system"] = _with_system(fields.get("system"), "\n\n".join(system))
        if others:
            own = msgspec.json.decode(fields["messages"], type=list[msgspec.Raw])
            fields["messages"] = msgspec.Raw(_encode([*others, *own]))
    elif operation == "responses":
        own_input = msgspec.json.decode(fields["input"]) if "input" in fields else None
        items = [{"role": "user", "content": own_input}] if isinstance(own_input, str) else own_input or []
        fields["input"] = msgspec.Raw(_encode([*messages, *items]))
    else:
        raise InvalidRequest(f"a release with a prompt does not answer {operation}", param="model")


def _with_system(own: msgspec.Raw | None, text: str) -> msgspec.Raw:
    held = msgspec.json.decode(own) if own is not None else None
    if isinstance(held, list):
        return msgspec.Raw(_encode([{"type": "text", "text": text}, *held]))
    return msgspec.Raw(_encode(f"{text}\n\n{held}" if held else text))


def _translated(
    parameters: Mapping[str, Any], target: Operation, dialects: Mapping[Operation, Dialect]
) -> tuple[Fields, tuple[str, ...]]:
    if not parameters:
        return {}, ()
    conversation = dialects["chat"].read_request(_request(parameters))
    uncarried = Uncarried(conversation)
    fields = _RAW.decode(dialects[target].write_request(conversation, "model", uncarried))
    for name in _NOT_SAID[target]:
        fields.pop(name, None)
    if conversation.max_tokens is None:  # which Messages fills in, for it cannot do without
        fields.pop("max_tokens", None)
    return fields, tuple(uncarried.parameters)


def _request(parameters: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in parameters.items() if name != "tools" or value}
    return _encode({"model": "model", "messages": [{"role": "user", "content": "."}], **given})


def _raw(parameters: Mapping[str, Any]) -> Fields:
    return {name: msgspec.Raw(_encode(value)) for name, value in parameters.items()}


def _only(fields: Fields, names: frozenset[str]) -> Fields:
    return {name: value for name, value in fields.items() if name in names}
