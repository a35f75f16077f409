"""Responses as our own writer sends them, over a real connection to uvicorn: framing, endings, and what is refused."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from llmops.gateway.connection import connection_class
from llmops.gateway.server import bind

App = Callable[[Any, Any, Any], Awaitable[None]]
Ask = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def served(app: App) -> AsyncIterator[Ask]:
    """Serve ``app``; the value sends raw requests on one connection and reads until it is closed or quiet."""
    bound = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=connection_class(), ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*bound.getsockname())

    async def ask(request: bytes) -> bytes:
        writer.write(request)
        answer = b""
        try:
            while part := await asyncio.wait_for(reader.read(65536), 0.3):
                answer += part
        except TimeoutError:
            pass
        return answer

    try:
        yield ask
    finally:
        writer.close()
        server.should_exit = True
        await task


def app_of(status: int, headers: list[tuple[bytes, bytes]], *parts: bytes) -> App:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for index, part in enumerate(parts):
            await send({"type": "http.response.body", "body": part, "more_body": index < len(parts) - 1})

    return app


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_a_complete_answer_with_its_length() -> None:
    async with served(app_of(200, [(b"content-length", b"5"), (b"x-a", b"b")], b"hello")) as ask:
        head, _, body = (await ask(GET)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"x-a: b" in head.split(b"\r\n") and body == b"hello"
        assert b"connection: close" not in head
        assert (await ask(GET)).endswith(b"hello"), "the connection is kept"


async def test_without_a_length_it_is_chunked() -> None:
    async with served(app_of(200, [], b"one", b"", b"three", b"")) as ask:
        head, _, body = (await ask(GET)).partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert body == b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_some_answers_have_no_body(status: int) -> None:
    async with served(app_of(status, [], b"")) as ask:
        answer = await ask(GET)
        assert answer.endswith(b"\r\n\r\n") and b"transfer-encoding" not in answer


async def test_head_is_answered_without_the_body() -> None:
    async with served(app_of(200, [(b"content-length", b"5")], b"hello")) as ask:
        answer = await ask(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"content-length: 5" in answer and answer.endswith(b"\r\n\r\n")


async def test_a_closing_connection_says_so_once() -> None:
    headers = [(b"content-length", b"2"), (b"connection", b"close")]
    async with served(app_of(200, headers, b"ok")) as ask:
        answer = await ask(GET)
        assert answer.count(b"connection: close") == 1 and answer.endswith(b"ok")
    async with served(app_of(200, [(b"content-length", b"2")], b"ok")) as ask:
        assert (await ask(b"GET / HTTP/1.0\r\n\r\n")).count(b"connection: close") == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05 if scope["path"] == "/a" else 0)
        await app_of(200, [(b"content-length", b"2")], scope["raw_path"])(scope, _receive, send)

    async with served(app) as ask:
        answer = await ask(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"/a", b"/b"]


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\nx-evil: 1", b"a\rb"])
async def test_a_header_with_a_line_break_is_never_sent(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with served(app_of(200, [(b"content-length", b"2"), (b"x-a", value)], b"ok")) as ask:
        answer = await ask(GET)
        assert b"evil" not in answer and b"200 OK" not in answer


@pytest.mark.parametrize("parts", [(b"too long a body",), (b"s",)])
async def test_a_body_of_another_length_is_a_defect(parts: tuple[bytes, ...], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with served(app_of(200, [(b"content-length", b"2")], *parts)) as ask:
        assert b"too long" not in await ask(GET)


async def test_messages_out_of_order_are_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"early"})

    caplog.set_level(logging.CRITICAL)
    async with served(app) as ask:
        assert b"early" not in await ask(GET)
