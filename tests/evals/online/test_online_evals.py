"""Online evals in a running gateway: from a call to its score, over a reload, with what is of no use refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llmops.assembly.online_evals import OnlineEvals
from llmops.errors import ConfigError
from tests.fakes.gateway import CHAT, Gateway, settings_for

VERDICT = json.dumps({"reason": "so", "grade": 1})
MODELS = {"judge": [{"provider": "mock", "mock": {"reply": VERDICT}}]}
JUDGED = {
    "name": "quality",
    "sample": 1.0,
    "where": {"model": "mock"},
    "scorers": ["latency", {"rubric": {"criterion": "it answers"}}],
    "judge": "judge",
    "budget_usd_per_day": 1.0,
}


async def scores(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    for _ in range(400):
        found: list[dict[str, Any]] = (await gateway.get("/api/scores?limit=500")).json()["scores"]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(found)} scores came, {count} were awaited: {await gateway.status()}")


async def test_a_call_gets_its_scores(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path / "logs", MODELS, evals={"online": {"rules": [JUDGED]}}, traces={"capture": {"share": 1.0}}
    )
    async with Gateway(settings) as gateway:
        await asyncio.sleep(0.7)  # it begins with what comes from now on
        for _ in range(3):
            assert (await gateway.post("/v1/chat/completions", CHAT)).status == 200
        found = await scores(gateway, 6)
        calls = {each["span_id"]: each for each in await gateway.records() if each["model"] == "mock"}
        assert {each["span_id"] for each in found} == set(calls) and len(calls) == 3
        assert {(each["name"], each["source"]) for each in found} == {("latency_ms", "code"), ("rubric", "judge")}
        judged = [each for each in await gateway.records() if each["model"] == "judge"]
        assert len(judged) == 3 and all(each["tags"] == {"online_eval": "quality"} for each in judged)
        metrics = (await gateway.get("/metrics")).body.decode()
        assert 'llmops_online_evals_total{result="scored",rule="quality"} 6.0' in metrics
        assert 'llmops_online_evals_spent_usd{rule="quality"}' in metrics
        assert (await gateway.get("/api/drift")).json() == []


def refused(tmp_path: Path, rule: dict[str, Any]) -> str:
    settings = settings_for(tmp_path / "logs", MODELS, evals={"online": {"rules": [rule]}})
    with pytest.raises(ConfigError) as said:
        OnlineEvals.check(settings)
    return str(said.value)


def test_rules_that_are_of_no_use_are_refused(tmp_path: Path) -> None:
    assert "ltency" in refused(tmp_path, {"name": "r", "scorers": ["ltency"]})
    assert "judge" in refused(tmp_path, {"name": "r", "scorers": [{"rubric": {"criterion": "x"}}]})
    for wrong in (
        {"name": "r", "scorers": ["latency"], "judge": "judge"},
        {"name": "r", "scorers": []},
        {"name": "r", "scorers": ["latency"], "sample": 0},
        {"name": "r", "scorers": ["latency"], "where": {"colour": "red"}},
    ):
        with pytest.raises(ValueError, match="evals"):
            settings_for(tmp_path / "logs", MODELS, evals={"online": {"rules": [wrong]}})
