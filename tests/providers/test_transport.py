"""The road to upstreams on real sockets: reuse, time-outs, back-pressure, leaving, and that nothing is left behind."""

import asyncio
import itertools
import socket

import pytest

from llmops.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from llmops.providers.transport import Origin
from llmops.types import Timeouts
from tests.fakes.road import REQUEST, fetch, road, send
from tests.fakes.upstream import Upstream, Wire, answering, eventually

# --- connections --------------------------------------------------------------------------------------------------


async def test_a_connection_is_kept_and_used_again() -> None:
    async with Upstream(answering(200, b"{}")) as upstream, road() as transport:
        for _ in range(5):
            assert await fetch(transport, upstream) == b"{}"
        assert (upstream.connections, transport.open_connections) == (1, 1)


async def test_calls_at_the_same_time_have_connections_of_their_own_which_are_then_shared() -> None:
    async def slow(wire: Wire) -> None:
        await asyncio.sleep(0.02)
        await wire.answer(200, wire.request.body)

    async with Upstream(slow) as upstream, road() as transport:
        for _ in range(3):
            assert await asyncio.gather(*[fetch(transport, upstream) for _ in range(8)]) == [b"{}"] * 8
        assert upstream.connections == 8


async def test_an_answer_that_closes_is_not_kept() -> None:
    async def closing(wire: Wire) -> None:
        await wire.answer(200, b"{}", {"connection": "close"})
        wire.close()

    async with Upstream(closing) as upstream, road() as transport:
        for _ in range(3):
            assert await fetch(transport, upstream) == b"{}"
        assert upstream.connections == 3
        assert await eventually(lambda: transport.open_connections == 0)


async def test_a_connection_gone_stale_costs_nothing() -> None:
    """The upstream closed it unannounced, just as the next request is sent: a fresh one is tried once."""
    served = 0

    async def fickle(wire: Wire) -> None:
        nonlocal served
        served += 1
        if served == 2:
            wire.cut()
        else:
            await wire.answer(200, b"{}")

    async with Upstream(fickle) as upstream, road() as transport:
        assert await fetch(transport, upstream) == b"{}"
        assert await fetch(transport, upstream) == b"{}"
        assert (served, upstream.connections) == (3, 2)


async def test_a_fresh_connection_that_is_closed_is_not_tried_again() -> None:
    async def cutting(wire: Wire) -> None:
        wire.cut()

    async with Upstream(cutting) as upstream, road() as transport:
        with pytest.raises(UpstreamBroken, match="without an answer"):
            await fetch(transport, upstream)
        assert len(upstream.requests) == 1


async def test_an_idle_connection_that_the_upstream_closes_is_forgotten() -> None:
    async def farewell(wire: Wire) -> None:
        await wire.answer(200, b"{}")
        wire.close()

    async with Upstream(farewell) as upstream, road() as transport:
        await fetch(transport, upstream)
        assert await eventually(lambda: transport.open_connections == 0)
        assert await fetch(transport, upstream) == b"{}"


async def test_a_server_that_accepts_and_hangs_up_is_an_error_at_once() -> None:
    def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    async with server, road() as transport:
        for _ in range(20):
            with pytest.raises(UpstreamError):
                await asyncio.wait_for(transport.request(origin, REQUEST), 1)
        assert await eventually(lambda: transport.open_connections == 0)


# --- connecting ---------------------------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with road() as transport:
        with pytest.raises(UpstreamUnreachable, match=f"no connection to http://127.0.0.1:{port}"):
            await transport.request(Origin("http", "127.0.0.1", port), REQUEST)


async def test_a_name_that_does_not_exist() -> None:
    async with road() as transport:
        with pytest.raises(UpstreamUnreachable, match=r"no-such-host\.invalid.*cannot be resolved"):
            await transport.request(Origin("http", "no-such-host.invalid", 80), REQUEST)


async def test_connecting_takes_too_long() -> None:
    """A listener whose queue is full lets nobody in."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            await asyncio.sleep(0.05)
            async with road() as transport:
                with pytest.raises(UpstreamTimeout, match=r"no connection to .* within 0\.2 s"):
                    await transport.request(Origin("http", *listener.getsockname()), REQUEST, Timeouts(connect_s=0.2))
        finally:
            for filler in fillers:
                filler.close()


# --- time ---------------------------------------------------------------------------------------------------------


async def test_no_answer_in_time() -> None:
    async def silent(wire: Wire) -> None:
        await asyncio.sleep(30)

    async with Upstream(silent) as upstream, road(Timeouts(first_byte_s=0.1)) as transport:
        with pytest.raises(UpstreamTimeout, match=r"did not begin to answer within 0\.1 s"):
            await fetch(transport, upstream)
        assert await upstream.until_open(0)
        assert upstream.hung_up == 1


async def test_a_head_that_trickles_in_is_no_answer() -> None:
    """A byte now and then keeps no call alive: the limit is for all of the head."""

    async def trickle(wire: Wire) -> None:
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}":
            await wire.raw(bytes((byte,)))
            await asyncio.sleep(0.05)

    async with Upstream(trickle) as upstream, road(Timeouts(first_byte_s=0.2)) as transport:
        with pytest.raises(UpstreamTimeout, match=r"did not begin to answer within 0\.2 s"):
            await asyncio.wait_for(fetch(transport, upstream), 1)
        assert await upstream.until_open(0)


async def test_silence_in_the_middle() -> None:
    async def stuck(wire: Wire) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        await asyncio.sleep(30)

    async with Upstream(stuck) as upstream, road(Timeouts(idle_s=0.1)) as transport:
        exchange = await send(transport, upstream)
        assert await exchange.chunk() == b"one"
        with pytest.raises(UpstreamTimeout, match=r"sent nothing more within 0\.1 s"):
            await exchange.chunk()
        exchange.close()
        assert await upstream.until_open(0)


async def test_an_answer_that_never_ends() -> None:
    async def endless(wire: Wire) -> None:
        await wire.begin()
        while True:
            await wire.chunk(b"more")
            await asyncio.sleep(0.02)

    async with Upstream(endless) as upstream, road(Timeouts(idle_s=5, total_s=0.2)) as transport:
        with pytest.raises(UpstreamTimeout, match=r"did not finish within 0\.2 s"):
            await fetch(transport, upstream)
        assert await upstream.until_open(0)


async def test_slow_but_steady_is_fine() -> None:
    async def steady(wire: Wire) -> None:
        await asyncio.sleep(0.1)
        await wire.begin()
        for _ in range(10):
            await asyncio.sleep(0.05)
            await wire.chunk(b".")
        await wire.end()

    async with Upstream(steady) as upstream, road(Timeouts(first_byte_s=0.3, idle_s=0.3)) as transport:
        assert await fetch(transport, upstream) == b"." * 10


# --- back-pressure and leaving ------------------------------------------------------------------------------------


async def test_a_slow_reader_slows_the_upstream_down() -> None:
    """100 MB are on offer and nobody reads: what is on its way stays within kernel buffers and a small window."""
    sent = 0

    async def flood(wire: Wire) -> None:
        nonlocal sent
        await wire.begin()
        for _ in range(1600):
            await wire.chunk(b"x" * 65_536)
            sent += 65_536
        await wire.end()

    async with Upstream(flood) as upstream, road(Timeouts(idle_s=0.2, total_s=20)) as transport:
        exchange = await send(transport, upstream)
        await asyncio.sleep(0.5)  # longer than idle_s: it is the reader who is slow
        assert sent < 20_000_000
        received = 0
        while data := await exchange.chunk():
            received += len(data)
            assert len(data) < 2_000_000
        assert received == 1600 * 65_536


async def test_leaving_a_stream_closes_the_upstream_connection_at_once() -> None:
    async def endless(wire: Wire) -> None:
        await wire.begin()
        while True:
            await wire.chunk(b"more")
            await asyncio.sleep(0.01)

    async with Upstream(endless) as upstream, road() as transport:
        exchange = await send(transport, upstream)
        await exchange.chunk()
        exchange.close()
        exchange.close()
        assert await upstream.until_open(0, within_s=0.5)
        assert transport.open_connections == 0


@pytest.mark.parametrize("wait_s", [0.0, 0.001, 0.05])
async def test_cancelling_a_call_closes_its_connection(wait_s: float) -> None:
    """While connecting, while waiting for the headers, whenever."""

    async def silent(wire: Wire) -> None:
        await asyncio.sleep(30)

    async with Upstream(silent) as upstream, road() as transport:
        calls = [asyncio.create_task(fetch(transport, upstream)) for _ in range(20)]
        await asyncio.sleep(wait_s)
        for call in calls:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert await upstream.until_open(0)
        assert await eventually(lambda: transport.open_connections == 0)


async def test_closing_a_complete_exchange_keeps_the_connection() -> None:
    async with Upstream(answering(200, b"{}")) as upstream, road() as transport:
        exchange = await send(transport, upstream)
        await exchange.body(100)
        exchange.close()
        await fetch(transport, upstream)
        assert upstream.connections == 1


async def test_nothing_is_left_after_mixed_work() -> None:
    """Good answers, cuts, time-outs and cancelled calls together: connections and tasks return to where they were."""
    numbers = itertools.count()

    async def mixed(wire: Wire) -> None:
        match next(numbers) % 4:
            case 0:
                await asyncio.sleep(30)
            case 1:
                wire.cut()
            case _:
                await wire.answer(200, b"{}")

    async with Upstream(mixed) as upstream, road(Timeouts(first_byte_s=0.5)) as transport:
        before = len(asyncio.all_tasks())
        results = await asyncio.gather(*[fetch(transport, upstream) for _ in range(100)], return_exceptions=True)
        assert {type(result) for result in results} == {bytes, UpstreamBroken, UpstreamTimeout}
        await transport.aclose()
        assert await eventually(lambda: transport.open_connections == upstream.open == 0)
        assert await eventually(lambda: len(asyncio.all_tasks()) <= before)


@pytest.mark.parametrize("url", ["ftp://a", "example.com", "http://", "http://a:b@c", "http://a?b=c", "http://a#b"])
def test_an_origin_is_an_http_address_and_nothing_else(url: str) -> None:
    with pytest.raises(ValueError):
        Origin.of(url)


@pytest.mark.parametrize(
    ("url", "host", "text"),
    [
        ("http://a", "a", "http://a"),
        ("https://a:443/x", "a", "https://a"),
        ("https://a:80", "a:80", "https://a:80"),
        ("http://[::1]:9/v1", "[::1]:9", "http://[::1]:9"),
        ("HTTP://A.example", "a.example", "http://a.example"),
    ],
)
def test_the_host_header(url: str, host: str, text: str) -> None:
    assert (Origin.of(url).host_header, str(Origin.of(url))) == (host, text)
