"""Gateways as processes: three replicas give every session the same arm of an experiment, before and after a pause."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.rollout.test_processes import Server, call, gateway, said
from tests.serving import until
from tests.store.postgres import PostgresServer
from tests.store.redis_server import RedisServer

SESSIONS = [f"s{number}" for number in range(24)]


def starts(server: Server) -> dict[str, Any]:
    ids = []
    for seed in range(3):
        bundle = {"name": "bot", "model": "good", "parameters": {"seed": seed}}
        ids.append(said(server, "POST", "/api/releases", {"bundle": bundle})["id"])
    said(server, "POST", f"/api/releases/{ids[0]}/live", {"reason": "a test"})
    until(lambda: call(server, "first") == ids[0], "the live release")
    goal = {"metric": "score", "name": "kind"}
    plan = {"name": "bot", "kind": "experiment", "arms": ids[1:], "goal": goal, "settle": "0.3s", "label_delay": "0.5s"}
    return said(server, "POST", "/api/rollouts", {"plan": plan})  # type: ignore[no-any-return]


def test_three_replicas_agree_and_pause_together(
    tmp_path: Path, postgres: PostgresServer, redis_always: RedisServer
) -> None:
    env = {"LLMOPS_DATABASE_URL": postgres.fresh(), "LLMOPS_REDIS_URL": redis_always.url}
    with ExitStack() as stack:
        replicas = [stack.enter_context(gateway(tmp_path / f"{number}", env)) for number in range(3)]
        made = starts(replicas[0])
        releases = {each["release"] for each in made["arms"]}

        def told() -> list[list[str | None]]:
            return [[call(replica, session) for session in SESSIONS] for replica in replicas]

        for replica in replicas:
            until(lambda: {call(replica, each) for each in SESSIONS[:12]} == releases, "a replica that follows")  # noqa: B023 - used at once
        first = told()
        assert first[0] == first[1] == first[2] and set(first[0]) == releases
        said(replicas[1], "POST", f"/api/rollouts/{made['id']}/pause", {"reason": "a test"})
        until(lambda: all(set(each) == {made["stable"]} for each in told()), "replicas that have paused", 10)
        said(replicas[2], "POST", f"/api/rollouts/{made['id']}/resume", {"reason": "a test"})
        until(lambda: told() == first, "the same arms again", 10)
        found = until(lambda: _counted(replicas[0], made["id"]), "units that are counted")
        assert {each["guard"] for each in found["guards"]} == {
            *(f"arm:{each['arm']}" for each in made["arms"]),
            "split",
        }


def _counted(server: Server, rollout_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = said(server, "GET", f"/api/rollouts/{rollout_id}")
    return found if found["units"] and found["guards"] else None
