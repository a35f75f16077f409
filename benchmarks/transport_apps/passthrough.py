"""The ASGI application that all clients share, so that only the client differs between two of them.

A request for a stream is answered chunk by chunk as the client hands them out, any other in one piece. The variable
BENCH_UPSTREAM names the upstream's origin. Not covered: disconnects, errors, limits, headers but the benchmark's.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from .. import wire

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = Callable[[bytes, Send], Awaitable[None]]  # sends a body upstream, and what comes back to the caller
Client = Callable[[str], AbstractAsyncContextManager[Answer]]  # an HTTP client for an origin, open until shutdown

HEADERS = {"authorization": f"Bearer {wire.KEY}", "content-type": "application/json"}
EVENTS = [(b"content-type", b"text/event-stream")]


class PassThrough:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._answer: Answer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with self._client(os.environ["BENCH_UPSTREAM"]) as self._answer:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["method"] == "GET":
            await whole(send, 200, b"{}")
        else:
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message.get("more_body", False)
            await self._answer(body, send)


async def whole(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send: Send, status: int, read: Callable[[], Awaitable[Any]]) -> None:
    """Pass on what ``read`` returns until it is empty or None."""
    await send({"type": "http.response.start", "status": status, "headers": EVENTS})
    while chunk := await read():
        await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
