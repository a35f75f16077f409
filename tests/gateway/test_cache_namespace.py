"""Answers set apart by a namespace, and calls that outlive their caller: what a resumed eval stands on."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest

from llmops.dev.replay import Recording, ReplayServer
from llmops.settings import Settings
from tests.fakes.gateway import USER, Gateway

Build = Callable[..., Settings]
CHAT = {"model": "m", "messages": USER}
PATH = "/v1/chat/completions"


@asynccontextmanager
async def served(settings: Build, latency_s: float = 0.0, **sections):  # type: ignore[no-untyped-def]
    async with ReplayServer(Recording([("m", "Hi", "Hello!")]), latency_s=latency_s) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": upstream.url, "price": {"input": 1, "output": 2}}
        built = settings({"m": [where]}, **{"cache": {"enabled": True}, **sections})
        async with Gateway(built) as gateway:
            yield gateway, upstream


async def test_answers_of_one_namespace_are_not_given_to_another(settings: Build) -> None:
    async with served(settings) as (gateway, upstream):
        states = []
        for namespace in ("a", "a", "b", None, None, "a"):
            headers = {"x-llmops-cache-namespace": namespace} if namespace else {}
            answer = await gateway.post(PATH, CHAT, headers)
            assert answer.headers.get("x-llmops-cache-namespace") == namespace
            states.append(answer.headers["x-llmops-cache"])
        assert states == ["miss", "hit", "miss", "miss", "hit", "hit"]
        assert upstream.answered == 3


async def test_identical_calls_of_two_namespaces_do_not_share_one_under_way(settings: Build) -> None:
    async with served(settings, latency_s=0.05) as (gateway, upstream):
        asked = [gateway.post(PATH, CHAT, {"x-llmops-cache-namespace": name}) for name in ("a", "b", "b")]
        states = sorted([each.headers["x-llmops-cache"] for each in await asyncio.gather(*asked)])
        assert states == ["miss", "miss", "shared"]
        assert upstream.answered == 2


@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "ü"])
async def test_a_namespace_that_is_none_is_refused(settings: Build, value: str) -> None:
    async with served(settings) as (gateway, _):
        answer = await gateway.post(PATH, CHAT, {"x-llmops-cache-namespace": value})
        assert answer.status == 400 and b"x-llmops-cache-namespace" in answer.body


async def leave(gateway: Gateway, headers: dict[str, str], upstream: ReplayServer, **fields: object) -> None:
    async with await gateway.open(PATH, {**CHAT, **fields}, headers) as connection:
        async with asyncio.timeout(10):
            while not upstream.waiting:
                await asyncio.sleep(0.01)
        connection.hang_up()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_outlives_its_caller_is_paid_once_and_its_answer_is_kept(
    settings: Build, stream: bool
) -> None:
    async with served(settings, latency_s=0.5) as (gateway, upstream):
        headers = {"x-llmops-on-disconnect": "finish", "x-llmops-cache-namespace": "a"}
        await leave(gateway, headers, upstream, stream=stream)
        answer = await gateway.post(PATH, {**CHAT, "stream": stream}, headers)
        assert answer.status == 200 and b"Hello!" in answer.body
        assert answer.headers["x-llmops-cache"] in ("shared", "hit")
        assert (upstream.answered, upstream.waiting) == (1, 0)
        records = await gateway.records()
        assert sorted((each["status"], each["cost_nanousd"] > 0) for each in records) == [(200, False), (200, True)]


async def test_otherwise_the_call_ends_with_its_caller(settings: Build) -> None:
    async with served(settings, latency_s=2.0) as (gateway, upstream):
        await leave(gateway, {"x-llmops-on-disconnect": "cancel"}, upstream)
        async with asyncio.timeout(10):
            while (await gateway.status())["in_flight"]:
                await asyncio.sleep(0.02)
        (record,) = await gateway.records()
        assert record["status"] == 499


async def test_a_word_that_is_neither_is_refused(settings: Build) -> None:
    async with served(settings) as (gateway, _):
        answer = await gateway.post(PATH, CHAT, {"x-llmops-on-disconnect": "perhaps"})
        assert answer.status == 400 and b"finish or cancel" in answer.body
