"""Upstreams that break in every way: a clear 502 or 504 before the first content, an explicit error event after it.

Never a hang, never a bare 500, whatever the provider and the client's dialect; the record tells what happened.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmops.types import Operation
from tests.fakes.gateway import Answer, Gateway, settings_for
from tests.fakes.upstream import Script, Upstream, Wire, answering
from tests.fakes.wires import COMPLETION, PROMPT, TEXT

from .bench import PROVIDERS, Provider
from .clients import DIALECTS, Ask, read_stream, write
from .test_upstream_errors import PATHS, message_of

SSE = {"content-type": "text/event-stream"}
LIMITS = {"connect_timeout_seconds": 1, "first_byte_timeout_seconds": 0.3, "idle_timeout_seconds": 0.3}


@asynccontextmanager
async def served(provider: Provider, script: Script, log_dir: Path) -> AsyncIterator[tuple[Gateway, Upstream]]:
    async with Upstream(script) as upstream:
        settings = settings_for(log_dir, {"m": [provider.deployment_at(upstream.url)]}, llm=LIMITS)
        async with Gateway(settings) as gateway:
            yield gateway, upstream


async def ask(gateway: Gateway, dialect: Operation, *, stream: bool) -> Answer:
    started = time.monotonic()
    answer = await asyncio.wait_for(gateway.post(PATHS[dialect], write(dialect, Ask(stream=stream))), 5)
    assert time.monotonic() - started < 2
    return answer


async def cut_in_the_body(wire: Wire) -> None:
    await wire.begin(content_type="application/json")
    await wire.chunk(b'{"id": "x", ')
    wire.cut()


async def silence(wire: Wire) -> None:
    await asyncio.sleep(30)


async def silence_in_the_body(wire: Wire) -> None:
    await wire.begin(content_type="application/json")
    await wire.chunk(b'{"id": "x", ')
    await asyncio.sleep(30)


async def hang_up(wire: Wire) -> None:
    wire.cut()


COMPLETE: list[tuple[str, Script, int]] = [
    ("html", answering(200, b"<html>Sign in</html>", {"content-type": "text/html"}), 502),
    ("empty", answering(200, b""), 502),
    ("garbage", answering(200, b"\x00\xff\xfe" * 50), 502),
    ("truncated json", answering(200, b'{"id": "x", "choices": [{"message": {"content": "Hal'), 502),
    ("a list", answering(200, b"[]"), 502),
    ("null", answering(200, b"null"), 502),
    ("of another kind", answering(200, b'{"hello": "world"}'), 502),
    ("wrong types", answering(200, b'{"choices": 7, "output": 7, "content": 7, "candidates": 7}'), 502),
    (
        "not utf-8",
        answering(
            200,
            b'{"choices": [{"message": {"content": "\xff"}}], "output": [{"type": "\xff"}], '
            b'"content": [{"type": "text", "text": "\xff"}], "candidates": [{"content": '
            b'{"parts": [{"text": "\xff"}]}}]}',
        ),
        502,
    ),
    ("too deep", answering(200, b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 502),
    ("redirect", answering(302, b"", {"location": "http://127.0.0.1:1/"}), 502),
    ("204", answering(204, b""), 502),
    ("cut in the body", cut_in_the_body, 502),
    ("nothing at all", hang_up, 502),
    ("silence", silence, 504),
    ("silence in the body", silence_in_the_body, 504),
    ("html error", answering(503, b"<html>Bad gateway</html>", {"content-type": "text/html"}), 503),
    ("empty error", answering(500, b""), 503),
    ("error of another kind", answering(500, b'{"error": 7}'), 503),
]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_complete_answers_that_are_none(provider: Provider, log_dir: Path) -> None:
    current: list[Script] = []

    async def script(wire: Wire) -> None:
        await current[-1](wire)

    async with served(provider, script, log_dir) as (gateway, upstream):
        expected = []
        for name, now, status in COMPLETE:
            current.append(now)
            for dialect in DIALECTS:
                answer = await ask(gateway, dialect, stream=False)
                assert answer.status == status, (name, dialect, answer)
                assert len(message_of(dialect, answer)) > 10
                expected.append(status)
        assert [line["status"] for line in await gateway.records()] == expected
        assert await upstream.until_open(1)
        assert (await gateway.status())["in_flight"] == 0


BEFORE: list[tuple[str, Script, int]] = [
    ("json", answering(200, b"{}"), 502),
    ("html", answering(200, b"<html>", {"content-type": "text/html"}), 502),
    ("no event", answering(200, b"", SSE), 502),
    ("comments only", answering(200, b": hello\n\n: hello\n\n", SSE), 502),
    ("garbage event", answering(200, b"data: {nonsense\n\n", SSE), 502),
    ("an unfinished event", answering(200, b'data: {"choices"', SSE), 502),
    ("no events at all", answering(200, b"\x00\xff" * 1000, SSE), 502),
    ("an endless line", answering(200, b"data: " + b"x" * 17_000_000, SSE), 502),
    ("silence", silence, 504),
]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_streams_that_break_before_their_first_content(provider: Provider, log_dir: Path) -> None:
    """The client has seen nothing yet, so it gets a status and an error body, not a broken stream."""
    current: list[Script] = []

    async def script(wire: Wire) -> None:
        await current[-1](wire)

    async with served(provider, script, log_dir) as (gateway, upstream):
        for name, now, status in BEFORE:
            current.append(now)
            for dialect in DIALECTS:
                answer = await ask(gateway, dialect, stream=True)
                assert answer.status == status, (name, dialect, answer)
                message_of(dialect, answer)
        assert {line["error_type"] for line in await gateway.records()} == {"upstream_broken", "upstream_timeout"}
        assert await upstream.until_open(1)


def error_event(dialect: Operation, stream: bytes) -> dict[str, Any]:
    """The error at the end of a stream, in the form the dialect's clients look for."""
    blocks = [block for block in stream.decode().split("\n\n") if block]
    if dialect == "chat":
        assert blocks.pop() == "data: [DONE]"
    lines = dict(line.split(": ", 1) for line in blocks[-1].split("\n"))
    assert lines.get("event") == {"messages": "error", "responses": "error", "chat": None}[dialect]
    error: dict[str, Any] = json.loads(lines["data"])["error"]
    return error


ENDS = ["cut", "closed", "garbage", "silence", "error event"]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_streams_that_break_after_their_first_content(provider: Provider, log_dir: Path) -> None:
    """What came is delivered, then an explicit error; it is recorded with an estimate of what was produced."""
    fake = provider.fake()
    how = ""

    async def script(wire: Wire) -> None:
        fake.seen.append(seen := fake.read(wire.request))
        events = fake.events(wire.request, seen)
        await wire.begin()
        for event in events[: len(events) // 2 + 1]:
            await wire.chunk(event)
            if b"Gr" in event:  # the first piece of the text
                break
        await asyncio.sleep(0.02)
        match how:
            case "cut":
                wire.cut()
            case "closed":
                await wire.end()
            case "garbage":
                await wire.chunk(b"data: {nonsense\n\n")
                await asyncio.sleep(30)
            case "silence":
                await asyncio.sleep(30)
            case "error event":
                error = {"type": "error", "error": {"type": "overloaded_error", "message": "no more room", "code": 503}}
                await wire.chunk(b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n")
                await asyncio.sleep(30)

    async with served(provider, script, log_dir) as (gateway, upstream):
        for how in ENDS:
            for dialect in DIALECTS:
                answer = await ask(gateway, dialect, stream=True)
                assert answer.status == 200, (how, dialect, answer)
                assert "Gr" in answer.body.decode()
                error = error_event(dialect, answer.body)
                assert len(error["message"]) > 10, (how, error)
                assert how != "error event" or "no more room" in error["message"]
        records = await gateway.records()
        assert [line["status"] for line in records] == [
            {"silence": 504, "error event": 503}.get(how, 502) for how in ENDS for _ in DIALECTS
        ]
        for line in records:
            usage = line["token_usage"]
            assert line["stream"] and line["ttft_ms"] is not None and usage["completion"] > 0
        assert await upstream.until_open(0)
        assert (await gateway.status())["in_flight"] == 0


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("how", ["cut", "silence", "garbage"])
async def test_what_follows_a_complete_stream_does_not_matter(provider: Provider, how: str, log_dir: Path) -> None:
    """The end was seen: an upstream that then breaks the line, keeps it open or babbles has done its work."""
    fake = provider.fake()

    async def script(wire: Wire) -> None:
        await wire.begin()
        for event in fake.events(wire.request, fake.read(wire.request)):
            await wire.chunk(event)
        if how == "garbage":
            await wire.chunk(b"data: {nonsense\n\n")
            await wire.end()
            return
        await asyncio.sleep(0.02 if how == "cut" else 30)
        wire.cut()

    async with served(provider, script, log_dir) as (gateway, _):
        for dialect in DIALECTS:
            answer = await ask(gateway, dialect, stream=True)
            said = read_stream(dialect, answer.body)
            assert (said.text, said.prompt, said.completion) == (TEXT, PROMPT, COMPLETION)
        assert [line["status"] for line in await gateway.records()] == [200] * 3


async def test_an_upstream_that_is_not_there(log_dir: Path) -> None:
    models = {"m": [PROVIDERS[0].deployment_at("http://127.0.0.1:9")]}
    async with Gateway(settings_for(log_dir, models)) as gateway:
        for dialect in DIALECTS:
            for stream in (False, True):
                answer = await ask(gateway, dialect, stream=stream)
                assert answer.status == 502 and "http://127.0.0.1:9" in message_of(dialect, answer)
        assert {line["error_type"] for line in await gateway.records()} == {"upstream_unreachable"}
