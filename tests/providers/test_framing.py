"""Answers on the wire: every framing gives the same body, and what is no answer is said so."""

import asyncio
import gzip
import time
import zlib

import pytest

from llmops.errors import UpstreamBroken
from tests.fakes.road import fetch, raw, road, send
from tests.fakes.upstream import Script, Upstream, Wire, answering, eventually

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(raw(OK + b"Content-Length: 5\r\n\r\nhello"), id="content-length"),
        pytest.param(raw(OK + b"content-length:5\r\n\r\nhel", b"lo"), id="two writes"),
        pytest.param(raw(*[bytes([byte]) for byte in OK + b"Content-Length: 5\r\n\r\nhello"]), id="byte by byte"),
        pytest.param(raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"), id="chunked"),
        pytest.param(
            raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"), id="trailers"
        ),
        pytest.param(raw(OK + b"\r\nhello", close=True), id="until the end"),
        pytest.param(raw(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo", close=True), id="http/1.0"),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello"), id="100"),
        pytest.param(
            raw(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                b"HTTP/1.1 103 Early Hints\r\n\r\n",
                OK + b"Content-Length: 5\r\n\r\nhello",
            ),
            id="103 twice",
        ),
        pytest.param(
            raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0)),
            id="gzip",
        ),
        pytest.param(
            raw(OK + b"Content-Encoding: deflate\r\nContent-Length: 13\r\n\r\n" + zlib.compress(b"hello")), id="deflate"
        ),
        pytest.param(raw(OK + b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"), id="identity"),
    ],
)
async def test_every_framing_gives_the_same_body(script: Script) -> None:
    async with Upstream(script) as upstream, road() as transport:
        for _ in range(3):
            assert await fetch(transport, upstream) == b"hello"


@pytest.mark.parametrize(
    ("script", "message"),
    [
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
        (
            raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(b"hello", mtime=0)[:20]),
            "cut short",
        ),
    ],
)
async def test_what_is_not_an_answer_is_said_so(script: Script, message: str) -> None:
    async with Upstream(script) as upstream, road() as transport:
        started = time.monotonic()
        with pytest.raises(UpstreamBroken, match=message):
            await fetch(transport, upstream)
        assert time.monotonic() - started < 1
        assert await eventually(lambda: transport.open_connections == 0)
        assert await upstream.until_open(0)


@pytest.mark.parametrize(
    "rest",
    [b"garbage", b"\r\n\r\n", OK + b"Content-Length: 3\r\n\r\nbad", OK + b"Content-Length: 3\r\n\r\n", b"HTTP/1.1 2"],
)
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
        with pytest.raises(UpstreamBroken, match=r"expands beyond reason|larger than"):
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
