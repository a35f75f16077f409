"""Refusals counted by limit, kind and tenant: each once, also where the call waited first, and in bounded series."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from llmops.settings import Settings
from llmops.spend.refusals import Refusals, kind_of
from llmops.store.counters.meter import Meter, Unit
from tests.contract.counting import concurrency, quota, rate
from tests.fakes.gateway import CHAT, Gateway
from tests.telemetry.test_metrics import samples

Build = Callable[..., Settings]
PATH = "/v1/chat/completions"


def counted(refusals: Refusals) -> dict[tuple[str, ...], float]:
    return {tuple(figure.labels): figure.value for figure in refusals.figures()}


async def scraped(gateway: Gateway) -> dict[tuple[str, str, str], float]:
    found = samples((await gateway.get("/metrics")).body)
    return {
        (labels["limit"], labels["kind"], labels["tenant"]): value
        for (name, pairs), value in found.items()
        if name == "llm_limiter_refusals_total" and (labels := dict(pairs))
    }


@pytest.mark.parametrize(
    ("meter", "kind"),
    [
        (rate(1), "requests"),
        (rate(1, unit=Unit.TOKENS), "tokens"),
        (concurrency(1), "concurrent"),
        (quota(1), "quota"),
        (quota(1, unit=Unit.NANOUSD), "budget"),
        (None, "queue"),
    ],
)
def test_a_refusal_says_what_was_used_up(meter: Meter | None, kind: str) -> None:
    assert kind_of(meter) == kind


def test_many_limits_and_many_tenants_are_few_series() -> None:
    refusals = Refusals()
    for number in range(5000):
        refusals.count(rate(1, rule=f"limit-{number}"), "acme")
        refusals.count(rate(1, rule="house"), f"tenant-{number}")
    found = counted(refusals)
    assert sum(found.values()) == 10_000
    assert len(found) <= 1001 and len({limit for limit, _, _ in found}) <= 201
    assert found["house", "requests", "other"] > 4000 and found["other", "requests", "acme"] > 4000


async def test_each_limit_that_refuses_is_named(settings: Build) -> None:
    limits = {
        "rules": [
            {"name": "house", "requests_per_minute": 3},
            {"name": "short texts", "tokens_per_minute": 50, "where": {"model": "mock"}},
        ]
    }
    async with Gateway(settings(limits=limits)) as gateway:
        assert await scraped(gateway) == {}
        answers = [await gateway.post(PATH, {**CHAT, "max_tokens": 5}) for _ in range(5)]
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 4000}]}
        answers.append(await gateway.post(PATH, long))
        refused = await scraped(gateway)
    assert Counter(answer.status for answer in answers) == {200: 3, 429: 3}
    assert refused == {("house", "requests", "default"): 3} or sum(refused.values()) == 3


async def test_a_budget_and_a_call_that_waited_in_vain_are_refusals_too(settings: Build) -> None:
    model = {"provider": "mock", "mock": {"latency_ms": 300}, "price": {"input": 1, "output": 1}}
    limits: dict[str, Any] = {
        "rules": [{"name": "one by one", "concurrent_calls": 1}],
        "queue": {"max_wait_seconds": 0.05},
    }
    budgets = [{"name": "pocket money", "usd": "0.000001", "where": {"model": "dear"}}]
    async with Gateway(settings({"mock": [model], "dear": [model]}, limits=limits, budgets=budgets)) as gateway:
        first = asyncio.ensure_future(gateway.post(PATH, CHAT))
        await asyncio.sleep(0.05)
        waits = asyncio.ensure_future(gateway.post(PATH, CHAT))
        await asyncio.sleep(0.02)
        waiting = samples((await gateway.get("/metrics")).body)["llm_limiter_waiting", ()]
        assert ((await waits).status, (await first).status, waiting) == (429, 200, 1)
        assert (await gateway.post(PATH, {**CHAT, "model": "dear"})).status == 402
        refused = await scraped(gateway)
        left = samples((await gateway.get("/metrics")).body)["llm_limiter_waiting", ()]
    assert refused == {("one by one", "concurrent", "default"): 1, ("pocket money", "budget", "default"): 1}
    assert left == 0
