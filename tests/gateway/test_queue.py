"""The queue over HTTP: calls over a limit wait and are answered, or are told in time that they will not be."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Gateway
from tests.fakes.upstream import eventually

Build = Callable[..., Settings]
PATH = "/v1/chat/completions"


def slow(settings: Build, latency_ms: int = 150, *, places: int = 1, **queue: Any) -> Settings:
    """A gateway for so many calls at once, each of which takes ``latency_ms``."""
    model = {"provider": "mock", "mock": {"latency_ms": latency_ms}}
    rules = [{"name": "one by one", "concurrent_calls": places}]
    return settings({"mock": [model]}, limits={"rules": rules, "queue": {"max_wait_seconds": 5, **queue}})


def serves(task: "asyncio.Task[Any]") -> bool:
    """Whether it belongs to a request, and not to the gateway or the test."""
    name = getattr(task.get_coro(), "__qualname__", "")
    return "ClientWatch" in name or "run_asgi" in name or "Usher" in name


async def test_calls_over_the_limit_wait_and_are_answered(settings: Build) -> None:
    async with Gateway(slow(settings)) as gateway:
        begun_s = time.monotonic()
        answers = await asyncio.gather(*(gateway.post(PATH, CHAT) for _ in range(4)))
        took_s = time.monotonic() - begun_s
        records = await gateway.records()
    assert [answer.status for answer in answers] == [200] * 4
    assert took_s >= 0.6, "one after another"
    for place, latency_ms in enumerate(sorted(record["latency_ms"] for record in records), start=1):
        assert latency_ms >= 150 * place, "one after another"


async def test_a_rate_is_kept_by_waiting(settings: Build) -> None:
    limits = {"rules": [{"requests_per_second": 10, "burst": 1}], "queue": {"max_wait_seconds": 2}}
    async with Gateway(settings(limits=limits)) as gateway:
        begun_s = time.monotonic()
        answers = await asyncio.gather(*(gateway.post(PATH, CHAT) for _ in range(5)))
        assert time.monotonic() - begun_s >= 0.39
    assert [answer.status for answer in answers] == [200] * 5
    assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"1"}


async def test_who_waits_too_long_gets_the_429_of_the_limit(settings: Build) -> None:
    async with Gateway(slow(settings, 600, max_wait_seconds=0.1)) as gateway:
        first = asyncio.ensure_future(gateway.post(PATH, CHAT))
        await asyncio.sleep(0.05)
        second = await gateway.post(PATH, CHAT)
        assert (await first).status == 200
        records = await gateway.records()
    assert second.status == 429
    assert int(second.headers["retry-after"]) == 1
    assert "'one by one'" in (said := second.json()["error"]["message"])
    assert "the call waited 0.1" in said
    assert sorted(record["status"] for record in records) == [200, 429]
    assert [record["token_usage"]["total"] for record in records if record["status"] == 429] == [0]


async def test_when_the_queue_is_full_the_least_urgent_is_turned_away(settings: Build) -> None:
    async with Gateway(slow(settings, 300, max_waiting=1)) as gateway:
        first = asyncio.ensure_future(gateway.post(PATH, CHAT))
        await asyncio.sleep(0.05)
        low = asyncio.ensure_future(gateway.post(PATH, CHAT, {"x-llmops-priority": "low"}))
        await asyncio.sleep(0.05)
        high = asyncio.ensure_future(gateway.post(PATH, CHAT, {"x-llmops-priority": "high"}))
        turned_away = await low
        assert not first.done(), "at once"
        assert (turned_away.status, (await first).status, (await high).status) == (429, 200, 200)
    assert "the queue for it is full" in turned_away.json()["error"]["message"]
    assert "retry-after" in turned_away.headers


async def test_a_client_that_hangs_up_in_the_queue_leaves_nothing_behind(settings: Build) -> None:
    async with Gateway(slow(settings, 700, max_waiting=1)) as gateway:
        first = asyncio.ensure_future(gateway.post(PATH, CHAT))
        await asyncio.sleep(0.05)
        (await gateway.open(PATH, CHAT)).hang_up()
        await asyncio.sleep(0.4)  # the watch for departures begins after a tenth of a second
        second = await gateway.post(PATH, CHAT)
        assert (second.status, (await first).status) == (200, 200)
        assert await eventually(lambda: not [task for task in asyncio.all_tasks() if serves(task)])
        records = await gateway.records()
        assert (await gateway.status())["ledger"]["open"] == 0
    assert sorted(record["status"] for record in records) == [200, 200, 499]
    assert [record["attempts"] for record in records if record["status"] == 499] == [0]


async def test_a_budget_is_refused_at_once_though_others_wait(settings: Build) -> None:
    built = slow(settings, 400)
    budget = Settings.model_validate({"budgets": [{"usd": "0.000001", "where": {"user": "poor"}}]}).budgets
    async with Gateway(built.model_copy(update={"budgets": budget})) as gateway:
        waiting = [asyncio.ensure_future(gateway.post(PATH, CHAT)) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await gateway.post(PATH, CHAT, {"x-llmops-user": "poor"})
        assert refused.status == 402
        assert not any(task.done() for task in waiting)
        assert [(await task).status for task in waiting] == [200, 200]


async def test_those_who_wait_are_served_while_the_gateway_drains(settings: Build) -> None:
    async with Gateway(slow(settings)) as gateway:
        calls = [asyncio.ensure_future(gateway.post(PATH, CHAT)) for _ in range(3)]
        await asyncio.sleep(0.05)
        await gateway.app.lifecycle.drain()
        assert [(await call).status for call in calls] == [200] * 3
