"""Pass-through over pyreqwest (Rust's reqwest), with its stream buffer off: the default withholds the first chunks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyreqwest.client import ClientBuilder

from .. import wire
from .passthrough import HEADERS, Answer, PassThrough, Send, begin, more, streams, whole


@asynccontextmanager
async def client(upstream: str) -> AsyncIterator[Answer]:
    url = upstream + wire.PATH
    async with ClientBuilder().default_headers(HEADERS).follow_redirects(False).no_proxy().build() as session:

        async def answer(body: bytes, send: Send) -> None:
            request = session.post(url).body_bytes(body)
            if not streams(body):
                response = await request.build().send()
                await whole(send, response.status, (await response.bytes()).to_bytes())
                return
            async with request.streamed_read_buffer_limit(0).build_streamed() as response:
                await begin(send, response.status)
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    await more(send, chunk.to_bytes())
                await more(send, b"", False)

        yield answer


app = PassThrough(client)
