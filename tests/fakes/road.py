"""The transport on its way to a scripted upstream: opened, used and closed, with nothing left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmops.providers.http1 import Exchange, Timeouts
from llmops.providers.transport import Origin, Transport

from .upstream import Script, Upstream, Wire, eventually

REQUEST = b"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def road(timeouts: Timeouts | None = None) -> AsyncIterator[Transport]:
    transport = Transport(timeouts or Timeouts(connect_s=2, first_byte_s=2, idle_s=2, total_s=5))
    try:
        yield transport
    finally:
        await transport.aclose()
        assert await eventually(lambda: transport.open_connections == 0)


async def send(transport: Transport, upstream: Upstream) -> Exchange:
    return await transport.request(Origin.of(upstream.url), REQUEST)


async def fetch(transport: Transport, upstream: Upstream) -> bytes:
    exchange = await send(transport, upstream)
    try:
        return await exchange.body(1_000_000)
    finally:
        exchange.close()


def raw(*parts: bytes, close: bool = False, cut: bool = False) -> Script:
    """A script that sends exactly these bytes, one write each."""

    async def script(wire: Wire) -> None:
        for part in parts:
            await wire.raw(part)
            await asyncio.sleep(0.005)
        if cut:
            wire.cut()
        elif close:
            wire.close()

    return script
