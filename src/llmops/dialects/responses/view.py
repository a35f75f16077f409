"""What policies see of a Responses request, decoded without building the rest."""

import msgspec

from ...errors import InvalidRequest
from ...types import MessageView, OutputContract, RequestView
from ..dialect import decode_request
from ..masking import message_view
from ..paths import placed
from ..prompt_wish import check_present, read_prompt

_NULL = msgspec.Raw(b"null")


class _Format(msgspec.Struct):
    type: str = "text"
    schema: msgspec.Raw = _NULL


class _Text(msgspec.Struct):
    format: _Format | None = None


class _View(msgspec.Struct):
    model: str = ""
    input: str | list[msgspec.Raw] | None = None
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    text: _Text | None = None
    previous_response_id: msgspec.Raw = _NULL
    prompt: msgspec.Raw = _NULL
    conversation: msgspec.Raw = _NULL


class _ItemView(msgspec.Struct):
    """An input item; those that are not messages bear their content in another field, or nowhere in particular."""

    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    arguments: msgspec.Raw = msgspec.Raw()


_VIEW = msgspec.json.Decoder(_View)
_ITEM = msgspec.json.Decoder(_ItemView)


def view(body: bytes) -> RequestView:
    wire: _View = decode_request(body, _VIEW)
    prompt = read_prompt(wire.prompt)
    if prompt is None and not wire.model:
        check_present(body, "model")
    if not wire.input and not any(map(_given, (wire.previous_response_id, wire.prompt, wire.conversation))):
        raise InvalidRequest("input must be a text or a list of at least one item", param="input")
    messages: list[MessageView] = []
    if wire.instructions:
        messages.append(_text_view("system", wire.instructions))
    if isinstance(wire.input, str):
        messages.append(_text_view("user", wire.input))
    else:
        messages += [_item_view(item, number) for number, item in enumerate(wire.input or ())]
    return RequestView(
        model=wire.model,
        stream=bool(wire.stream),
        wants_usage=True,
        max_tokens=wire.max_output_tokens,
        user=wire.user or wire.safety_identifier,
        cache_key=wire.prompt_cache_key,
        output=_contract(wire.text.format) if wire.text and wire.text.format else None,
        messages=messages,
        prompt=prompt,
    )


def _given(value: msgspec.Raw) -> bool:
    return bytes(value) != b"null"


def _text_view(role: str, text: str) -> MessageView:
    return MessageView(role, text.encode("utf-8", "surrogatepass"), len(text))


def _item_view(raw: msgspec.Raw, number: int) -> MessageView:
    try:
        item: _ItemView = decode_request(raw, _ITEM)
    except InvalidRequest as exc:
        raise placed(exc, f"input[{number}]") from exc
    content = item.content or item.output or item.arguments or raw
    try:
        return message_view(item.role or item.type or "message", content)
    except InvalidRequest as exc:
        raise InvalidRequest(exc.message, param=f"input[{number}]") from exc


def _contract(wanted: _Format) -> OutputContract | None:
    if wanted.type == "json_object":
        return OutputContract()
    if wanted.type == "json_schema":
        return OutputContract(schema=bytes(wanted.schema) if _given(wanted.schema) else None)
    return None
