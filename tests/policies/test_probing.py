"""Probes through the whole pipeline and a real upstream: sent only where wanted, recorded, paid for, and believed."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.app import Stack, check
from llmops.clock import ManualClock
from llmops.errors import ConfigError, LLMOpsError
from llmops.opening import probe_rules
from llmops.resilience.prober import Prober
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, USER
from tests.fakes.upstream import Upstream, Wire

Build = Callable[..., Settings]
ANSWER = {
    "id": "c",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "p"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
}
EAGER = {"enabled": True, "per_hour": 4}


class Patient:
    """An upstream that refuses the credential until it is well."""

    def __init__(self) -> None:
        self.is_well = False
        self.asked: list[Any] = []

    async def __call__(self, wire: Wire) -> None:
        self.asked.append(wire.request.json())
        await wire.answer(200 if self.is_well else 401, ANSWER if self.is_well else {"error": {"message": "no"}})


class Scene:
    def __init__(self, stack: Stack, patient: Patient, clock: ManualClock) -> None:
        self.stack, self.patient, self.clock = stack, patient, clock
        self.prober = Prober(stack.parts.fleet, lambda: probe_rules(stack.settings), stack.probe, clock.monotonic_s)

    def state(self) -> str:
        shown: str = self.stack.deployments()[0]["breaker"]["state"]
        return shown

    async def records(self) -> list[dict[str, Any]]:
        await self.stack.parts.log.flush()
        return [json.loads(line) for line in (self.stack.settings.log.dir / "gateway.jsonl").read_text().splitlines()]


@asynccontextmanager
async def scene(settings: Build, probes: dict[str, Any], **more: Any) -> AsyncIterator[Scene]:
    """A model whose deployment was found dead by a call."""
    patient, clock = Patient(), ManualClock()
    async with Upstream(patient) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1", "model": "theirs"}
        models = {"m": [{**where, "name": "d", "price": {"input": 1, "output": 3}}]}
        built = settings(models, resilience={"probes": probes}, llm={"max_retries": 0}, **more)
        async with Stack(built, clock=clock, seed=1) as stack:
            with pytest.raises(LLMOpsError):
                await stack.call("chat", {**CHAT, "model": "m", "messages": USER})
            yield Scene(stack, patient, clock)


async def test_nothing_is_sent_where_nobody_asked_for_it(settings: Build) -> None:
    async with scene(settings, {}) as at:
        at.patient.is_well = True
        for _ in range(10):
            at.clock.advance(400)
            await at.prober.look()
        assert len(at.patient.asked) == 1 and at.state() == "dead"


async def test_a_probe_is_one_token_recorded_paid_for_and_believed(settings: Build) -> None:
    async with scene(settings, EAGER) as at:
        at.patient.is_well = True
        await at.prober.look()
        assert len(at.patient.asked) == 1, "it is not due"
        at.clock.advance(301)
        await at.prober.look()
        assert at.patient.asked[1]["max_tokens"] == 1 and at.patient.asked[1]["model"] == "theirs"
        assert at.state() == "closed"
        await at.prober.look()
        assert len(at.patient.asked) == 2, "it is back"
        record = (await at.records())[-1]
        assert (record["tenant"], record["tags"], record["operation"]) == ("llmops", {"llmops.probe": "true"}, "chat")
        assert (record["model"], record["deployment"], record["cost_nanousd"]) == ("m", "d", 8 * 1000 + 3000)
        assert at.stack.parts.desk.ledger.open == 0


async def test_a_probe_that_fails_leaves_it_out_and_the_budget_bounds_them(settings: Build) -> None:
    async with scene(settings, EAGER) as at:
        for _ in range(10):
            at.clock.advance(301)
            await at.prober.look()
        assert len(at.patient.asked) == 1 + 4 and at.state() == "dead"
        at.clock.advance(3600)
        await at.prober.look()
        assert len(at.patient.asked) == 1 + 5
        assert at.stack.deployments()[0]["calls_under_way"] == 0


async def test_a_probe_obeys_limits_as_every_call_does(settings: Build) -> None:
    budget = {"usd": "0.000000001", "window": "total", "name": "none"}
    async with scene(settings, EAGER, budgets=[{**budget, "where": {"tenant": "llmops"}}]) as at:
        at.clock.advance(301)
        await at.prober.look()
        assert len(at.patient.asked) == 1 and (await at.records())[-1]["error_type"] == "budget_exceeded"


async def test_each_worker_needs_a_probe_at_least(settings: Build) -> None:
    wanted = {"probes": {"enabled": True, "per_hour": 3}}
    many = settings(resilience=wanted, server={"workers": 4}, redis={"url": "redis://127.0.0.1:1"})
    with pytest.raises(ConfigError, match="each of 4 workers"):
        check(many)
    few = settings(resilience=wanted, server={"workers": 2}, redis={"url": "redis://127.0.0.1:1"})
    assert probe_rules(few).per_hour == 1
    assert not probe_rules(settings(resilience={**wanted, "enabled": False})).enabled
