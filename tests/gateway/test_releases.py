"""Releases and flags of a running gateway: over HTTP, in the log and traces, with OpenFeature's own OFREP provider."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from llmops.evals.journal import Ending
from llmops.evals.repository.runs import RunRepository
from llmops.evals.run import RunSpec
from llmops.opening import open_identity
from llmops.settings import Settings
from llmops.store.database import Database
from tests.fakes.gateway import USER, Answer, Gateway, http_request

ON_OFF = {"variants": {"on": True, "off": False}, "default": "off"}


class House:
    """A gateway, and callers of two tenants."""

    def __init__(self, gateway: Gateway, keys: dict[str, str], database: Database) -> None:
        self.gateway = gateway
        self.keys = keys
        self.database = database

    async def ask(self, holder: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        headers |= {"Authorization": f"Bearer {self.keys[holder]}"}
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, headers))
            return await connection.read_answer()

    async def call(self, holder: str, model: str, **fields: Any) -> Answer:
        return await self.ask(holder, "POST", "/v1/chat/completions", {"model": model, "messages": USER, **fields})

    async def make(self, holder: str, **bundle: Any) -> str:
        sent = {"bundle": {"name": "bot", "model": "mock", **bundle}}
        answer = await self.ask(holder, "POST", "/api/releases", sent)
        assert answer.status == 201, answer.body
        return answer.json()["id"]  # type: ignore[no-any-return]

    async def go_live(self, holder: str, release: str) -> Answer:
        return await self.ask(holder, "POST", f"/api/releases/{release}/live", {"reason": "a test"})

    async def records(self) -> list[dict[str, Any]]:
        """Every line of the request log, written out first."""
        assert (await self.ask("root", "GET", "/metrics")).status == 200
        lines = (self.gateway.log_dir / "gateway.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    async def not_modified(self, holder: str, path: str, body: Any, tag: str) -> bool:
        """Whether the answer is a 304, which has no body and no length."""
        headers = {"Authorization": f"Bearer {self.keys[holder]}", "If-None-Match": tag, "Connection": "close"}
        async with await self.gateway.connect() as connection:
            await connection.send(http_request("POST", path, body, headers))
            status, found = await connection.read_head()
            return status == 304 and found["etag"] == tag and await connection.reader.read() == b""

    async def until(self, holds: Callable[[Answer], bool], holder: str, model: str) -> Answer:
        """A call's answer once the gateway has followed."""
        async with asyncio.timeout(5):
            while not holds(answer := await self.call(holder, model)):
                await asyncio.sleep(0.01)
        return answer


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings(auth={"refresh_seconds": 0.05})
    identity = open_identity(built)
    keys: dict[str, str] = {"root": str(identity.registry.create_key(name="root", role="admin")[1])}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer", "editor"):
            key = identity.registry.create_key(name=role, role=role, tenant=tenant)  # type: ignore[arg-type]
            keys[f"{tenant} {role}"] = str(key[1])
    async with Gateway(built) as gateway:
        yield House(gateway, keys, identity.database)
    identity.close()


async def test_a_released_name_is_answered_stamped_and_one_tenants_alone(house: House) -> None:
    made = await house.make("acme editor", parameters={"temperature": 0.2})
    assert (await house.call("acme caller", "bot")).status == 404
    assert (await house.go_live("other editor", made)).status == 404
    assert (await house.go_live("acme editor", made)).status == 200
    answer = await house.until(lambda each: each.status == 200, "acme caller", "bot")
    assert answer.headers["x-llmops-release"] == made
    assert (await house.call("other caller", "bot")).status == 404
    names = {
        holder: {each["id"] for each in (await house.ask(holder, "GET", "/v1/models")).json()["data"]}
        for holder in ("acme caller", "other caller")
    }
    assert "bot" in names["acme caller"] and "bot" not in names["other caller"]
    record = [each for each in await house.records() if each["release_id"]][-1]
    assert (record["release_id"], record["requested_model"], record["model"]) == (made, "bot", "mock")
    assert not {"arm", "rollout_id", "probability", "flags"} & record.keys()
    assert (await house.ask("other viewer", "GET", f"/api/releases/{made}")).status == 404
    told = (await house.ask("acme viewer", "GET", f"/api/releases/{made}")).json()
    assert told["live"] and told["figures"]["calls"] >= 0
    listed = [
        (await house.ask(f"{tenant} viewer", "GET", "/api/releases")).json()["live"] for tenant in ("acme", "other")
    ]
    assert [(each["name"], each["release_id"], each["tenant"]) for each in listed[0]] == [("bot", made, "acme")]
    assert listed[1] == []
    trail = (await house.ask("acme viewer", "GET", "/api/audit?action=release.*")).json()["entries"]
    assert [each["action"] for each in trail] == ["release.live", "release.create"]
    assert trail[0]["reason"] == "a test" and trail[0]["after"] == {"release_id": made}


async def test_rolling_back_takes_effect(house: House) -> None:
    first, second = await house.make("acme editor"), await house.make("acme editor", parameters={"seed": 1})
    for made in (first, second):
        assert (await house.go_live("acme editor", made)).status == 200
    await house.until(lambda each: each.headers.get("x-llmops-release") == second, "acme caller", "bot")
    back = await house.ask("acme editor", "POST", "/api/releases/rollback", {"name": "bot", "reason": "bad"})
    assert back.status == 200 and back.json()["id"] == first and back.json()["before"] == second
    await house.until(lambda each: each.headers.get("x-llmops-release") == first, "acme caller", "bot")
    pinned = await house.call("acme caller", f"bot@{second}")
    assert pinned.headers["x-llmops-release"] == second
    found = (await house.ask("acme viewer", "GET", f"/api/releases/{first}/diff?other={second}")).json()
    assert found["changes"] == [{"field": "parameters.seed", "before": None, "after": 1}]


async def test_a_gated_release_needs_a_verdict_with_runs_of_its_own(house: House) -> None:
    made = await house.make("acme editor", requires_gate=True)
    refused = await house.go_live("acme editor", made)
    assert refused.status == 409 and "requires a gate PASS" in refused.json()["error"]["message"]
    verdict: dict[str, Any] = {"verdict": "PASS", "run_ids": ["run-1"]}
    path = f"/api/releases/{made}/verdicts"
    assert (await house.ask("acme viewer", "POST", path, verdict)).status == 403
    assert (await house.ask("acme editor", "POST", path, {**verdict, "run_ids": []})).status == 400
    assert (await house.ask("acme editor", "POST", path, {**verdict, "verdict": "FINE"})).status == 400
    forged = await house.ask("acme editor", "POST", path, verdict)
    assert forged.status == 400 and "no eval run" in forged.json()["error"]["message"]
    about: dict[str, Any] = {"dataset": "d", "dataset_version": "v", "scorers": (), "metrics": (), "tenant": "acme"}
    runs = RunRepository(house.database)
    runs.store(RunSpec(run_id="run-1", subject={"model": f"bot@{made}"}, **about), Ending(state="complete"), None)
    assert (await house.ask("acme editor", "POST", path, verdict)).status == 201
    assert (await house.go_live("acme editor", made)).status == 200
    told = (await house.ask("acme viewer", "GET", f"/api/releases/{made}")).json()
    assert told["gate"] == {"required": True, "verdict": "PASS"} and told["evals"][0]["run_id"] == "run-1"


async def test_flags_of_a_call_are_on_its_span(house: House) -> None:
    answer = await house.ask(
        "acme caller",
        "POST",
        "/v1/chat/completions",
        {"model": "mock", "messages": USER},
        **{"x-llmops-flags": "new=on"},
    )
    assert answer.status == 200
    trace_id = answer.headers["traceparent"].split("-")[1]
    assert (await house.records())[-1]["flags"] == {"new": "on"}
    async with asyncio.timeout(5):
        while (found := await house.ask("acme viewer", "GET", f"/api/traces/{trace_id}/spans")).status == 404:
            await asyncio.sleep(0.02)
    assert '"feature_flag.key"' in found.body.decode() and "feature_flag.result.variant" in found.body.decode()


async def test_ofrep_as_the_protocol_says(house: House) -> None:
    path = "/ofrep/v1/evaluate/flags"
    assert (await house.ask("acme viewer", "PUT", "/api/flags/new", ON_OFF)).status == 403
    assert (await house.ask("acme editor", "PUT", "/api/flags/new", {**ON_OFF, "key": "old"})).status == 400
    put = await house.ask("acme editor", "PUT", "/api/flags/new?reason=try", {**ON_OFF, "split": {"on": 1}})
    assert put.status == 200 and put.json()["revision"] == 1
    assert (await house.ask("acme editor", "PUT", "/api/flags/new?revision=0", ON_OFF)).status == 409

    async def evaluate(holder: str, body: Any, key: str = "/new", **headers: str) -> Answer:
        return await house.ask(holder, "POST", path + key, body, **headers)

    context = {"context": {"targetingKey": "alice"}}
    async with asyncio.timeout(5):
        while (found := await evaluate("acme caller", context)).status == 404:
            await asyncio.sleep(0.01)
    assert found.json() == {"key": "new", "reason": "SPLIT", "variant": "on", "value": True, "metadata": {}}
    for body, code in (
        ({}, "TARGETING_KEY_MISSING"),
        (b"{", "PARSE_ERROR"),
        ({"context": []}, "INVALID_CONTEXT"),
        ([], "INVALID_CONTEXT"),
        ({"context": {"targetingKey": 7}}, "INVALID_CONTEXT"),
    ):
        refused = await evaluate("acme caller", body)
        assert (refused.status, refused.json()["errorCode"], refused.json()["key"]) == (400, code, "new")
    unknown = await evaluate("other caller", context)
    assert (unknown.status, unknown.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    everything = await evaluate("acme caller", context, "")
    assert [each["key"] for each in everything.json()["flags"]] == ["new"]
    tag = everything.headers["etag"]
    assert await house.not_modified("acme caller", path, context, tag)
    other = await evaluate("acme caller", {}, "", **{"If-None-Match": tag})
    assert other.status == 200 and other.json()["flags"][0]["errorCode"] == "TARGETING_KEY_MISSING"
    assert "llmops_flag_evaluations_total" in (await house.ask("root", "GET", "/metrics")).body.decode()
    assert (await house.ask("acme editor", "DELETE", "/api/flags/new")).status == 200
    trail = (await house.ask("acme viewer", "GET", "/api/audit?action=flag.*")).json()["entries"]
    assert [each["action"] for each in trail] == ["flag.remove", "flag.set"] and trail[1]["reason"] == "try"


async def test_openfeatures_own_provider(house: House) -> None:
    rule = {"name": "pro", "when": {"attribute": "plan", "equals": "pro"}, "serve": "on"}
    await house.ask("root", "PUT", "/api/flags/new", {**ON_OFF, "rules": [rule]})
    key = house.keys["acme caller"]
    provider = OFREPProvider(house.gateway.url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})

    def ask() -> list[Any]:
        api.set_provider(provider)
        client, pro = api.get_client(), EvaluationContext("alice", {"plan": "pro"})
        found = client.get_boolean_details("new", False, pro)
        missing = client.get_boolean_details("nothing", True, pro)
        return [found.value, found.variant, found.reason, client.get_boolean_value("new", True), missing.error_code]

    try:
        async with asyncio.timeout(5):
            while (answer := await asyncio.to_thread(ask))[0] is not True:
                await asyncio.sleep(0.02)
    finally:
        api.clear_providers()
    assert answer == [True, "on", "TARGETING_MATCH", False, "FLAG_NOT_FOUND"]
