"""The ASGI application that all clients share, so that only the client differs between two of them.

It reads the request's body, hands it to the client, and the client answers with `begin` and `more`. A body that asks
for a stream is answered chunk by chunk as the client hands them out, any other in one piece. ``BENCH_UPSTREAM`` names
the upstream's origin. Not covered: disconnects, errors, limits, headers other than those of the benchmark.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from .. import wire

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = Callable[[bytes, Send], Awaitable[None]]
"""Sends the body upstream and what comes back to the client."""
Client = Callable[[str], AbstractAsyncContextManager[Answer]]
"""Opens the HTTP client for an origin, for as long as the server lives."""

HEADERS = {"authorization": f"Bearer {wire.KEY}", "content-type": "application/json"}
JSON, EVENTS = [(b"content-type", b"application/json")], [(b"content-type", b"text/event-stream")]


class PassThrough:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._answer: Answer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["method"] == "GET":
            await whole(send, 200, b"{}")
        else:
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body"):
                message = await receive()
                body += message.get("body", b"")
            await self._answer(body, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._client(os.environ["BENCH_UPSTREAM"]) as self._answer:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def streams(body: bytes) -> bool:
    """Whether this request asks for a stream."""
    return b'"stream":true' in body


async def whole(send: Send, status: int, body: bytes) -> None:
    headers = [*JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": EVENTS})


async def more(send: Send, chunk: bytes, more_body: bool = True) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": more_body})
