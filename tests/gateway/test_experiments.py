"""Best-arm experiments end to end over HTTP: the best of three releases is found and made live by a human."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import USER, Answer, Gateway, http_request

MODELS = {
    "middling": [{"provider": "mock", "mock": {"error_rate": 0.5}}],
    "good": [{"provider": "mock"}],
    "failing": [{"provider": "mock", "mock": {"error_rate": 0.8}}],
    "second": [{"provider": "mock"}],
    "third": [{"provider": "mock"}],
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

    async def call(self, session: str | None = None) -> Answer:
        headers = {"x-llmops-session": session or f"s{next(self.numbers)}"}
        return await self.ask("POST", "/v1/chat/completions", {"model": "bot", "messages": USER}, **headers)

    async def starts(self, *models: str, **fields: Any) -> dict[str, Any]:
        """An experiment whose live release is over the first model, once the gateway follows it."""
        ids = []
        for model in models:
            made = await self.said("POST", "/api/releases", {"bundle": {"name": "bot", "model": model}})
            ids.append(str(made["id"]))
        await self.said("POST", f"/api/releases/{ids[0]}/live", {"reason": "a test"})
        plan = {"name": "bot", "kind": "experiment", "arms": ids[1:], "goal": {"metric": "error"}, **fields}
        planned = await self.said("POST", "/api/rollouts/plan", {"plan": plan})
        assert planned["experiment"]["arms"] == 3 and planned["experiment"]["units"] > 100
        made = await self.said("POST", "/api/rollouts", {"plan": {"settle": "0.3s", **plan}})
        async with asyncio.timeout(10):
            while not {(await self.call()).headers.get("x-llmops-release") for _ in range(12)} >= set(ids):
                pass
        return dict(made)


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings(MODELS, auth={"refresh_seconds": 0.1}, resilience={"enabled": False})
    async with Gateway(built) as gateway:
        yield House(gateway)


async def test_the_best_is_found_and_made_live_by_hand(house: House) -> None:
    made = await house.starts("middling", "good", "failing")
    good, failing = (each["release"] for each in made["arms"][1:])
    assert made["share"] == pytest.approx(2 / 3, abs=1e-5)
    assert (await house.ask("POST", f"/api/rollouts/{made['id']}/promote", {})).status == 409
    async with asyncio.timeout(60):
        while True:
            await asyncio.gather(*(house.call() for _ in range(8)))
            found = await house.said("GET", f"/api/rollouts/{made['id']}")
            if found["status"] != "running":
                break
    assert (found["status"], found["winner"], found["candidate"]) == ("held", good, good)
    assert found["decisions"][0]["action"] == "ASK" and found["decisions"][0]["reason"].startswith(f"{good} is best: 1")
    verdicts = {each["guard"]: each["verdict"] for each in found["guards"]}
    assert verdicts == {"arm:stable": "WORSE", f"arm:{good}": "BEST", f"arm:{failing}": "WORSE", "split": "PASS"}
    told = await house.said("POST", f"/api/rollouts/{made['id']}/promote", {"reason": "so be it"})
    assert told["status"] == "promoted" and (await house.said("GET", f"/api/releases/{good}"))["live"]
    async with asyncio.timeout(5):
        while {(await house.call()).headers.get("x-llmops-release") for _ in range(6)} != {good}:
            pass


async def test_a_pause_and_a_return_leave_the_live_release_alone(house: House) -> None:
    made = await house.starts("good", "second", "third", settle="1m")  # no evidence comes in, so shares stay
    sessions = [f"kept-{number}" for number in range(30)]
    first = [(await house.call(each)).headers["x-llmops-release"] for each in sessions]
    assert len(Counter(first)) == 3
    for what in ("pause", "resume", "rollback"):
        said = await house.said("POST", f"/api/rollouts/{made['id']}/{what}", {"reason": "a test"})
        wanted = first if what == "resume" else [made["stable"]] * 30
        assert said["share"] == (pytest.approx(2 / 3, abs=1e-5) if what == "resume" else 0)
        async with asyncio.timeout(8):
            while [(await house.call(each)).headers["x-llmops-release"] for each in sessions] != wanted:
                pass
