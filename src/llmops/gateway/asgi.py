"""The ASGI types and the few messages the gateway sends, as bytes."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
TEXT: tuple[bytes, bytes] = (b"content-type", b"text/plain; version=1.0.0; charset=utf-8")
EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Response(NamedTuple):
    """A complete response that is known at once."""

    status: int
    headers: Headers
    body: bytes


async def send_body(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A complete response."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
