"""What calls cost, end to end: through a real upstream that answers, breaks, lies or says nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmops.settings import Settings
from llmops.telemetry.record import MAX_TOKENS
from tests.fakes.gateway import USER, Gateway
from tests.fakes.upstream import Script, Upstream, Wire, answering
from tests.fakes.wires import data

Build = Callable[..., Settings]
CHAT = {"model": "m", "messages": USER, "max_tokens": 200}
STREAMED = {**CHAT, "stream": True}
TOTAL = {"usd": "1", "window": "total", "name": "all"}
INPUT, OUTPUT = 1000, 3000
"""Nano-dollars per token."""


def body(usage: Any = None, content: str = "x" * 40) -> dict[str, Any]:
    answer = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}
    return {**answer, "usage": usage} if usage is not None else answer


def usage(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def chunk(content: str) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return data({"id": "c", "object": "chat.completion.chunk", "model": "m", "created": 1, "choices": [choice]})


@asynccontextmanager
async def served(settings: Build, script: Script, *, priced: bool = True, **deployment: Any) -> AsyncIterator[Gateway]:
    async with Upstream(script) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1", **deployment}
        if priced:
            where["price"] = {"input": 1, "output": 3}
        built = settings({"m": [where]}, limits={"rules": [{"concurrent_calls": 50}]}, budgets=[TOTAL])
        async with Gateway(built) as gateway:
            yield gateway


async def only_record(gateway: Gateway) -> dict[str, Any]:
    """The record of the one call there was; nothing of it is left open."""
    async with asyncio.timeout(5):
        while (status := await gateway.status())["in_flight"] or status["ledger"]["open"]:
            pass
    (record,) = await gateway.records()
    tokens = record["token_usage"]
    assert record["cost_nanousd"] is None or record["cost_nanousd"] >= 0
    if record["cost_nanousd"] and not tokens["cached"]:
        assert record["cost_nanousd"] == tokens["prompt"] * INPUT + tokens["completion"] * OUTPUT
    return record


def charged(record: dict[str, Any]) -> tuple[int | None, str, int]:
    return record["cost_nanousd"], record["token_usage"]["source"], record["status"]


async def test_an_answer_costs_what_its_provider_counted(settings: Build) -> None:
    async with served(settings, answering(200, body(usage(7, 5)))) as gateway:
        await gateway.post("/v1/chat/completions", CHAT)
        record = await only_record(gateway)
    assert charged(record) == (7 * INPUT + 5 * OUTPUT, "provider", 200)
    assert record["reserved_nanousd"] >= 200 * OUTPUT


async def test_a_stream_costs_what_its_provider_counted(settings: Build) -> None:
    async def script(wire: Wire) -> None:
        last = data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        counted = data({"choices": [], "usage": usage(11, 2)})
        await wire.sse([chunk("Hello"), last, counted, data("[DONE]")])

    async with served(settings, script) as gateway:
        await gateway.post("/v1/chat/completions", STREAMED)
        assert charged(await only_record(gateway)) == (11 * INPUT + 2 * OUTPUT, "provider", 200)


@pytest.mark.parametrize(
    "counted",
    [
        None,
        usage(-7, 5),
        usage(7, -5),
        usage(7, 10**30),
        usage(2**63 - 1, 2**63 - 1),
        usage(MAX_TOKENS + 1, 1),
        usage(7, 5, prompt_tokens_details={"audio_tokens": 10**12}),
        {},
    ],
)
async def test_a_count_that_is_missing_or_cannot_be_is_estimated(counted: Any, settings: Build) -> None:
    async with served(settings, answering(200, body(counted, "x" * 4000))) as gateway:
        answer = await gateway.post("/v1/chat/completions", CHAT)
        record = await only_record(gateway)
        assert (await gateway.get("/metrics")).status == 200, "sums stay within what can be shown"
    assert answer.json()["choices"][0]["message"]["content"] == "x" * 4000
    assert record["token_usage"]["source"] == "estimated" and record["token_usage"]["completion"] >= 1000
    assert record["token_usage"]["prompt"] >= len(json.dumps(CHAT)) // 4


async def test_a_provider_that_counts_less_than_was_seen_sends_the_bill_all_the_same(settings: Build) -> None:
    async with served(settings, answering(200, body(usage(1, 1), "x" * 4000))) as gateway:
        await gateway.post("/v1/chat/completions", CHAT)
        assert charged(await only_record(gateway)) == (INPUT + OUTPUT, "provider", 200)


async def test_a_stream_that_its_client_cuts_costs_what_was_produced(settings: Build) -> None:
    async def endless(wire: Wire) -> None:
        await wire.begin()
        while True:
            await wire.chunk(chunk("x" * 40))
            await asyncio.sleep(0.01)

    async with served(settings, endless) as gateway:
        async with await gateway.open("/v1/chat/completions", STREAMED) as client:
            await client.read_head()
            for _ in range(30):
                await client.read_chunk()
            client.hang_up()
        record = await only_record(gateway)
    assert charged(record)[1:] == ("estimated", 499) and record["token_usage"]["completion"] >= 300


async def test_a_stream_that_breaks_off_costs_what_was_produced(settings: Build) -> None:
    async def breaking(wire: Wire) -> None:
        await wire.begin()
        for _ in range(10):
            await wire.chunk(chunk("x" * 40))
            await asyncio.sleep(0.01)
        wire.cut()

    async with served(settings, breaking) as gateway:
        await gateway.post("/v1/chat/completions", STREAMED)
        record = await only_record(gateway)
    assert charged(record)[1:] == ("estimated", 502) and 90 <= record["token_usage"]["completion"] <= 100


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
async def test_what_the_provider_turns_down_is_free(status: int, settings: Build) -> None:
    async with served(settings, answering(status, {"error": {"message": "no", "type": "x"}})) as gateway:
        await gateway.post("/v1/chat/completions", CHAT)
        record = await only_record(gateway)
    assert record["cost_nanousd"] == 0 and record["token_usage"]["source"] == "none"
    assert record["reserved_nanousd"] > 0 and record["attempts"] == 1


async def test_a_provider_that_is_not_there_is_free(settings: Build) -> None:
    async with served(settings, answering(200, {}), base_url="http://127.0.0.1:9/v1") as gateway:
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 502
        assert charged(await only_record(gateway)) == (0, "none", 502)


async def silent(wire: Wire) -> None:
    await asyncio.sleep(30)


async def test_no_answer_in_time_costs_the_estimate(settings: Build) -> None:
    async with served(settings, silent, timeout_seconds=0.2) as gateway:
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 504
        record = await only_record(gateway)
    assert charged(record) == (record["reserved_nanousd"], "estimated", 504)
    assert record["token_usage"]["completion"] == 200


async def test_an_answer_nobody_waits_for_costs_the_estimate(settings: Build) -> None:
    async with served(settings, silent) as gateway:
        async with await gateway.open("/v1/chat/completions", CHAT) as client:
            await asyncio.sleep(0.2)
            client.hang_up()
        record = await only_record(gateway)
    assert charged(record) == (record["reserved_nanousd"], "estimated", 499)


async def test_an_answer_that_is_none_costs_the_estimate(settings: Build) -> None:
    async with served(settings, answering(200, b"<html>", {"content-type": "text/html"})) as gateway:
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 502
        record = await only_record(gateway)
    assert charged(record) == (record["reserved_nanousd"], "estimated", 502)


async def test_a_model_without_a_price_is_unpriced_and_never_zero(settings: Build) -> None:
    async with served(settings, answering(200, body(usage(7, 5))), priced=False) as gateway:
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 200
        record = await only_record(gateway)
    assert record["cost_nanousd"] is None and record["reserved_nanousd"] is None
    assert record["token_usage"]["total"] == 12


async def test_attempts_whose_answers_were_not_handed_over_are_charged(settings: Build) -> None:
    """A repair of structured output that then fails: the first attempt was paid for."""
    turns = [200, 503]

    async def script(wire: Wire) -> None:
        await wire.answer(turns.pop(0), body(usage(7, 5), "not JSON"))

    wanted = {**CHAT, "response_format": {"type": "json_object"}}
    async with Upstream(script) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}
        price = {"input": 1, "output": 3}
        built = settings({"m": [{**where, "price": price}]}, llm={"json_repair_attempts": 1})
        async with Gateway(built) as gateway:
            assert (await gateway.post("/v1/chat/completions", wanted)).status == 503
            record = await only_record(gateway)
    assert record["attempts"] == 2 and charged(record) == (7 * INPUT + 5 * OUTPUT, "provider", 503)


async def test_counting_tokens_is_free(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        answer = await gateway.post("/v1/messages/count_tokens", {"model": "mock", "messages": USER})
        assert answer.status == 200
        record = await only_record(gateway)
    assert (record["cost_nanousd"], record["reserved_nanousd"]) == (0, 0)


@pytest.mark.parametrize(("when", "status"), [("serve", 200), ("refuse", 503)])
async def test_a_ledger_that_cannot_be_written(when: str, status: int, settings: Build, log_dir: Path) -> None:
    async with Gateway(settings(ledger={"when_unwritable": when})) as gateway:
        (log_dir / "journal").write_text("in the way")
        answer = await gateway.post("/v1/chat/completions", {"model": "mock", "messages": USER})
        assert answer.status == status
        if status == 503:
            assert "could not be accounted for" in answer.json()["error"]["message"]
        assert "journal cannot be written" in json.dumps((await gateway.get("/health")).json())
        assert [line["status"] for line in await gateway.records()] == [status]
        assert (await gateway.status())["ledger"]["open"] == 0


async def test_an_attempt_of_unknown_fate_before_a_success_is_charged_its_prompt(settings: Build) -> None:
    """Garbage under a 200 was worked for; a 503 was not, and is free."""
    price = {"price": {"input": 1, "output": 3}, "provider": "openai", "preset": "vllm"}
    good = answering(200, body(usage(7, 5)))
    for first, in_doubt in ((answering(200, b"<html>"), True), (answering(503, {"error": {"message": "no"}}), False)):
        async with Upstream(first) as bad, Upstream(good) as sound:
            models = {"m": [{**price, "base_url": f"{each.url}/v1"} for each in (bad, sound)]}
            async with Gateway(settings(models, resilience={})) as gateway:
                assert (await gateway.post("/v1/chat/completions", CHAT)).status == 200
                record = (await gateway.records())[-1]
        tokens = record["token_usage"]
        assert (record["attempts"], len(record["failed_attempts"]), tokens["completion"]) == (2, 1, 5)
        assert (tokens["prompt"] > 7, tokens["source"]) == (in_doubt, "estimated" if in_doubt else "provider")
        assert record["cost_nanousd"] == tokens["prompt"] * INPUT + 5 * OUTPUT
