"""Rollouts end to end over HTTP: a good release walks to the end, a bad one goes back, both without a hand."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import USER, Answer, Gateway, http_request

MODELS = {
    "good": [{"provider": "mock"}],
    "failing": [{"provider": "mock", "mock": {"error_rate": 0.7}}],
    "slow": [{"provider": "mock", "mock": {"latency_ms": 400}}],
    "prose": [{"provider": "mock", "mock": {"reply": "no JSON at all"}}],
}
QUICK = {"steps": [30, 60, 100], "min_units": 10, "min_time": "0.2s", "settle": "0.3s", "label_delay": "0.6s"}
GUARDS: dict[str, dict[str, Any]] = {
    "failing": {"metric": "error", "margin": 0.3},
    "slow": {"metric": "slow", "margin": 0.3, "threshold_ms": 300},
    "prose": {"metric": "bad_json", "margin": 0.3},
    "rude": {"metric": "score", "name": "kind", "margin": 0.3},
}


class House:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.numbers = itertools.count()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, headers))
            return await connection.read_answer()

    async def said(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json()

    async def released(self, **bundle: Any) -> str:
        made = await self.said("POST", "/api/releases", {"bundle": {"name": "bot", **bundle}})
        return str(made["id"])

    async def starts(self, model: str, **fields: Any) -> str:
        """A rollout from a live release over ``good`` to one over ``model``."""
        live = await self.released(model="good")
        await self.said("POST", f"/api/releases/{live}/live", {"reason": "a test"})
        async with asyncio.timeout(10):
            while (await self.call()).status != 200:
                await asyncio.sleep(0.02)
        candidate = await self.released(model=model, parameters={"seed": 1})
        plan = {"name": "bot", "candidate": candidate, **QUICK, **fields}
        return str((await self.said("POST", "/api/rollouts", {"plan": plan}))["id"])

    async def call(self, *, score: bool = False) -> Answer:
        number, trace_id = next(self.numbers), secrets.token_hex(16)
        headers = {"x-llmops-session": f"s{number}", "traceparent": f"00-{trace_id}-{'1' * 16}-01"}
        body = {"model": "bot", "messages": USER, "response_format": {"type": "json_object"}}
        answer = await self.ask("POST", "/v1/chat/completions", body, **headers)
        if score:
            value = 0.9 if answer.headers["x-llmops-release"] == self.stable else 0.1
            await self.said("POST", "/api/scores", {"trace_id": trace_id, "name": "kind", "value": value})
        return answer

    async def ends(self, rollout_id: str, *, score: bool = False) -> dict[str, Any]:
        """How it stands once it has ended; calls go on meanwhile."""
        self.stable = (await self.said("GET", f"/api/rollouts/{rollout_id}"))["stable"]
        async with asyncio.timeout(60):
            while True:
                await asyncio.gather(*(self.call(score=score) for _ in range(8)))
                found: dict[str, Any] = await self.said("GET", f"/api/rollouts/{rollout_id}")
                if found["status"] not in ("running", "paused"):
                    return found


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings(MODELS, auth={"refresh_seconds": 0.1}, llm={"json_repair_attempts": 0})
    async with Gateway(built) as gateway:
        yield House(gateway)


async def test_a_good_release_walks_to_the_end_by_itself(house: House) -> None:
    rollout_id = await house.starts("good", guards=[GUARDS["failing"]])
    found = await house.ends(rollout_id)
    assert [each["action"] for each in reversed(found["decisions"])] == ["START", "PROMOTE", "PROMOTE", "DONE"]
    card = await house.said("GET", f"/api/releases/{found['candidate']}")
    assert card["live"] and [each["id"] for each in card["rollouts"]] == [rollout_id]
    assert {each["guard"] for each in found["evidence"]} == {"error", "split"}
    noted = await house.said("GET", "/api/audit?action=rollout.*")
    assert noted["entries"][0]["action"] == "rollout.done"


@pytest.mark.parametrize("why", list(GUARDS))
async def test_a_bad_release_goes_back_by_itself(house: House, why: str) -> None:
    rollout_id = await house.starts("good" if why == "rude" else why, guards=[GUARDS[why]])
    found = await house.ends(rollout_id, score=why == "rude")
    assert (found["status"], found["share"], found["step"]) == ("rolled_back", 0, 0), found["decisions"]
    assert found["decisions"][0]["reason"].startswith(f"{'score:kind' if why == 'rude' else GUARDS[why]['metric']}: ")
    async with asyncio.timeout(2):
        while (await house.call()).headers.get("x-llmops-release") != found["stable"]:
            pass


async def test_a_fast_burn_of_the_candidates_objective_ends_it(settings: Callable[..., Settings]) -> None:
    """What no guard looks at, an objective ``per: release`` may."""
    promise = {"name": "works", "objective": "availability", "target": 0.99, "per": "release"}
    few = {"minimum_events": 5, "minimum_bad_events": 3}
    built = settings(MODELS, auth={"refresh_seconds": 0.1}, slos=[{**promise, **few}], alerts={"interval_seconds": 0.2})
    async with Gateway(built) as gateway:
        house = House(gateway)
        rollout_id = await house.starts("failing", guards=[GUARDS["rude"]], min_time="1h", deadline="1d")
        found = await house.ends(rollout_id)
        assert found["status"] == "rolled_back"
        said = found["decisions"][0]["reason"]
        assert said.startswith("an objective of the candidate burns: works"), said
        card = await house.said("GET", f"/api/releases/{found['stable']}")
        assert card["live"], "the same objective, which the stable release keeps, is no reason"
        [noted] = (await house.said("GET", "/api/audit?action=rollout.rollback"))["entries"]
        assert noted["reason"] == said and "score:kind" in noted["after"]["evidence"]
        async with asyncio.timeout(10):
            while rollout_id not in (alerts := (await house.ask("GET", "/api/alerts")).body.decode()):
                await asyncio.sleep(0.05)
        assert "an objective of the candidate burns" in alerts


async def test_by_hand(house: House) -> None:
    rollout_id = await house.starts("good", guards=[GUARDS["failing"]])
    again = await house.ask("POST", "/api/rollouts", {"plan": {"name": "bot", "candidate": "rel-" + "0" * 16}})
    assert again.status == 400
    said = await house.said("POST", f"/api/rollouts/{rollout_id}/pause", {"reason": "lunch"})
    assert (said["status"], said["share"]) == ("paused", 0.3)
    assert (await house.ask("POST", f"/api/rollouts/{rollout_id}/pause", {})).status == 409
    for share in (0.6, 1.0, 1.0):
        said = await house.said("POST", f"/api/rollouts/{rollout_id}/promote", {})
        assert said["share"] == share
    assert said["status"] == "promoted"
    back = await house.said("POST", f"/api/rollouts/{rollout_id}/rollback", {"reason": "no"})
    assert back["status"] == "rolled_back"
    card = await house.said("GET", f"/api/releases/{back['stable']}")
    assert card["live"]


async def test_another_live_release_ends_it(house: House) -> None:
    rollout_id = await house.starts("good", guards=[GUARDS["failing"]], min_time="1h", deadline="1d")
    other = await house.released(model="prose")
    await house.said("POST", f"/api/releases/{other}/live", {"reason": "a test"})
    found = await house.ends(rollout_id)
    assert found["status"] == "rolled_back" and "has become the live release" in found["decisions"][0]["reason"]


async def test_a_candidate_that_hangs_is_one_that_fails(house: House) -> None:
    """Its calls take longer than is waited for any: they count without their ends, in time and not as missing."""
    rollout_id = await house.starts("slow", guards=[GUARDS["failing"]], min_time="30s", deadline="1h")
    found = await house.ends(rollout_id)
    assert (found["status"], found["step"]) == ("rolled_back", 0), found["decisions"]
    assert found["decisions"][0]["reason"].startswith("error: ")
    [split] = [each for each in found["guards"] if each["guard"] == "split"]
    assert split["verdict"] != "ERROR"
