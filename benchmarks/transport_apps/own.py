"""Pass-through over the gateway's own transport, ``src/llmops/providers/transport.py``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmops.providers.transport import Origin, Transport

from .. import wire
from .passthrough import HEADERS, Answer, PassThrough, Send, begin, more, streams, whole

LIMIT_BYTES = 10_000_000


@asynccontextmanager
async def client(upstream: str) -> AsyncIterator[Answer]:
    origin = Origin.of(upstream)
    lines = [f"POST {wire.PATH} HTTP/1.1", f"host: {origin.host_header}", *(f"{k}: {v}" for k, v in HEADERS.items())]
    head = "\r\n".join(lines).encode() + b"\r\ncontent-length: %d\r\n\r\n"
    transport = Transport()

    async def answer(body: bytes, send: Send) -> None:
        exchange = await transport.request(origin, head % len(body) + body)
        if not streams(body):
            await whole(send, exchange.status, await exchange.body(LIMIT_BYTES))
            return
        await begin(send, exchange.status)
        while chunk := await exchange.chunk():
            await more(send, chunk)
        await more(send, b"", False)

    yield answer
    await transport.aclose()


app = PassThrough(client)
