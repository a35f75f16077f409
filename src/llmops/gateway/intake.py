"""Taking a request in: its identity, its headers and its body, within bounds, before anything is made of it."""

import asyncio
import re
from contextlib import suppress

import msgspec

from ..clock import Clock, Ids
from ..errors import BodyTooLarge, ClientDisconnected, HeadersTooLarge, InvalidRequest
from ..telemetry.trace_context import read_traceparent, write_traceparent
from .asgi import Headers, Message, Receive, Scope

_STRINGS = re.compile(rb'"[^"]*(?:"|\Z)')
_DISCARD_PAUSE_S = 2.0
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))


class Arrival(msgspec.Struct, kw_only=True, gc=False):
    """Who a request is, from its first moment on: identifiers, trace context and time."""

    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    trace_flags: str
    tracestate: str | None
    started_at_s: float
    started_s: float

    def response_headers(self) -> Headers:
        """What every response carries."""
        traceparent = write_traceparent(self.trace_id, self.span_id, self.trace_flags)
        return [(b"x-request-id", self.request_id.encode()), (b"traceparent", traceparent.encode())]


def arrive(headers: dict[bytes, bytes], clock: Clock, ids: Ids) -> Arrival:
    """Give a request its identity; a valid ``traceparent`` is continued."""
    parent = None
    traceparent = headers.get(b"traceparent")
    if traceparent is not None:
        parent = read_traceparent(traceparent.decode("latin-1"))
    tracestate = headers.get(b"tracestate") if parent is not None else None
    return Arrival(
        request_id=ids.request_id(),
        trace_id=parent.trace_id if parent is not None else ids.trace_id(),
        span_id=ids.span_id(),
        parent_span_id=parent.span_id if parent is not None else None,
        trace_flags=parent.flags if parent is not None else "01",
        tracestate=tracestate.decode("latin-1")[:512] if tracestate is not None else None,
        started_at_s=clock.now_s(),
        started_s=clock.monotonic_s(),
    )


def check_headers(scope: Scope, limit_bytes: int) -> None:
    """Raise `HeadersTooLarge` when one header is larger than the limit, or all together than four times that."""
    sizes = [len(name) + len(value) for name, value in scope["headers"]]
    if sum(sizes) > 4 * limit_bytes:
        raise HeadersTooLarge(f"the headers together are larger than {4 * limit_bytes} bytes")
    if sizes and max(sizes) > limit_bytes:
        name = scope["headers"][sizes.index(max(sizes))][0][:40].decode("latin-1")
        raise HeadersTooLarge(f"the header {name!r} is larger than {limit_bytes} bytes")


async def read_body(headers: dict[bytes, bytes], receive: Receive, limit_bytes: int) -> bytes:
    """The whole body; `BodyTooLarge` past the limit, before reading where the length is announced."""
    announced = headers.get(b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding != b"identity":
        raise InvalidRequest(f"the body is encoded as {encoding.decode('latin-1')!r}; send it plain")
    message = await _receive_part(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await _receive_part(receive)
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
    return b"".join(parts)


async def discard_rest(receive: Receive, limit_bytes: int) -> None:
    """Read what is left of a refused body, within bounds, and throw it away.

    Closing a connection with unread bytes resets it, and the client would see that instead of the answer.
    """
    size = 0
    with suppress(TimeoutError, ClientDisconnected):
        while size <= limit_bytes:
            async with asyncio.timeout(_DISCARD_PAUSE_S):
                message = await _receive_part(receive)
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return


async def _receive_part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected("the client left before its request was complete")
    return message


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is larger than the {limit_bytes} bytes accepted here; send less, or raise server.body_limit_bytes"
    )


def check_nesting(body: bytes, limit: int) -> None:
    """Raise `InvalidRequest` when the JSON is nested deeper than ``limit``.

    Nearly every body has fewer brackets than the limit and is done after a count. Otherwise escapes, text and strings
    are taken out, and innermost pairs removed layer by layer: what is left after ``limit`` layers is too deep (or not
    balanced, which the decoder will say better). Every step is one linear pass in C, whatever the body.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = unescaped.translate(_ONE_KIND, _NOT_STRUCTURE).replace(b'""', b"")
    brackets = _STRINGS.sub(b"", structure)
    for _ in range(limit):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return
        brackets = shorter
    if brackets:
        raise InvalidRequest(f"the body is nested deeper than the {limit} levels accepted here")
