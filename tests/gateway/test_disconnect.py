"""Clients that leave: the upstream's work is cancelled within a second, and what was used is recorded."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import USER, Connection, Gateway, http_request
from tests.fakes.upstream import Script, Upstream, Wire, eventually
from tests.fakes.wires import data

Build = Callable[..., Settings]
CHAT = {"model": "m", "messages": USER}
STREAMED = {**CHAT, "stream": True}
CHUNK = data(
    {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m",
        "created": 1,
        "choices": [{"index": 0, "delta": {"content": "x" * 40}, "finish_reason": None}],
    }
)


async def endless(wire: Wire) -> None:
    await wire.begin()
    while True:
        await wire.chunk(CHUNK)
        await asyncio.sleep(0.01)


async def silent(wire: Wire) -> None:
    await asyncio.sleep(30)


@asynccontextmanager
async def served(settings: Build, script: Script) -> AsyncIterator[tuple[Gateway, Upstream]]:
    async with Upstream(script) as upstream:
        models = {"m": [{"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}]}
        async with Gateway(settings(models)) as gateway:
            yield gateway, upstream


async def is_quiet(gateway: Gateway, upstream: Upstream, tasks: int) -> bool:
    """Whether nothing of the calls is left: no upstream connection, no call under way, no task."""
    return (
        await eventually(lambda: upstream.open == 0)
        and (status := await gateway.status())["upstream_connections"] == 0
        and status["in_flight"] == 0
        and await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    )


async def test_hanging_up_in_the_middle_of_a_stream(settings: Build) -> None:
    async with served(settings, endless) as (gateway, upstream):
        await gateway.status()
        tasks = len(asyncio.all_tasks())
        async with await gateway.open("/v1/chat/completions", STREAMED) as connection:
            assert (await connection.read_head())[0] == 200
            for _ in range(15):
                await connection.read_chunk()
            connection.hang_up()
            assert await upstream.until_open(0, within_s=1.0)
        assert upstream.hung_up == 1
        assert await is_quiet(gateway, upstream, tasks)
        (record,) = await gateway.records()
        assert (record["status"], record["error_type"], record["stream"]) == (499, "client_disconnected", True)
        usage = record["token_usage"]
        assert usage["source"] == "estimated" and usage["completion"] >= 15 * 10 and usage["prompt"] > 0
        assert record["ttft_ms"] is not None


async def test_hanging_up_while_waiting_for_a_complete_answer(settings: Build) -> None:
    async with served(settings, silent) as (gateway, upstream):
        async with await gateway.open("/v1/chat/completions", CHAT) as connection:
            assert await eventually(lambda: len(upstream.requests) == 1)
            connection.hang_up()
            assert await upstream.until_open(0, within_s=1.0)
        (record,) = await gateway.records()
        assert (record["status"], record["error_type"], record["stream"]) == (499, "client_disconnected", False)
        assert record["ttft_ms"] is None and record["attempts"] == 1


async def test_hanging_up_before_a_streams_first_content(settings: Build) -> None:
    async def role_only(wire: Wire) -> None:
        await wire.begin()
        await wire.chunk(data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}))
        await asyncio.sleep(30)

    async with served(settings, role_only) as (gateway, upstream):
        async with await gateway.open("/v1/chat/completions", STREAMED) as connection:
            await asyncio.sleep(0.15)
            connection.hang_up()
            assert await upstream.until_open(0, within_s=1.0)
        assert [line["status"] for line in await gateway.records()] == [499]


async def test_leaving_in_order_counts_as_leaving(settings: Build) -> None:
    """A client that closes its side has gone as well: an HTTP/1.1 client that wants its answer stays."""
    async with served(settings, endless) as (gateway, upstream):
        async with await gateway.open("/v1/chat/completions", STREAMED) as connection:
            await connection.read_head()
        assert await upstream.until_open(0, within_s=1.0)
        assert [line["status"] for line in await gateway.records()] == [499]


async def test_leaving_in_the_middle_of_the_request(settings: Build) -> None:
    async with served(settings, endless) as (gateway, upstream):
        async with await gateway.connect() as connection:
            await connection.send(http_request("POST", "/v1/chat/completions", b"{", {"Content-Length": "500"}))
            await asyncio.sleep(0.02)
            connection.hang_up()
        await asyncio.sleep(0.05)
        (record,) = await gateway.records()
        assert (record["status"], record["error_type"], upstream.requests) == (499, "client_disconnected", [])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
async def test_it_is_the_same_where_the_stream_is_translated(path: str, settings: Build) -> None:
    async with Upstream(endless) as upstream:
        models = {"m": [{"provider": "openai", "preset": "ollama", "base_url": f"{upstream.url}/v1"}]}
        async with Gateway(settings(models)) as gateway:
            body: dict[str, Any] = {"model": "m", "stream": True}
            body |= {"messages": USER, "max_tokens": 9} if path == "/v1/messages" else {"input": "Hi"}
            async with await gateway.open(path, body) as connection:
                assert (await connection.read_head())[0] == 200
                await connection.read_chunk()
                connection.hang_up()
                assert await upstream.until_open(0, within_s=1.0)
            (record,) = await gateway.records()
            assert (record["status"], record["token_usage"]["source"]) == (499, "estimated")


async def test_two_hundred_that_leave_leave_nothing_behind(settings: Build) -> None:
    """Half in the middle of a stream, half while waiting; some at once, some later."""

    async def by_kind(wire: Wire) -> None:
        await (endless if wire.request.json().get("stream") else silent)(wire)

    async def come_and_go(number: int, gateway: Gateway) -> None:
        async with await gateway.open("/v1/chat/completions", STREAMED if number % 2 else CHAT) as connection:
            if number % 4 == 3:
                await connection.read_head()
                await connection.read_chunk()
            else:
                await asyncio.sleep(0.002 * (number % 50))
            connection.hang_up()

    async with served(settings, by_kind) as (gateway, upstream):
        await gateway.status()
        tasks = len(asyncio.all_tasks())
        await asyncio.gather(*[come_and_go(number, gateway) for number in range(200)])
        assert await eventually(lambda: upstream.open == 0, within_s=2)
        assert await is_quiet(gateway, upstream, tasks)
        records = await gateway.records()
        assert len({line["request_id"] for line in records}) == len(records)
        assert {line["status"] for line in records} == {499}
        assert sum(line["stream"] for line in records) >= 50


async def test_a_client_that_stops_reading_holds_the_upstream_back(settings: Build) -> None:
    """Nothing piles up in the gateway: the upstream can send no more than what buffers hold, and goes on afterwards."""
    sent = 0
    big = data(
        {
            "id": "c",
            "model": "m",
            "created": 1,
            "choices": [{"index": 0, "delta": {"content": "x" * 60_000}, "finish_reason": None}],
        }
    )
    last = data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + data("[DONE]")

    async def flood(wire: Wire) -> None:
        nonlocal sent
        await wire.begin()
        for _ in range(1000):
            await wire.chunk(big)
            sent += len(big)
        await wire.chunk(last)
        await wire.end()

    async with served(settings, flood) as (gateway, _):
        async with await gateway.connect() as connection:
            connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await connection.send(http_request("POST", "/v1/chat/completions", STREAMED))
            await asyncio.sleep(0.7)
            held = sent
            assert held < 25_000_000
            await asyncio.sleep(0.2)
            assert sent == held
            connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
            answer = await connection.read_answer()
            assert answer.body.count(b"data: ") == 1002
        (record,) = await gateway.records()
        assert (record["status"], record["token_usage"]["completion"]) == (200, 15_000_000)


async def test_a_client_that_stops_reading_and_leaves(settings: Build) -> None:
    async def flood(wire: Wire) -> None:
        await wire.begin()
        while True:
            await wire.chunk(CHUNK * 500)

    async with served(settings, flood) as (gateway, upstream):
        async with await gateway.connect() as connection:
            connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await connection.send(http_request("POST", "/v1/chat/completions", STREAMED))
            await asyncio.sleep(0.5)
            connection.hang_up()
        assert await upstream.until_open(0, within_s=1.0)
        assert [line["status"] for line in await gateway.records()] == [499]


async def test_a_connection_serves_the_next_call_after_a_stream(settings: Build) -> None:
    """Watching for a departure must not swallow the next request on the same connection."""

    async def short(wire: Wire) -> None:
        await wire.sse(
            [CHUNK, data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), data("[DONE]")],
            pause_s=0.08,
        )

    async def twice(connection: Connection) -> None:
        for _ in range(3):
            await connection.send(http_request("POST", "/v1/chat/completions", STREAMED))
            answer = await connection.read_answer()
            assert (answer.status, answer.body.endswith(b"data: [DONE]\n\n")) == (200, True)

    async with served(settings, short) as (gateway, _):
        async with await gateway.connect() as connection:
            await twice(connection)
        assert [line["status"] for line in await gateway.records()] == [200] * 3
        assert json.dumps(await gateway.status()).count('"in_flight": 0') == 1
