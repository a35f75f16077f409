"""Shadows end to end over HTTP: callers get the live release's answers, and copies cost money and nothing else."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import USER, Gateway
from tests.gateway.test_rollouts import GUARDS, MODELS, House

Build = Callable[..., Settings]
SHADOW: dict[str, Any] = {"kind": "shadow", "steps": [100], "min_units": 0, "min_time": 0, "budget_usd": 1}
HANGS = {"hangs": [{"provider": "mock", "mock": {"latency_ms": 60_000}}]}
DEAREST_NANOUSD = 700_000
"""More than what is reserved for a copy: mostly a thousand tokens that it might answer with."""


def a_gateway(settings: Build, **sections: Any) -> Gateway:
    given = {"auth": {"refresh_seconds": 0.05}, "llm": {"json_repair_attempts": 0}, **sections}
    return Gateway(settings({**MODELS, **HANGS}, **given))


async def begins(house: House, model: str, **fields: Any) -> str:
    """A shadow that every gateway follows."""
    rollout_id = await house.starts(model, **{**SHADOW, **fields})
    await asyncio.sleep(0.3)
    return rollout_id


async def ended(house: House, rollout_id: str, number: int) -> list[dict[str, Any]]:
    """The records of so many copies."""
    async with asyncio.timeout(10):
        while True:
            found = [each for each in await house.gateway.records() if each.get("arm") == "shadow"]
            if len(found) >= number:
                return found
            await asyncio.sleep(0.02)


async def test_callers_get_the_live_release_and_each_call_has_one_copy(settings: Build) -> None:
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "failing")
        shadow = await house.said("GET", f"/api/rollouts/{rollout_id}")
        for _ in range(10):
            answer = await house.call()
            assert (answer.status, answer.headers["x-llmops-release"]) == (200, shadow["stable"])
        streamed = await gateway.post("/v1/chat/completions", {"model": "bot", "messages": USER, "stream": True})
        assert streamed.status == 200 and streamed.body.endswith(b"data: [DONE]\n\n")
        copies = await ended(house, rollout_id, 11)
        records = await gateway.records()
        stable = {each["trace_id"]: each for each in records if each.get("arm") == "stable"}
        assert len(copies) == len(stable) == 11
        for copy in copies:
            call = stable[copy["trace_id"]]
            assert copy["request_id"] != call["request_id"] and copy["parent_span_id"] == call["span_id"]
            assert (copy["tenant"], copy["key_id"]) == (call["tenant"], f"shadow:{rollout_id}")
            assert copy["probability"] == call["probability"] == 0.5 and copy["stream"] == call["stream"]
            assert (copy["release_id"], copy["model"]) == (shadow["candidate"], "failing")
        assert {each["status"] for each in copies} - {200}, "the candidate fails often"
        async with asyncio.timeout(10):
            while (found := await house.said("GET", f"/api/rollouts/{rollout_id}"))["mirrored"]["copies"] < 11:
                await asyncio.sleep(0.05)
        spent = sum(each["cost_nanousd"] for each in copies)
        assert found["mirrored"]["spent_usd"] == f"{spent / 1e9:.9f}".rstrip("0")
        assert (found["mirrored"]["skipped"], found["mirrored"]["budget_usd"]) == (0, "1")


async def test_copies_cost_money_and_count_for_nothing_else(settings: Build) -> None:
    slos = [{"name": "answers", "objective": "availability", "target": 0.99}]
    async with a_gateway(settings, slos=slos) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "failing")
        for _ in range(12):
            await house.call()
        copies = await ended(house, rollout_id, 12)
        assert any(each["status"] >= 500 for each in copies)
        metrics = (await gateway.get("/metrics")).body.decode()
        lines = [line for line in metrics.splitlines() if 'model="failing"' in line]
        assert not any(line.startswith(("llm_errors_total", "llm_json_answers_total")) for line in lines)
        assert all(line.endswith(" 0.0") for line in lines if line.startswith("llm_requests_total"))
        assert any(line.startswith("llm_cost_usd_total") and not line.endswith(" 0.0") for line in lines), lines
        bad = [line for line in metrics.splitlines() if line.startswith("llmops_slo_events_total") and "bad" in line]
        assert bad and all(line.endswith(" 0.0") for line in bad)
        assert 'llmops_mirrored_calls_total{result="mirrored"} 12.0' in metrics
        copied = sum(each["cost_nanousd"] for each in copies)
        async with asyncio.timeout(10):
            while True:
                found = (await house.said("GET", "/api/overview"))["totals"]
                served = sum(each["cost_nanousd"] for each in await gateway.records() if each.get("arm") != "shadow")
                if found["nanousd"] == served + copied:
                    break
                await asyncio.sleep(0.05)
        assert found["calls"] == sum(each.get("arm") != "shadow" for each in await gateway.records())
        assert set(found["errors_by_type"]) <= {"model_not_found"}, "of before the release was live"
        trace = await house.said("GET", f"/api/traces/{copies[0]['trace_id']}")
        assert any(span["name"].endswith("(shadow)") for span in trace["page"])
        assert (await house.said("GET", "/api/usage?by=tenant"))["rows"][0]["nanousd"] == found["nanousd"]


async def test_one_that_hangs_holds_up_nobody_and_leaves_nothing_open(settings: Build) -> None:
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "hangs", max_at_once=3)
        answers = [await house.call() for _ in range(10)]
        assert [each.status for each in answers] == [200] * 10
        assert (await gateway.status())["ledger"]["open"] == 3, "the copies under way"
        async with asyncio.timeout(10):
            while (found := await house.said("GET", f"/api/rollouts/{rollout_id}"))["mirrored"]["skipped"] < 7:
                await asyncio.sleep(0.05)
    records = [json.loads(line) for line in (gateway.log_dir / "gateway.jsonl").read_text().splitlines()]
    copies = [each for each in records if each.get("arm") == "shadow"]
    assert [(each["status"], each["cost_nanousd"] > 0) for each in copies] == [(499, True)] * 3
    assert sum(each.get("arm") == "unmirrored" for each in records) == 7 and found["mirrored"]["copies"] == 0
    assert [each for each in (gateway.log_dir / "journal").iterdir()] == [], "no reservation is left"


async def test_the_budget_holds_however_many_ask_at_once_and_then_a_human_is_asked(settings: Build) -> None:
    budget = 0.00062
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "good", budget_usd=budget, max_at_once=100, settle="0.3s")
        async with asyncio.timeout(30):
            while (found := await house.said("GET", f"/api/rollouts/{rollout_id}"))["status"] == "running":
                await asyncio.gather(*(house.call() for _ in range(6)))
        assert (found["status"], found["share"]) == ("held", 0)
        assert found["decisions"][0]["action"] == "ASK" and "budget is used up" in found["decisions"][0]["reason"]
        copies = [each for each in await gateway.records() if each.get("arm") == "shadow"]
        spent = sum(each["cost_nanousd"] for each in copies)
        assert 0 < spent <= budget * 1e9 < spent + DEAREST_NANOUSD
        assert {each["status"] for each in copies} == {200, 402}
        promoted = await house.ask("POST", f"/api/rollouts/{rollout_id}/promote", {})
        assert (promoted.status, b"a shadow never serves; start a canary" in promoted.body) == (409, True)
        assert (await house.said("POST", f"/api/rollouts/{rollout_id}/rollback", {}))["status"] == "rolled_back"


async def test_a_budget_outlives_the_gateway(settings: Build) -> None:
    """Of copies one at a time there is room for three: each costs little, but might cost much."""
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "good", budget_usd=0.000615)
        for number in range(2):
            await house.call()
            await ended(house, rollout_id, number + 1)
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        for number in range(2, 4):
            await house.call()
            copies = await ended(house, rollout_id, number + 1)
        await house.call()
        assert [each["status"] for each in copies] == [200, 200, 200, 402]
        await asyncio.sleep(0.1)
        assert len(await ended(house, rollout_id, 4)) == 4, "after the refusal none is tried"


async def test_what_is_worse_ends_and_nothing_has_been_served_by_it(settings: Build) -> None:
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "failing", guards=[GUARDS["failing"]], settle="0.3s")
        found = await house.ends(rollout_id)
        assert (found["status"], found["share"]) == ("rolled_back", 0), found["decisions"]
        assert found["decisions"][0]["reason"].startswith("error: ")
        assert (await house.said("GET", f"/api/releases/{found['stable']}"))["live"]
        calls = [each for each in await gateway.records() if each.get("arm") != "shadow"]
        assert {each["model"] for each in calls if each["status"] == 200} == {"good"}


async def test_a_kept_answer_and_a_refused_call_are_not_mirrored(settings: Build) -> None:
    limits = {"rules": [{"name": "few", "per": "tag:who", "requests_per_minute": 1, "burst": 1}]}
    async with a_gateway(settings, cache={"enabled": True}, limits=limits) as gateway:
        house = House(gateway)
        rollout_id = await begins(house, "good")
        same = {"model": "bot", "temperature": 0, "messages": [{"role": "user", "content": "always the same"}]}
        for _ in range(4):
            assert (await gateway.post("/v1/chat/completions", same)).status == 200
        statuses = []
        for number in range(3):
            body = {**same, "messages": [{"role": "user", "content": f"other {number}"}]}
            statuses.append((await gateway.post("/v1/chat/completions", body, {"x-llmops-tags": "who=ann"})).status)
        assert statuses == [200, 429, 429]
        assert len(await ended(house, rollout_id, 2)) == 2
        await asyncio.sleep(0.1)
        assert len(await ended(house, rollout_id, 2)) == 2, "the first of the same ones, and the one let in"


async def known(gateway: Gateway, key: dict[str, str]) -> None:
    async with asyncio.timeout(10):
        while (await gateway.get("/v1/models", key)).status == 401:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("shared", [True, False])
async def test_a_tenants_calls_are_mirrored_for_the_tenant(settings: Build, shared: bool) -> None:
    async with a_gateway(settings) as gateway:
        house = House(gateway)
        for tenant in ("ops", "acme", "beta"):
            await house.said("POST", "/api/tenants", {"id": tenant})
        admin = (await house.said("POST", "/api/keys", {"tenant": "ops", "name": "admin", "role": "admin"}))["key"]
        auth = {"authorization": f"Bearer {admin}"}
        while (await gateway.get("/v1/models")).status != 401:  # as long as it knows no key, it is open
            await asyncio.sleep(0.02)
        await known(gateway, auth)

        async def key_of(tenant: str, role: str) -> dict[str, str]:
            made = await gateway.post("/api/keys", {"tenant": tenant, "name": "k", "role": role}, auth)
            key = {"authorization": f"Bearer {made.json()['key']}"}
            await known(gateway, key)
            return key

        owner = auth if shared else await key_of("acme", "editor")

        async def said(path: str, body: Any) -> Any:
            answer = await gateway.post(path, body, owner)
            assert answer.status < 300, answer.body
            return answer.json()

        live = (await said("/api/releases", {"bundle": {"name": "bot", "model": "good"}}))["id"]
        await said(f"/api/releases/{live}/live", {"reason": "a test"})
        bundle = {"name": "bot", "model": "good", "parameters": {"seed": 1}}
        candidate = (await said("/api/releases", {"bundle": bundle}))["id"]
        made = await said("/api/rollouts", {"plan": {"name": "bot", "candidate": candidate, **SHADOW}})
        await asyncio.sleep(0.4)
        answers = []
        for tenant in ("acme", "beta"):
            key = await key_of(tenant, "caller")
            answers.append(await gateway.post("/v1/chat/completions", {"model": "bot", "messages": USER}, key))
        assert [each.status for each in answers] == [200, 200 if shared else 404]
        await asyncio.sleep(0.3)
        file = gateway.log_dir / "gateway.jsonl"
        copies = [each for each in map(json.loads, file.read_text().splitlines()) if each.get("arm") == "shadow"]
        assert {each["tenant"] for each in copies} == ({"acme", "beta"} if shared else {"acme"})
        seen = await gateway.get(f"/api/rollouts/{made['id']}", await key_of("beta", "viewer"))
        assert seen.status == (200 if shared else 404)
