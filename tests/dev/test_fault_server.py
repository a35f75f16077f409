"""The fault server as a server: what it answers in health, what strikes whom, what it counts, how it ends."""

import asyncio
import json
import time
from collections import Counter

import pytest

from llmops.dev.faults import FAULTS, FaultServer, Rehearsal, fault_named
from llmops.errors import PortTaken
from tests.fakes.gateway import http_request
from tests.fakes.upstream import eventually
from tests.serving import HOST

from .wire import CHAT, body, connect, data_of, text_of

WORDS = "w1 w2 w3 w4 w5 w6 "


async def test_in_health_it_answers_every_path_it_speaks_over_one_connection() -> None:
    async with FaultServer(Rehearsal(words=6)) as server, await connect(server) as connection:
        await connection.send(http_request("POST", CHAT, body()))
        chat = (await connection.read_answer()).json()
        assert chat["choices"] == [
            {"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}
        ]
        usage = chat["usage"]
        assert usage["completion_tokens"] == 6 and usage["total_tokens"] == usage["prompt_tokens"] + 6

        await connection.send(http_request("POST", "/v1/embeddings", {"model": "e", "input": "Hello"}))
        assert len((await connection.read_answer()).json()["data"][0]["embedding"]) == 8
        await connection.send(http_request("GET", "/v1/models", None))
        assert (await connection.read_answer()).json()["data"][0]["object"] == "model"
        await connection.send(http_request("GET", "/v1/nothing", None))
        assert (await connection.read_answer()).status == 404
        assert server.tally.connections == 1


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stream_in_health_has_numbered_words_and_usage_for_who_asks(asked: bool) -> None:
    async with FaultServer(Rehearsal(words=6)) as server, await connect(server) as connection:
        request = body(stream=True, stream_options={"include_usage": asked})
        for _ in range(2):  # the connection is kept
            await connection.send(http_request("POST", CHAT, request))
            answer = await connection.read_answer()
            chunks = data_of(answer.body)
            assert answer.headers["content-type"] == "text/event-stream"
            assert text_of(chunks) == WORDS and chunks.pop() == "[DONE]"
            assert [chunk["usage"]["completion_tokens"] for chunk in chunks if "usage" in chunk] == [6] * asked


async def test_a_chunked_request_is_read_like_any_other() -> None:
    async with FaultServer() as server, await connect(server) as connection:
        raw = json.dumps(body()).encode()
        half = len(raw) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (raw[:half], raw[half:], b""))
        await connection.send(b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (CHAT.encode(), chunks))
        assert (await connection.read_answer()).status == 200
        await connection.send(http_request("POST", CHAT, body()))
        assert (await connection.read_answer()).status == 200


async def strikes(rehearsal: Rehearsal, *, stream: bool, requests: int) -> Counter[str]:
    async with FaultServer(rehearsal) as server:
        for _ in range(requests):
            async with await connect(server) as connection:
                await connection.send(http_request("POST", CHAT, body(stream=stream), {"connection": "close"}))
                await connection.read_answer()
        return server.tally.struck


async def test_chance_strikes_at_its_rate_and_the_same_seed_strikes_alike() -> None:
    chosen = tuple(fault_named(name) for name in ("http-500", "http-503", "missing-usage", "sse-without-done"))
    rehearsal = Rehearsal(rate=0.2, seed=7, faults=chosen, words=6)
    first = await strikes(rehearsal, stream=False, requests=300)
    assert first == await strikes(rehearsal, stream=False, requests=300)
    assert set(first) == {"http-500", "http-503", "missing-usage"}, "a fault of streams strikes streams only"
    assert 40 <= first.total() <= 80
    other = Rehearsal(rate=0.2, seed=8, faults=chosen, words=6)
    assert first != await strikes(other, stream=False, requests=300)
    assert "sse-without-done" in await strikes(rehearsal, stream=True, requests=100)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        FaultServer(Rehearsal(rate=rate))


async def test_an_answer_is_as_long_as_the_caller_takes_but_has_a_middle() -> None:
    async with FaultServer(Rehearsal(words=20)) as server, await connect(server) as connection:
        for taken, words in ((12, 12), (1, 6), (50, 20)):
            await connection.send(http_request("POST", CHAT, body(max_tokens=taken)))
            assert (await connection.read_answer()).json()["usage"]["completion_tokens"] == words


async def test_a_request_chooses_its_fault_by_path_or_header() -> None:
    async with FaultServer() as server, await connect(server) as connection:
        await connection.send(http_request("POST", f"/fault/http-529{CHAT}", body()))
        assert (await connection.read_answer()).status == 529
        await connection.send(http_request("POST", CHAT, body(), {"X-Fault": "http-429-absurd"}))
        limited = await connection.read_answer()
        assert (limited.status, limited.headers["retry-after"]) == (429, "1000000000")
        await connection.send(http_request("POST", f"/fault/sse-without-done{CHAT}", body()))
        assert (await connection.read_answer()).status == 200, "a fault of streams leaves other answers alone"
        await connection.send(http_request("POST", f"/fault/stal{CHAT}", body()))
        unknown = await connection.read_answer()
        assert unknown.status == 400 and "did you mean" in unknown.body.decode()
        await connection.send(http_request("POST", CHAT, b"{"))
        assert (await connection.read_answer()).status == 400
        assert server.tally.struck == {"http-529": 1, "http-429-absurd": 1}
        assert (server.tally.healthy, server.tally.refused, server.tally.requests) == (1, 2, 5)


async def test_the_counters_are_there_to_be_read_and_do_not_count_themselves() -> None:
    async with FaultServer() as server, await connect(server) as connection:
        await connection.send(http_request("POST", f"/fault/http-500{CHAT}", body()))
        await connection.read_answer()
        await connection.send(http_request("GET", "/_faults", None))
        counted = (await connection.read_answer()).json()
        assert counted["requests"] == 1 and counted["struck"] == {"http-500": 1}
        assert counted["connections"] == {"open": 1, "total": 1}
        assert counted["bytes"]["in"] > 100 and counted["bytes"]["out"] > 100


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_and_hurts_nobody_else(sent: bytes) -> None:
    async with FaultServer() as server:
        async with await connect(server) as connection:
            await connection.send(sent)
            assert (await connection.read_head())[0] == 400
        async with await connect(server) as connection:
            await connection.send(http_request("POST", CHAT, body()))
            assert (await connection.read_answer()).status == 200


async def test_a_taken_port_is_said() -> None:
    async with FaultServer() as server:
        with pytest.raises(PortTaken, match=f"{HOST}:{server.port} cannot be bound .* --port"):
            async with FaultServer(port=server.port):
                pass


async def test_a_thousand_silent_connections_end_with_the_server_and_leave_nothing() -> None:
    before = len(asyncio.all_tasks())
    async with FaultServer() as server:
        connections = [await connect(server) for _ in range(1000)]
        for connection in connections:
            await connection.send(http_request("POST", f"/fault/silent{CHAT}", body()))
        assert await eventually(lambda: server.tally.struck["silent"] == 1000, 5)
        for connection in connections[:300]:
            connection.hang_up()
        assert await eventually(lambda: server.tally.open == 700, 5), "a caller that leaves frees its connection"
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 2
    assert server.tally.open == 0 and len(asyncio.all_tasks()) == before
    for connection in connections:
        connection.hang_up()


async def test_a_silence_is_over_when_its_time_is() -> None:
    async with FaultServer(Rehearsal(hold_s=0.05)) as server, await connect(server) as connection:
        await connection.send(http_request("POST", f"/fault/silent{CHAT}", body()))
        assert await asyncio.wait_for(connection.reader.read(), 2) == b""
        assert await eventually(lambda: server.tally.open == 0)


def test_there_are_thirty_kinds_and_each_fault_says_what_to_make_of_it() -> None:
    assert len({fault.kind for fault in FAULTS.values()}) == 30
    assert all(fault.stream or fault.complete for fault in FAULTS.values())
    assert all(name == fault.name and fault.summary for name, fault in FAULTS.items())
