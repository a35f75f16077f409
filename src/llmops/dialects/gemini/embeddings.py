"""Gemini's ``batchEmbedContents``: the neutral `EmbeddingRequest` out, its vectors back.

Gemini counts no tokens here in its older answers; then the usage says that there is none.
"""

from typing import Annotated, Any

import msgspec

from ...errors import UpstreamBroken
from ...types import Usage
from ..embeddings import EmbeddingRequest
from .errors import event_error

_MAX_FLOAT32 = 3.4028234e38
_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class _Embedding(msgspec.Struct):
    values: list[Annotated[float, msgspec.Meta(ge=-_MAX_FLOAT32, le=_MAX_FLOAT32)]]


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: _Count = None


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[_Embedding] | None = None
    usage_metadata: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_REPLY = msgspec.json.Decoder(_Reply)


def write_embeddings(request: EmbeddingRequest, model: str) -> bytes:
    """One request for each text; ``encoding_format`` is ours to apply to the answer, ``leftover`` the caller's to
    judge."""
    name = model if "/" in model else f"models/{model}"
    wire: list[dict[str, Any]] = []
    for text in request.inputs:
        one: dict[str, Any] = {"model": name, "content": {"parts": [{"text": text}]}}
        if request.dimensions is not None:
            one["outputDimensionality"] = request.dimensions
        wire.append(one)
    return msgspec.json.encode({"requests": wire})


def read_embeddings(body: bytes, count: int) -> tuple[list[list[float]], Usage]:
    """The vectors, in the order of the ``count`` texts, and the usage. Raises `UpstreamBroken`, or what the body
    reports."""
    try:
        reply = _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream's answer holds no embeddings: {exc}", upstream_status=200) from exc
    if bytes(reply.error) != b"null":
        raise event_error(body)
    vectors = [embedding.values for embedding in reply.embeddings or ()]
    if len(vectors) != count:
        raise UpstreamBroken(
            f"the upstream answered {count} inputs with {len(vectors)} embeddings", upstream_status=200
        )
    reported = reply.usage_metadata
    if reported is None or reported.prompt_token_count is None:
        return vectors, Usage(source="none")
    return vectors, Usage(prompt=reported.prompt_token_count)
