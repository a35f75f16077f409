"""One request as it arrives on the wire, read leniently: the caller under rehearsal is not the one being tested here.

Not covered: trailers, ``Expect: 100-continue``, HTTP/2.
"""

import asyncio
from typing import Literal

import msgspec

Operation = Literal["chat", "embeddings", "models", "other"]

HEAD_LIMIT_BYTES = 64 * 1024
_BODY_LIMIT_BYTES = 256 * 1024 * 1024
_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/chat/completions"): "chat",
    ("POST", "/v1/embeddings"): "embeddings",
    ("GET", "/v1/models"): "models",
}


class BadRequest(Exception):
    """What arrived cannot be answered; the message goes back with status 400."""


class Request(msgspec.Struct, frozen=True):
    """Method, path without its query, headers (names in lower case) and body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    size: int
    """Bytes that it took on the wire, framing of a chunked body not counted."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(msgspec.Struct):
    model: str = "fault"
    max_tokens: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the request asks for, as far as an answer depends on it."""

    operation: Operation
    model: str
    stream: bool = False
    include_usage: bool = False
    prompt_tokens: int = 1
    max_tokens: int | None = None


def read_ask(request: Request, path: str) -> Ask:
    """The wish behind a request whose path, without a fault's prefix, is ``path``; `BadRequest` for no JSON object."""
    operation = _OPERATIONS.get((request.method, path), "other")
    if operation in ("models", "other"):
        return Ask(operation=operation, model="fault")
    try:
        body = msgspec.json.decode(request.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"the body is no request for {operation}: {exc}") from exc
    options = body.stream_options or _StreamOptions()
    return Ask(
        operation=operation,
        model=body.model,
        stream=bool(body.stream) and operation == "chat",
        include_usage=bool(options.include_usage),
        prompt_tokens=max(1, len(request.body) // 4),
        max_tokens=body.max_tokens,
    )


async def read_request(first: bytes, reader: asyncio.StreamReader) -> Request:
    """The request that begins with the byte ``first``."""
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as exc:
        raise BadRequest(f"the headers are larger than {HEAD_LIMIT_BYTES} bytes") from exc
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, _, rest = start.partition(" ")
    target = rest.partition(" ")[0]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not target.startswith("/"):
        raise BadRequest(f"{start[:80]!r} is not an HTTP/1 request for a path")
    body = await _read_body(headers, reader)
    return Request(method, target.partition("?")[0], headers, body, len(head) + len(body))


async def _read_body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        parts = []
        while chunk := await reader.readexactly(_size((await reader.readline()).split(b";")[0], 16)):
            parts.append(chunk)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return b"".join(parts)
    return await reader.readexactly(_size(headers.get("content-length", "0").encode(), 10))


def _size(digits: bytes, base: int) -> int:
    try:
        size = int(digits, base)
    except ValueError as exc:
        raise BadRequest(f"{digits[:40]!r} is not a length") from exc
    if not 0 <= size <= _BODY_LIMIT_BYTES:
        raise BadRequest(f"a body of {size} bytes is more than this server takes ({_BODY_LIMIT_BYTES})")
    return size
