"""Gateways as processes: killed in the middle they go on where they were, replicas agree on every assignment, and all
of them go back when the gate blocks the candidate."""

import contextlib
import http.client
import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llmops.cli.root import app
from tests.serving import HOST, Server, free_port, running, until
from tests.store.postgres import PostgresServer
from tests.store.redis_server import RedisServer

CONFIG = """
auth: {refresh_seconds: 0.1}
log: {flush_milliseconds: 5}
resilience: {enabled: false}
alerts: {interval_seconds: 0.2}
models:
  good: [{provider: mock, mock: {reply: "yes"}}]
  wrong: [{provider: mock, mock: {reply: "no"}}]
  hanging: [{provider: mock, mock: {latency_ms: 60000}}]
  failing: [{provider: mock, mock: {error_rate: 0.7}}]
"""
JSON = {"content-type": "application/json"}
QUICK = {"steps": [40, 70, 100], "min_units": 15, "min_time": "0.5s", "settle": "0.5s"}


@contextmanager
def gateway(folder: Path, env: dict[str, str]) -> Iterator[Server]:
    folder.mkdir(exist_ok=True)
    (folder / "gateway.yaml").write_text(CONFIG)
    port = free_port()
    with running(
        ["-m", "llmops", "serve", "--config", "gateway.yaml", "--port", str(port)], folder, port, env
    ) as found:
        yield found


def ask(server: Server, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=20)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {**JSON, **headers})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(response.read())
    finally:
        connection.close()


def said(server: Server, method: str, path: str, body: Any = None) -> Any:
    status, _, found = ask(server, method, path, body)
    assert status < 300, found
    return found


def call(server: Server, session: str) -> str | None:
    """The release that answered, or would have."""
    body = {"model": "bot", "messages": [{"role": "user", "content": "Hi"}]}
    _, headers, _ = ask(server, "POST", "/v1/chat/completions", body, **{"x-llmops-session": session})
    return headers.get("x-llmops-release")


def starts(server: Server, model: str, **fields: Any) -> dict[str, Any]:
    live = said(server, "POST", "/api/releases", {"bundle": {"name": "bot", "model": "good"}})["id"]
    said(server, "POST", f"/api/releases/{live}/live", {"reason": "a test"})
    bundle = {"name": "bot", "model": model, "parameters": {"seed": 1}}
    candidate = said(server, "POST", "/api/releases", {"bundle": bundle})["id"]
    plan = {"name": "bot", "candidate": candidate, "guards": [{"metric": "error", "margin": 0.3}], **QUICK, **fields}
    until(lambda: call(server, "first") == live, "the live release")
    return said(server, "POST", "/api/rollouts", {"plan": plan})  # type: ignore[no-any-return]


@pytest.mark.parametrize(("model", "end"), [("good", "promoted"), ("failing", "rolled_back")])
def test_killed_in_the_middle_it_goes_on(tmp_path: Path, model: str, end: str) -> None:
    folder, env = tmp_path / "one", {"LLMOPS_DATABASE_URL": f"sqlite:///{tmp_path}/llmops.db"}
    units = 0
    with gateway(folder, env) as first:
        made = starts(first, model, steps=[50, 100], min_units=30)
        asked = [f"at-first-{number}" for number in range(10)]
        until(lambda: made["candidate"] in {call(first, session) for session in asked}, "the gateway following")
        for number in range(20):
            call(first, f"before-{number}")
        found = until(lambda: _with_units(first, made["id"]), "units that are counted")
        units = found["units"]
        first.signal(signal.SIGKILL)
        first.wait()
    with gateway(folder, env) as second:
        found = said(second, "GET", f"/api/rollouts/{made['id']}")
        assert found["units"] >= units and (found["step"] == 0 or found["status"] != "running")
        numbers = iter(range(10_000))

        def ended() -> dict[str, Any] | None:
            for _ in range(10):
                call(second, f"after-{next(numbers)}")
            now = said(second, "GET", f"/api/rollouts/{made['id']}")
            return now if now["status"] != "running" else None

        assert until(ended, "the end", 60)["status"] == end


def test_a_candidate_whose_calls_die_with_the_gateway_goes_back(tmp_path: Path) -> None:
    """Nobody saw their end: they are known from the ledger's journal, and their time is over when they are found."""
    folder, env = tmp_path / "one", {"LLMOPS_DATABASE_URL": f"sqlite:///{tmp_path}/llmops.db"}
    with gateway(folder, env) as first, ThreadPoolExecutor(40) as pool:
        made = starts(first, "hanging", steps=[50, 100], settle="2s", min_time="1h", deadline="1d")
        asked = iter(f"s{number}" for number in range(1000))

        def under_way() -> bool:
            pool.submit(_gone, first, next(asked))
            found = re.search(r"^llmops_ledger_open (\d+)", first.get("/metrics")[1], re.MULTILINE)
            return found is not None and int(found[1]) >= 12

        until(under_way, "calls under way")
        first.signal(signal.SIGKILL)
        first.wait()
    with gateway(folder, env) as second:
        found = until(lambda: _with_status(second, made["id"], "rolled_back"), "its end")
        assert found["decisions"][0]["reason"].startswith("error: "), found["decisions"]


def _gone(server: Server, session: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        call(server, session)


def blocked(folder: Path, env: dict[str, str], stable: str, candidate: str) -> dict[str, Any]:
    """Run the gate on both releases, for real; its decision."""
    cases = [{"id": str(number), "input": f"Is {number} a number?", "reference": "yes"} for number in range(20)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    policy = {
        "dataset": "cases.jsonl",
        "subjects": {"baseline": {"model": f"bot@{stable}"}, "candidate": {"model": f"bot@{candidate}"}},
        "scorers": ["exact"],
        "metrics": {"exact": {"margin": 0.1}},
    }
    (folder / "gate.yaml").write_text(json.dumps(policy))
    with contextlib.chdir(folder):
        ran = CliRunner().invoke(app, ["gate", "run", "gate.yaml", "--config", "gateway.yaml", "--json"], env=env)
    assert ran.exit_code == 1, ran.output
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


def cache_of(server: Server, release: str) -> str | None:
    """What the cache says to a call that asks for this release by its id."""
    body = {"model": f"bot@{release}", "temperature": 0, "messages": [{"role": "user", "content": "kept?"}]}
    return ask(server, "POST", "/v1/chat/completions", body)[1].get("x-llmops-cache")


def test_three_replicas_agree_and_go_back_together_when_the_gate_blocks(
    tmp_path: Path, postgres: PostgresServer, redis_always: RedisServer
) -> None:
    env = {"LLMOPS_DATABASE_URL": postgres.fresh(), "LLMOPS_REDIS_URL": redis_always.url, "CACHE_ENABLED": "true"}
    with ExitStack() as stack:
        replicas = [stack.enter_context(gateway(tmp_path / f"{number}", env)) for number in range(3)]
        made = starts(replicas[0], "wrong", min_time="1h", deadline="1d")
        stable, candidate = made["stable"], made["candidate"]
        sessions = [f"s{number}" for number in range(40)]
        for replica in replicas:
            until(
                lambda: candidate in {call(replica, session) for session in sessions[:10]},  # noqa: B023 - used at once
                "a replica that follows",
            )
        told = [[call(replica, session) for session in sessions] for replica in replicas]
        assert told[0] == told[1] == told[2] and set(told[0]) == {stable, candidate}
        for replica in replicas:
            until(lambda: cache_of(replica, candidate) == "hit", "an answer that is kept")  # noqa: B023 - used at once
        decision = blocked(tmp_path / "0", env, stable, candidate)
        assert decision["verdict"] == "BLOCK"
        verdict = {"verdict": "BLOCK", "run_ids": [f"{decision['id']}-candidate"], "reason": decision["id"]}
        said(replicas[1], "POST", f"/api/releases/{candidate}/verdicts", verdict)
        chosen = sessions[told[0].index(candidate)]
        for replica in replicas:
            until(lambda: call(replica, chosen) == stable, "a replica that goes back", 4.0)  # noqa: B023 - used at once
        found = until(lambda: _with_status(replicas[2], made["id"], "rolled_back"), "its end")
        assert found["decisions"][0]["reason"] == "the gate's verdict on the candidate is BLOCK"
        [noted] = said(replicas[2], "GET", "/api/audit?action=rollout.rollback")["entries"]
        assert noted["object"] == made["id"] and set(noted["after"]["evidence"]) == {"error", "split"}
        alert = until(lambda: _firing(replicas[2], made["id"]), "the alert")
        assert "the gate's verdict on the candidate is BLOCK" in json.dumps(alert)
        until(lambda: cache_of(replicas[0], candidate) == "miss", "the candidate's kept answers to be gone")


def _with_status(server: Server, rollout_id: str, status: str) -> dict[str, Any] | None:
    found: dict[str, Any] = said(server, "GET", f"/api/rollouts/{rollout_id}")
    return found if found["status"] == status else None


def _firing(server: Server, rollout_id: str) -> dict[str, Any] | None:
    alerts = said(server, "GET", "/api/alerts")
    return next((each for each in alerts if each["labels"].get("rollout") == rollout_id), None)


def _with_units(server: Server, rollout_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = said(server, "GET", f"/api/rollouts/{rollout_id}")
    return found if found["units"] else None
