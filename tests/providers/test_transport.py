"""The road to upstreams on real sockets: reuse, time-outs, cuts, framings, and what must never be followed."""

import asyncio
import gzip
import itertools
import socket
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llmops.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from llmops.providers.http1 import Exchange, Timeouts
from llmops.providers.transport import Origin, Transport
from tests.fakes.upstream import Script, Upstream, Wire, answering, eventually

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


# --- framings -----------------------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("script", [
    pytest.param(raw(OK + b"Content-Length: 5\r\n\r\nhello"), id="content-length"),
    pytest.param(raw(OK + b"content-length:5\r\n\r\nhel", b"lo"), id="two writes"),
    pytest.param(raw(*[bytes([byte]) for byte in OK + b"Content-Length: 5\r\n\r\nhello"]), id="byte by byte"),
    pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"), id="chunked"),
    pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"), id="trailers"),
    pytest.param(raw(OK + b"\r\nhello", close=True), id="until the end"),
    pytest.param(raw(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo", close=True), id="http/1.0"),
    pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello"), id="100"),
    pytest.param(raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n",
                     OK + b"Content-Length: 5\r\n\r\nhello"), id="103 twice"),
    pytest.param(raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0)),
                 id="gzip"),
    pytest.param(raw(OK + b"Content-Encoding: deflate\r\nContent-Length: 13\r\n\r\n" + zlib.compress(b"hello")),
                 id="deflate"),
    pytest.param(raw(OK + b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"), id="identity"),
])
async def test_every_framing_gives_the_same_body(script: Script) -> None:
    async with Upstream(script) as upstream, road() as transport:
        for _ in range(3):
            assert await fetch(transport, upstream) == b"hello"


@pytest.mark.parametrize(("script", "message"), [
    (raw(cut=True), "without an answer"),
    (raw(close=True), "without an answer"),
    (raw(b"HTTP/1.1 200", cut=True), "in the middle"),
    (raw(OK + b"Content-Le", close=True), "in the middle"),
    (raw(OK + b"Content-Length: 5\r\n\r\nhel", cut=True), "in the middle"),
    (raw(OK + b"Content-Length: 5\r\n\r\nhel", close=True), "in the middle"),
    (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", close=True), "in the middle"),
    (raw(OK + b"\r\nhel", cut=True), "in the middle"),
    (raw(b"<html>go away</html>\r\n\r\n"), "is not HTTP"),
    (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "is not HTTP"),
    (raw(b"\x15\x03\x01\x00\x02\x02\x16"), "is not HTTP"),
    (raw(OK + b"Content-Length: five\r\n\r\n"), "is not HTTP"),
    (raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "is not HTTP"),
    (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello"), "is not HTTP"),
    (raw(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), "is not HTTP"),
    (raw(OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n"), "headers are larger"),
    (raw(OK + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n"), "headers are larger"),
    (raw(OK + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx"), "content-encoding b'br'"),
    (raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), "damaged"),
    (raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(b"hello", mtime=0)[:20]),
     "cut short"),
])
async def test_what_is_not_an_answer_is_said_so(script: Script, message: str) -> None:
    async with Upstream(script) as upstream, road() as transport:
        started = time.monotonic()
        with pytest.raises(UpstreamBroken, match=message):
            await fetch(transport, upstream)
        assert time.monotonic() - started < 1
        assert await eventually(lambda: transport.open_connections == 0)
        assert await upstream.until_open(0)


@pytest.mark.parametrize("rest", [
    b"garbage", b"\r\n\r\n", OK + b"Content-Length: 3\r\n\r\nbad", OK + b"Content-Length: 3\r\n\r\n", b"HTTP/1.1 2",
])
async def test_what_follows_an_answer_never_answers_the_next_call(rest: bytes) -> None:
    """Bytes that nobody asked for cost the connection; the next call has a fresh one and its own answer."""
    async def talkative(wire: Wire) -> None:
        await wire.raw(OK + b"Content-Length: 4\r\n\r\ngood" + rest)

    async with Upstream(talkative) as upstream, road() as transport:
        for _ in range(3):
            assert await asyncio.wait_for(fetch(transport, upstream), 1) == b"good"
            await asyncio.sleep(0.01)


async def test_bytes_on_an_idle_connection_close_it() -> None:
    async def late(wire: Wire) -> None:
        await wire.answer(200, b"good")
        await asyncio.sleep(0.02)
        await wire.raw(OK + b"Content-Length: 3\r\n\r\nbad")

    async with Upstream(late) as upstream, road() as transport:
        for _ in range(2):
            assert await fetch(transport, upstream) == b"good"
            await asyncio.sleep(0.05)
        assert upstream.connections == 2


async def test_a_compressed_answer_that_expands_without_end_is_refused() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with Upstream(answering(200, bomb, {"content-encoding": "gzip"})) as upstream, road() as transport:
        with pytest.raises(UpstreamBroken, match="expands beyond reason|larger than"):
            await fetch(transport, upstream)
        assert await upstream.until_open(0)


async def test_an_answer_larger_than_allowed_is_refused() -> None:
    async with Upstream(answering(200, b"x" * 2_000_000)) as upstream, road() as transport:
        with pytest.raises(UpstreamBroken, match="larger than 1000000 bytes"):
            await fetch(transport, upstream)


async def test_a_redirect_is_handed_up_and_not_followed() -> None:
    async with Upstream(answering(200, b"{}")) as other:
        async with Upstream(answering(307, b"", {"location": f"{other.url}/x"})) as upstream, road() as transport:
            exchange = await send(transport, upstream)
            assert exchange.status == 307
            exchange.close()
        assert other.requests == []


async def test_a_204_has_no_body() -> None:
    async with Upstream(raw(b"HTTP/1.1 204 No Content\r\n\r\n")) as upstream, road() as transport:
        for _ in range(2):
            assert await asyncio.wait_for(fetch(transport, upstream), 1) == b""
        assert upstream.connections == 1


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

    async with Upstream(mixed) as upstream, road(Timeouts(first_byte_s=0.1)) as transport:
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


@pytest.mark.parametrize(("url", "host", "text"), [
    ("http://a", "a", "http://a"), ("https://a:443/x", "a", "https://a"), ("https://a:80", "a:80", "https://a:80"),
    ("http://[::1]:9/v1", "[::1]:9", "http://[::1]:9"), ("HTTP://A.example", "a.example", "http://a.example"),
])
def test_the_host_header(url: str, host: str, text: str) -> None:
    assert (Origin.of(url).host_header, str(Origin.of(url))) == (host, text)
