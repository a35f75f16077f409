"""What policies see of a Messages request, decoded without building the rest.

``view_counted`` is the same for ``/v1/messages/count_tokens``, whose body is a Messages request without the fields
that only an answer needs (``max_tokens``, ``stream``).
"""

from typing import Annotated

import msgspec

from ...errors import InvalidRequest
from ...types import MessageView, OutputContract, RequestView
from ..dialect import decode_request
from ..masking import message_view
from ..prompt_wish import check_present, read_prompt

MaxTokens = Annotated[int, msgspec.Meta(ge=0)]
"""0 is allowed: it fills the prompt cache without an answer."""


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Format(msgspec.Struct):
    type: str = ""
    schema: msgspec.Raw = msgspec.Raw()


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None


class _MessageView(msgspec.Struct):
    role: str
    content: msgspec.Raw


class _View(msgspec.Struct):
    model: str = ""
    messages: list[_MessageView] | msgspec.UnsetType = msgspec.UNSET
    prompt: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    max_tokens: MaxTokens | None = None
    stream: bool | None = None
    metadata: _Metadata | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    """The name of ``output_config.format`` while it was in beta."""


_VIEW = msgspec.json.Decoder(_View)


def view(body: bytes) -> RequestView:
    wire: _View = decode_request(body, _VIEW)
    seen = _view(wire, body, stream=bool(wire.stream))
    if seen.prompt is None:  # otherwise it may come with the prompt
        require_max_tokens(wire.max_tokens)
    return seen


def view_counted(body: bytes) -> RequestView:
    return _view(decode_request(body, _VIEW), body, stream=False)


def require_max_tokens(max_tokens: int | None) -> None:
    """Anthropic has no default for the output limit: a request without it is refused, whoever will answer it."""
    if max_tokens is None:
        raise InvalidRequest("max_tokens is required: the most tokens the answer may have", param="max_tokens")


def _view(wire: _View, body: bytes, *, stream: bool) -> RequestView:
    prompt = read_prompt(wire.prompt) if wire.prompt else None
    if prompt is None and not (wire.model and wire.messages):
        check_present(body, "model", "messages")
        if not wire.messages:
            raise InvalidRequest("messages must hold at least one message", param="messages")
    messages: list[MessageView] = []
    if bytes(wire.system) not in (b"", b"null"):
        messages.append(message_view("system", wire.system))
    messages.extend(message_view(message.role, message.content) for message in wire.messages or ())
    wanted = (wire.output_config.format if wire.output_config else None) or wire.output_format
    return RequestView(
        model=wire.model,
        stream=stream,
        wants_usage=True,
        max_tokens=wire.max_tokens,
        user=wire.metadata.user_id if wire.metadata else None,
        output=OutputContract(schema=bytes(wanted.schema) or None) if wanted and wanted.type == "json_schema" else None,
        messages=messages,
        prompt=prompt,
    )
