"""Pass-through over aiohttp, with as many connections as calls (its default is 100) and no cookie jar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from .. import wire
from .passthrough import HEADERS, Answer, PassThrough, Send, begin, more, streams, whole


@asynccontextmanager
async def client(upstream: str) -> AsyncIterator[Answer]:
    url = upstream + wire.PATH
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), headers=HEADERS) as session:

        async def answer(body: bytes, send: Send) -> None:
            async with session.post(url, data=body, allow_redirects=False) as response:
                if not streams(body):
                    await whole(send, response.status, await response.read())
                    return
                await begin(send, response.status)
                async for chunk in response.content.iter_any():
                    await more(send, chunk)
                await more(send, b"", False)

        yield answer


app = PassThrough(client)
