"""OpenAI's Embeddings dialect: the fast lane on bytes, and the neutral `EmbeddingRequest` for translation.

An input is a text, a list of texts, an array of tokens or a list of such arrays. Tokens mean something only to the
model they were made for, so they pass on the fast lane and are refused where a request is translated. There are no
streams and no conversation, hence only the parts of a `Dialect` that embeddings need.
"""

import sys
from array import array
from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec

from ..errors import InvalidRequest, UpstreamBroken
from ..types import MessageView, Outcome, RequestView, Usage
from .dialect import decode_request, patch_fields
from .masking import message_view
from .openai_errors import read_error, write_error

EncodingFormat = Literal["float", "base64"]


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request in neutral form. ``leftover`` names the parameters that have no neutral meaning."""

    inputs: list[str]
    dimensions: int | None = None
    encoding_format: EncodingFormat = "float"
    leftover: list[str] = []


class _View(msgspec.Struct):
    model: str
    input: msgspec.Raw
    user: str | None = None


class _Request(msgspec.Struct):
    """``user`` is known and means nothing to another provider's embeddings."""

    model: str
    input: msgspec.Raw
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: EncodingFormat | None = None
    user: str | None = None


class _Embedding(msgspec.Struct):
    embedding: msgspec.Raw


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Embedding]
    model: str | None = None
    usage: _Usage | None = None


_VIEW = msgspec.json.Decoder(_View)
_REQUEST = msgspec.json.Decoder(_Request)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Request.__struct_fields__)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXTS = msgspec.json.Decoder(list[str])
_TEXT = msgspec.json.Decoder(str)
_TOKENS = msgspec.json.Decoder(list[int])
_REPLY = msgspec.json.Decoder(_Reply)

_Kind = Literal["text", "texts", "tokens", "token_arrays"]


class EmbeddingsDialect:
    """The dialect of ``/v1/embeddings``."""

    name = "embeddings"

    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)

    def view(self, body: bytes) -> RequestView:
        wire: _View = decode_request(body, _VIEW)
        return RequestView(model=wire.model, user=wire.user, messages=_view_input(wire.input))

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        return patch_fields(body, {"model": model})

    def tap_reply(self, body: bytes, outcome: Outcome) -> None:
        try:
            wire = _REPLY.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise UpstreamBroken(
                f"the upstream's answer is not a list of embeddings: {exc}", upstream_status=200
            ) from exc
        outcome.model = wire.model
        if wire.usage is not None:
            outcome.usage = Usage(prompt=wire.usage.prompt_tokens or 0)

    def read_request(self, body: bytes) -> EmbeddingRequest:
        """Raises `InvalidRequest`, also for tokens: only text can be translated."""
        wire: _Request = decode_request(body, _REQUEST)
        given: dict[str, Any] = decode_request(body, _OBJECT)
        leftover = [name for name, value in given.items() if name not in _KNOWN and value is not None]
        return EmbeddingRequest(
            inputs=_read_texts(wire.input),
            dimensions=wire.dimensions,
            encoding_format=wire.encoding_format or "float",
            leftover=leftover,
        )

    def write_reply(
        self, vectors: list[list[float]], model: str, usage: Usage, encoding_format: EncodingFormat = "float"
    ) -> bytes:
        """The answer, one vector for each input in order. Its usage is required by the wire, so it is 0 if unknown."""
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": write_base64(vector) if encoding_format == "base64" else vector,
            }
            for index, vector in enumerate(vectors)
        ]
        return msgspec.json.encode(
            {
                "object": "list",
                "data": data,
                "model": model,
                "usage": {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt},
            }
        )


def write_base64(vector: list[float]) -> str:
    """A vector as base64 of little-endian float32, four bytes a number."""
    packed = array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return b64encode(packed.tobytes()).decode("ascii")


def _view_input(given: msgspec.Raw) -> list[MessageView]:
    kind = _kind(given)
    if kind in ("text", "tokens"):
        return [message_view("input", given)]
    return [message_view("input", item) for item in _ITEMS.decode(given)]


def _read_texts(given: msgspec.Raw) -> list[str]:
    match _kind(given):
        case "text":
            return [_TEXT.decode(given)]
        case "texts":
            return _TEXTS.decode(given)
    raise InvalidRequest(
        "the deployment behind this model takes text only: send input as a string or a list of strings, not as tokens",
        param="input",
    )


def _kind(given: msgspec.Raw) -> _Kind:
    """Check an input and tell its kind. Raises `InvalidRequest` unless it is of one kind throughout, and not empty."""
    raw = bytes(given)
    try:
        if raw[:1] == b'"':
            if _TEXT.decode(raw):
                return "text"
        elif raw[:1] == b"[" and (items := _ITEMS.decode(raw)):
            match bytes(items[0])[:1]:
                case b'"':
                    _TEXTS.decode(raw)
                    return "texts"
                case b"[":
                    for item in items:
                        _TOKENS.decode(item)
                    return "token_arrays"
                case _:
                    _TOKENS.decode(raw)
                    return "tokens"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidRequest(
            f"input must be a string, a list of strings, or arrays of integer tokens: {exc}", param="input"
        ) from exc
    raise InvalidRequest(
        "input must be a string, a list of strings, or arrays of integer tokens, and not empty", param="input"
    )
