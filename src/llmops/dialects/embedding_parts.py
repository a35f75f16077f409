"""An embeddings call taken apart, input by input, and its answer put together again.

Inputs and vectors stay the bytes that they were: a vector that is put together from several answers is, digit for
digit, what the upstream wrote.
"""

from collections.abc import Sequence

import msgspec

from ..errors import UpstreamBroken
from .dialect import patch_fields


class _Request(msgspec.Struct):
    input: msgspec.Raw


class _Embedding(msgspec.Struct):
    embedding: msgspec.Raw
    index: int = 0


class _Reply(msgspec.Struct):
    data: list[_Embedding]


_REQUEST = msgspec.json.Decoder(_Request)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_REPLY = msgspec.json.Decoder(_Reply)


def split_inputs(body: bytes) -> list[bytes]:
    """The inputs of a request that has been checked, each as its JSON. One text and one array of tokens are one."""
    raw = bytes(_REQUEST.decode(body).input)
    if raw[:1] == b"[" and (items := _ITEMS.decode(raw)) and bytes(items[0])[:1] in (b'"', b"["):
        return [bytes(item) for item in items]
    return [raw]


def with_inputs(body: bytes, inputs: Sequence[bytes]) -> bytes:
    """The same request for these inputs."""
    return patch_fields(body, {"input": [msgspec.Raw(each) for each in inputs]})


def split_vectors(reply: bytes, count: int) -> list[bytes]:
    """The vectors of an answer as JSON, in the order of the inputs; `UpstreamBroken` unless there are ``count``."""
    data = sorted(_REPLY.decode(reply).data, key=lambda each: each.index)
    if [each.index for each in data] != list(range(count)):
        raise UpstreamBroken(f"the upstream gave {len(data)} embeddings for {count} inputs", upstream_status=200)
    return [bytes(each.embedding) for each in data]


def join_vectors(vectors: Sequence[bytes], model: str, prompt_tokens: int) -> bytes:
    """An answer with these vectors."""
    data = [
        {"object": "embedding", "index": index, "embedding": msgspec.Raw(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": model, "usage": usage})
