"""What policies see of a Chat Completions request, decoded without building the rest."""

from typing import Annotated

import msgspec

from ...errors import InvalidRequest
from ...types import MessageView, OutputContract, RequestView
from ..dialect import decode_request
from ..masking import message_view
from ..prompt_wish import check_present, read_prompt


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool = False


class _ResponseFormat(msgspec.Struct, gc=False):
    type: str = "text"
    json_schema: msgspec.Raw = msgspec.Raw()


class _MessageView(msgspec.Struct, gc=False):
    role: str
    content: msgspec.Raw = msgspec.Raw(b"null")


class _View(msgspec.Struct, gc=False):
    model: str = ""
    messages: list[_MessageView] | msgspec.UnsetType = msgspec.UNSET
    prompt: msgspec.Raw = msgspec.Raw()
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    response_format: _ResponseFormat | None = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _SchemaHolder(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw()


_VIEW = msgspec.json.Decoder(_View)
_SCHEMA_HOLDER = msgspec.json.Decoder(_SchemaHolder)


def view(body: bytes) -> RequestView:
    wire: _View = decode_request(body, _VIEW)
    prompt = read_prompt(wire.prompt) if wire.prompt else None
    if prompt is None and not (wire.model and wire.messages):
        check_present(body, "model", "messages")
        if not wire.messages:
            raise InvalidRequest("messages must hold at least one message", param="messages")
    messages: list[MessageView] = [message_view(message.role, message.content) for message in wire.messages or ()]
    return RequestView(
        model=wire.model,
        stream=bool(wire.stream),
        wants_usage=wire.stream_options is not None and wire.stream_options.include_usage,
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        user=wire.user,
        cache_key=wire.prompt_cache_key,
        output=_contract(wire.response_format) if wire.response_format else None,
        messages=messages,
        choices=wire.n or 1,
        prompt=prompt,
    )


def _contract(wanted: _ResponseFormat) -> OutputContract | None:
    if wanted.type == "json_object":
        return OutputContract()
    if wanted.type == "json_schema" and wanted.json_schema:
        return OutputContract(schema=bytes(decode_request(wanted.json_schema, _SCHEMA_HOLDER).schema) or None)
    return None
