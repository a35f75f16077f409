"""Objectives over HTTP and in the shell, from a real gateway's calls on both engines; a tenant sees its own alone."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.config import load_settings
from llmops.errors import ConfigError
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Gateway
from tests.serving import llmops_process
from tests.telemetry.test_metrics import samples

FAILING = {"broken": [{"provider": "mock", "mock": {"error_rate": 1.0}}]}
UP = {"name": "up", "objective": "availability", "target": 0.99, "per": "model", "minimum_events": 10}
FAST = {"name": "fast", "objective": "latency", "target": 0.5, "threshold_seconds": 60, "where": {"operation": "chat"}}
SPEND = {"name": "spend", "objective": "cost", "usd": 100}
ACME = {"name": "acme-up", "objective": "availability", "target": 0.9, "where": {"tenant": "acme"}}


async def calls(gateway: Gateway, key: str | None = None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for model in ["broken"] * 10 + ["mock"] * 10:
        await gateway.post("/v1/chat/completions", {**CHAT, "model": model}, headers)


async def standing(gateway: Gateway, count: int, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Objectives by name and group, as soon as so many of them have events."""
    while True:
        answer = await gateway.get("/api/slos", headers)
        assert answer.status == 200, answer.body
        found = {" ".join([each["name"], *each["group"].values()]): each for each in answer.json()}
        if sum(each["good"] + each["bad"] > 0 for each in found.values()) >= count:
            return found
        await asyncio.sleep(0.05)


async def test_objectives_are_shown_and_counted_alike(settings: Callable[..., Settings], url: str) -> None:
    async with Gateway(settings(FAILING, slos=[UP, FAST, SPEND], database={"url": url})) as gateway:
        await calls(gateway)
        found = await standing(gateway, 4)
        counted = samples((await gateway.get("/metrics")).body)
    assert set(found) == {"up broken", "up mock", "fast", "spend"}
    broken, well = found["up broken"], found["up mock"]
    assert (broken["good"], broken["bad"], broken["state"]) == (0, 10, "page")
    assert broken["burn"]["1h"] == pytest.approx(100) and broken["budget"]["left"] == pytest.approx(-99)
    assert broken["budget"]["exhausted_in_s"] == 0
    assert [each["long"] for each in broken["alerts"]] == ["1h", "6h", "1d", "3d"]
    assert (well["good"], well["state"], well["alerts"], well["ratio"]) == (10, "ok", [], 1.0)
    assert (found["fast"]["good"], found["spend"]["state"], found["spend"]["target"]) == (10, "ok", None)
    events = {
        dict(labels)["model"]: value
        for (name, labels), value in counted.items()
        if name == "llmops_slo_events_total" and {("verdict", "bad"), ("slo", "up")} <= set(labels)
    }
    assert events == {"broken": 10, "mock": 0}


async def test_a_tenant_sees_what_is_about_itself(settings: Callable[..., Settings]) -> None:
    per_tenant = {"name": "each", "objective": "availability", "target": 0.9, "per": "tenant"}
    async with Gateway(settings(FAILING, slos=[UP, ACME, per_tenant])) as gateway:
        keys = {}
        for tenant in ("acme", "bolt"):
            made = await gateway.post("/api/tenants", {"id": tenant}, _bearer(keys.get("admin")))
            assert made.status == 201, made.body
            if "admin" not in keys:
                keys["admin"] = (await gateway.post("/api/keys", {"role": "admin", "name": "a"})).json()["key"]
        for tenant in ("acme", "bolt"):
            for role in ("caller", "viewer"):
                body = {"role": role, "tenant": tenant, "name": role}
                answer = await gateway.post("/api/keys", body, _bearer(keys["admin"]))
                keys[f"{tenant} {role}"] = answer.json()["key"]
        while (await gateway.get("/api/slos")).status != 401:  # until the gateway has looked the keys up
            await asyncio.sleep(0.05)
        for tenant in ("acme", "bolt"):
            await calls(gateway, keys[f"{tenant} caller"])
        everything = await standing(gateway, 5, _bearer(keys["admin"]))
        seen = {
            tenant: set(await standing(gateway, 0, _bearer(keys[f"{tenant} viewer"]))) for tenant in ("acme", "bolt")
        }
        assert (await gateway.get("/api/slos", _bearer(keys["acme caller"]))).status == 403
        assert (await gateway.get("/api/slos")).status == 401
    assert {"up broken", "acme-up", "each acme", "each bolt"} <= set(everything)
    assert seen == {"acme": {"acme-up", "each acme"}, "bolt": {"each bolt"}}


async def test_scores_use_up_a_budget_too(settings: Callable[..., Settings], url: str) -> None:
    """On the whole and in Prometheus' counters; a comment without a value is no event."""
    truth = {"name": "truth", "objective": "quality", "score": "faithful", "at_least": 0.7, "target": 0.9}
    async with Gateway(settings(slos=[truth], database={"url": url})) as gateway:
        for value in (0.9, 0.7, 0.5):
            body = {"trace_id": "a" * 31 + "1", "name": "faithful", "value": value}
            assert (await gateway.post("/api/scores", body)).status == 201
        said = {"trace_id": "a" * 31 + "1", "name": "faithful", "comment": "hm"}
        assert (await gateway.post("/api/scores", said)).status == 201
        found = (await standing(gateway, 1))["truth"]
        counted = samples((await gateway.get("/metrics")).body)
    assert (found["good"], found["bad"]) == (2, 1)
    events = {dict(labels)["verdict"]: each for (name, labels), each in counted.items() if "slo_events" in name}
    assert events == {"good": 2, "bad": 1}
    assert counted["llm_score_count", (("score", "faithful"),)] == 3


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


async def test_the_shell_shows_them_and_says_by_its_status_that_one_burns(
    settings: Callable[..., Settings], log_dir: Path, tmp_path: Path
) -> None:
    async with Gateway(settings(FAILING)) as gateway:
        await calls(gateway)
    config = tmp_path / "gateway.yaml"
    given = {"log": {"dir": str(log_dir)}, "database": {"url": f"sqlite:///{tmp_path / 'llmops.db'}"}}
    config.write_text(yaml.safe_dump({**given, "slos": [UP, SPEND]}))
    told = await asyncio.to_thread(llmops_process, "slo", "status", "--config", str(config), "--json", folder=tmp_path)
    assert told.returncode == 1, told.stderr
    assert {each["state"] for each in json.loads(told.stdout)} == {"page", "ok"}
    shown = await asyncio.to_thread(llmops_process, "slo", "status", "--config", str(config), folder=tmp_path)
    assert "broken" in shown.stdout and "page" in shown.stdout and "$100.00" in shown.stdout
    config.write_text(yaml.safe_dump({**given, "slos": [SPEND]}))
    assert (
        await asyncio.to_thread(llmops_process, "slo", "status", "--config", str(config), folder=tmp_path)
    ).returncode == 0


async def test_a_reload_changes_objectives(settings: Callable[..., Settings]) -> None:
    from llmops.app import Stack

    async with Stack(settings(slos=[UP])) as stack:
        stack.reload(settings(slos=[SPEND]))
        await stack.call("chat", CHAT)
        await stack.parts.log.flush()
        found = stack.parts.metrics.snapshot().figures.values["llmops_slo_events_total"]
    assert {joined.split("\x1f")[0] for joined in found} == {"spend"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({**UP, "target": 99.9}, "is a percentage; as a share it is 0.999"),
        ({**UP, "target": None}, "target is missing"),
        ({**UP, "threshold_seconds": 1}, "threshold_seconds does not belong to an objective of availability"),
        ({"name": "x", "objective": "latency", "target": 0.9}, "needs threshold_seconds"),
        ({**SPEND, "target": 0.9}, "has usd, and no target"),
        ({"name": "x", "objective": "quality", "target": 0.9, "score": "truth"}, "this one needs it"),
        ({"name": "x", "objective": "quality", "target": 0.9, "score": "json_valid", "at_least": 1}, "does without"),
        (
            {"name": "x", "objective": "quality", "target": 0.9, "score": "truth", "at_least": 0.5, "per": "model"},
            "by tenant alone, not by model",
        ),
        ({**UP, "per": ["model", "model"]}, "names something twice"),
        ({**UP, "tarjet": 1}, "did you mean 'target'"),
        ({**UP, "name": "has space"}, "name"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(given: dict[str, Any], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({"slos": [given]}))
    with pytest.raises(ConfigError) as found:
        load_settings(file)
    assert problem in str(found.value)


def test_two_objectives_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({"slos": [UP, UP]}))
    with pytest.raises(ConfigError, match="two objectives are called 'up'"):
        load_settings(file)
