"""Health of several processes as one, and what a scrape shows of it."""

from collections.abc import Callable
from pathlib import Path

from llmops.settings import Settings
from llmops.telemetry.exposition import exposition
from llmops.telemetry.health import STATES, DeploymentHealth, Health, ModelHealth
from llmops.telemetry.metrics import Metrics, Snapshot, merge
from llmops.telemetry.worker_metrics import WorkerMetrics
from tests.fakes.gateway import CHAT, Gateway
from tests.fakes.upstream import Upstream, Wire

from .test_metrics import samples


def worker(state: str = "closed") -> Snapshot:
    deployment = DeploymentHealth(
        attempts={"success": 5, "timeout": 2}, cut=1, changes={"ejected": 1}, state=state, calls=3, places=64
    )
    model = ModelHealth(retries=1, failovers=2, credits=30.5)
    return Metrics().snapshot(health=Health(deployments={"d": deployment}, models={"m": model}))


def test_counters_and_places_add_up_and_the_worst_state_counts() -> None:
    for other in STATES:
        total = merge([worker("cooling"), worker(other)]).health
        assert total.deployments["d"] == DeploymentHealth(
            attempts={"success": 10, "timeout": 4},
            cut=2,
            changes={"ejected": 2},
            state=max("cooling", other, key=STATES.index),
            calls=6,
            places=128,
        )
        assert total.models["m"] == ModelHealth(retries=2, failovers=4, credits=61.0)


def test_a_sum_changes_none_of_its_parts() -> None:
    one, other = worker(), worker("open")
    merge([one, other])
    assert (one.health, other.health) == (worker().health, worker("open").health)


def test_a_worker_that_has_died_leaves_its_counts_and_nothing_else(tmp_path: Path) -> None:
    dead, mine = WorkerMetrics(tmp_path), WorkerMetrics(tmp_path)
    dead.publish(lambda: worker("dead"))
    dead.close()  # as the end of its process would
    total = mine.together(worker()).health
    mine.close()
    found = total.deployments["d"]
    assert (found.attempts["success"], found.changes["ejected"]) == (10, 2)
    assert (found.state, found.calls, found.places, total.models["m"].credits) == ("closed", 3, 64, 30.5)


def test_the_exposition_shows_each_state() -> None:
    found = samples(exposition(worker("half_open")))
    by = ("deployment", "d")
    assert {state: found["llm_breaker_state", (by, ("state", state))] for state in STATES} == {
        "closed": 0, "cooling": 0, "half_open": 1, "open": 0, "dead": 0,
    }  # fmt: skip
    assert found["llm_attempts_total", (by, ("outcome", "timeout"))] == 2
    assert found["llm_breaker_changes_total", (("change", "ejected"), by)] == 1
    assert (found["llm_streams_cut_total", (by,)], found["llm_deployment_places", (by,)]) == (1, 64)
    assert found["llm_deployment_calls_in_flight", (by,)] == 3
    assert found["llm_retries_total", (("model", "m"),)] == 1
    assert found["llm_failovers_total", (("model", "m"),)] == 2
    assert found["llm_retry_budget_credits", (("model", "m"),)] == 30.5


async def test_a_gateway_shows_what_its_calls_went_through(settings: Callable[..., Settings]) -> None:
    """A quota that is used up says so inside a stream with status 200, and the other deployment takes over."""

    events = [b'data: {"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}}\n\n']

    async def used_up(wire: Wire) -> None:
        await wire.sse(events)

    async with Upstream(used_up) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}
        models = {"m": [{**where, "name": "poor"}, {"provider": "mock", "name": "spare"}]}
        async with Gateway(settings(models, resilience={})) as gateway:
            for _ in range(3):
                answer = await gateway.post("/v1/chat/completions", {**CHAT, "model": "m", "stream": True})
                assert answer.status == 200 and answer.headers["x-llmops-deployment"] == "spare"
            found = samples((await gateway.get("/metrics")).body)
            first, *others = await gateway.records()
    assert found["llm_attempts_total", (("deployment", "poor"), ("outcome", "credential"))] == 1
    assert found["llm_attempts_total", (("deployment", "spare"), ("outcome", "success"))] == 3
    assert found["llm_breaker_state", (("deployment", "poor"), ("state", "dead"))] == 1
    assert found["llm_failovers_total", (("model", "m"),)] == 1
    (attempt,) = first["failed_attempts"]
    assert (attempt["deployment"], attempt["error_type"], attempt["status"]) == ("poor", "upstream_credential", 429)
    assert attempt["latency_ms"] > 0 and not any("failed_attempts" in record for record in others)


async def test_without_resilience_there_is_nothing_to_show(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings()) as gateway:
        await gateway.post("/v1/chat/completions", CHAT)
        found = samples((await gateway.get("/metrics")).body)
    assert not [name for name, _ in found if name.startswith(("llm_attempts", "llm_breaker"))]
