"""The HTTP clients that are compared: each opens itself for an origin and yields how it answers a body.

Imports are inside, for a client may be missing. ``app`` is the pass-through over the one that BENCH_CLIENT names.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .. import wire
from .passthrough import HEADERS, Answer, PassThrough, Send, stream, whole

STREAM = b'"stream":true'


@asynccontextmanager
async def own(upstream: str) -> AsyncIterator[Answer]:
    """The gateway's own transport, ``src/llmops/providers/transport.py``."""
    from llmops.providers.transport import Origin, Transport

    origin = Origin.of(upstream)
    lines = [f"POST {wire.PATH} HTTP/1.1", f"host: {origin.host_header}", *(f"{k}: {v}" for k, v in HEADERS.items())]
    head = "\r\n".join(lines).encode() + b"\r\ncontent-length: %d\r\n\r\n"
    transport = Transport()

    async def answer(body: bytes, send: Send) -> None:
        exchange = await transport.request(origin, head % len(body) + body)
        if STREAM in body:
            await stream(send, exchange.status, exchange.chunk)
        else:
            await whole(send, exchange.status, await exchange.body(10_000_000))

    yield answer
    await transport.aclose()


@asynccontextmanager
async def pyreqwest(upstream: str) -> AsyncIterator[Answer]:
    """Rust's reqwest, with the buffer of streams off: the default withholds the first chunks."""
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().default_headers(HEADERS).follow_redirects(False).no_proxy().build() as session:

        async def answer(body: bytes, send: Send) -> None:
            request = session.post(upstream + wire.PATH).body_bytes(body)
            if STREAM in body:
                async with request.streamed_read_buffer_limit(0).build_streamed() as response:
                    await stream(send, response.status, response.body_reader.read_chunk)
            else:
                response = await request.build().send()
                await whole(send, response.status, bytes(await response.bytes()))

        yield answer


@asynccontextmanager
async def aiohttp(upstream: str) -> AsyncIterator[Answer]:
    """aiohttp, with as many connections as calls (its default is 100) and no cookie jar."""
    from aiohttp import ClientSession, DummyCookieJar, TCPConnector

    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), headers=HEADERS) as session:

        async def answer(body: bytes, send: Send) -> None:
            async with session.post(upstream + wire.PATH, data=body, allow_redirects=False) as response:
                if STREAM in body:
                    await stream(send, response.status, response.content.readany)
                else:
                    await whole(send, response.status, await response.read())

        yield answer


app = PassThrough({"own": own, "pyreqwest": pyreqwest, "aiohttp": aiohttp}[os.environ["BENCH_CLIENT"]])
