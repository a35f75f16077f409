"""Best-arm experiments with a database: shares follow the evidence, the best is named, and a human makes it live."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert

from llmops.errors import Conflict
from llmops.rollout.conductor import Conductor
from llmops.rollout.directory import RolloutDirectory
from llmops.rollout.evidence import keys_of, no_evidence, take_calls, take_labels
from llmops.rollout.outcome import CallSeen
from llmops.rollout.plan import Plan, read_plan
from llmops.rollout.rollout import Rollout
from llmops.store.database import Database
from llmops.store.tables import calls
from tests.rollout.parts import STABLE_ID
from tests.rollout.test_conductor import House, SomeReleases, row_of

GOOD, BAD = "rel-" + "c" * 16, "rel-" + "d" * 16
RATES = {"stable": 0.6, GOOD: 0.95, BAD: 0.3}


def a_trial(**fields: Any) -> Plan:
    values = {"name": "bot", "kind": "experiment", "arms": [GOOD, BAD], "goal": {"metric": "error"}, "settle": "1s"}
    return read_plan({**values, **fields})


class AllReleases(SomeReleases):
    blocks: str | None = None

    def check(self, release_id: str, name: str, tenant: str | None) -> None:
        pass

    def blocked(self, release_id: str, tenant: str | None) -> bool:
        return release_id == self.blocks

    def promote(self, rollout: Rollout, by: str, reason: str) -> None:
        self.pointer = rollout.candidate


class Laboratory(House):
    releases: AllReleases

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.releases = AllReleases()
        self.directory = RolloutDirectory(database, self.clock, self.releases)

    def calls(self, rollout: Rollout, n: int, rates: dict[str, float]) -> None:
        """Calls of a second, each of a session of its own."""
        shares = {arm: share for arm, _, share in rollout.arms}
        rows = []
        for _ in range(n):
            self.number += 1
            arm = self.luck.choices(list(shares), list(shares.values()))[0]
            call = CallSeen(
                request_id=f"req-{self.number}",
                started_ms=round(self.clock.now_s() * 1000) + self.number % 900,
                tenant="acme",
                arm=arm,
                share=1 - shares[arm],
                status=200 if self.luck.random() < rates[arm] else 503,
                session=f"s{self.number}",
            )
            rows.append(row_of(call, rollout.id))
        with self.database.write("calls") as connection:
            connection.execute(insert(calls), rows)

    def looks(self, rollout_id: str, rates: dict[str, float], *, seconds: int, killed: bool = False) -> Rollout:
        conductor = self.conductor()
        rollout = self.directory.repository.get(rollout_id, None)
        for _ in range(seconds):
            self.calls(rollout, 60, rates)
            self.clock.advance(1.0)
            if killed:
                self.clock.advance(6.0)
                conductor = self.conductor()
            self.look(conductor)
            rollout = self.directory.repository.get(rollout_id, None)
            if rollout.state.status != "running":
                break
        return rollout

    @staticmethod
    def look(conductor: Conductor) -> None:
        conductor.round()
        assert conductor.problems() == []


@pytest.fixture
def laboratory(database: Database) -> Iterator[Laboratory]:
    yield Laboratory(database)


@pytest.mark.parametrize("killed", [False, True])
def test_the_best_is_found_and_a_human_makes_it_live(laboratory: Laboratory, killed: bool) -> None:
    made = laboratory.directory.start(a_trial(), None, by="ann", reason="which one")
    with pytest.raises(Conflict, match="no arm is proved the best"):
        laboratory.directory.order(made.id, "promote", None, by="ann", reason="")
    version = laboratory.directory.repository.version()
    found = laboratory.looks(made.id, RATES, seconds=60, killed=killed)
    assert (found.state.status, found.state.winner, found.candidate) == ("held", GOOD, GOOD)
    assert found.saying.startswith(f"{GOOD} is best: 0.9") and laboratory.releases.pointer == STABLE_ID
    assert laboratory.directory.repository.version() > version + 1  # gateways have followed the shares
    shares = {arm: share for arm, _, share in found.arms}
    assert shares[GOOD] > 0.4 > shares[BAD] >= 1 / 30 - 1e-5
    assert sum(shares.values()) == pytest.approx(1)
    with pytest.raises(Conflict, match="proved the best"):
        laboratory.directory.order(made.id, "resume", None, by="ann", reason="")
    after, decision = laboratory.directory.order(made.id, "promote", None, by="ann", reason="")
    assert (after.state.status, decision.action, laboratory.releases.pointer) == ("promoted", "DONE", GOOD)
    status = laboratory.directory.status(made.id, None)
    assert status["winner"] == GOOD and [each["share"] for each in status["arms"]] == [0.0, 1.0, 0.0]
    assert [each["action"] for each in status["decisions"]] == ["DONE", "ASK", "START"]
    last = {each["guard"]: each for each in status["guards"]}
    assert last[f"arm:{GOOD}"]["verdict"] == "BEST" and last[f"arm:{BAD}"]["verdict"] == "WORSE"
    assert last["split"]["verdict"] == "PASS" and last["split"]["candidate_n"] + last["split"]["stable_n"] > 0
    laboratory.directory.order(made.id, "rollback", None, by="ann", reason="")
    assert laboratory.releases.pointer == STABLE_ID
    assert [each["id"] for each in laboratory.directory.of_release(BAD, None)] == [made.id]


def test_the_live_release_may_be_the_best(laboratory: Laboratory) -> None:
    made = laboratory.directory.start(a_trial(arms=[BAD]), None, by="ann", reason="")
    found = laboratory.looks(made.id, {"stable": 0.9, BAD: 0.3}, seconds=30)
    assert (found.state.winner, found.candidate) == ("stable", STABLE_ID)
    after, _ = laboratory.directory.order(made.id, "promote", None, by="ann", reason="")
    assert after.state.status == "promoted" and laboratory.releases.pointer == STABLE_ID


def test_at_the_deadline_a_human_is_asked(laboratory: Laboratory) -> None:
    made = laboratory.directory.start(a_trial(deadline="5s"), None, by="ann", reason="")
    found = laboratory.looks(made.id, dict.fromkeys(RATES, 0.9), seconds=10)
    assert (found.state.status, found.state.winner) == ("held", None)
    assert found.saying.startswith("the deadline has come; ") and "not ruled out" in found.saying
    after, _ = laboratory.directory.order(made.id, "resume", None, by="ann", reason="")
    assert after.state.status == "running"


def test_a_pause_leaves_the_live_release_alone(laboratory: Laboratory) -> None:
    made = laboratory.directory.start(a_trial(), None, by="ann", reason="")
    paused, _ = laboratory.directory.order(made.id, "pause", None, by="ann", reason="")
    assert paused.share == 0 and list(paused.running.arms) == [
        ("stable", STABLE_ID, 1.0),
        (GOOD, GOOD, 0.0),
        (BAD, BAD, 0.0),
    ]
    resumed, _ = laboratory.directory.order(made.id, "resume", None, by="ann", reason="")
    assert resumed.share == pytest.approx(2 / 3, abs=1e-5)


def test_a_block_of_any_arm_ends_it(laboratory: Laboratory) -> None:
    laboratory.releases.blocks = BAD
    made = laboratory.directory.start(a_trial(), None, by="ann", reason="")
    laboratory.look(laboratory.conductor())
    found = laboratory.directory.repository.get(made.id, None)
    assert found.state.status == "rolled_back" and BAD in found.saying and found.share == 0


def a_call(number: int, arm: str, probability: float, **fields: Any) -> CallSeen:
    values = {"request_id": f"r{number}", "started_ms": number, "tenant": "acme", "status": 200}
    return CallSeen(**{**values, "arm": arm, "share": 1 - probability, **fields})


def test_a_unit_counts_once_in_the_arm_that_it_came_to_first() -> None:
    plan = a_trial(window="1s")
    evidence = no_evidence(plan, 0)
    first = a_call(1, GOOD, 0.4, session="s")
    moved = a_call(2, BAD, 0.5, session="s", status=503)
    again = a_call(900, GOOD, 0.2, session="s", status=503)
    take_calls(plan, evidence, [first, moved, again], {}, 5000)
    assert evidence.arms is not None and evidence.arms.units == {"stable": 0, GOOD: 1, BAD: 0}
    assert (evidence.arms.streams[GOOD].n, evidence.arms.streams[GOOD].total) == (1, 0.0)
    take_calls(plan, evidence, [a_call(6000, BAD, 0.5, session="s")], keys_of(plan, [first]), 9000)
    assert evidence.arms.units[BAD] == 0 and evidence.units == 1


def test_scores_come_later_and_count_by_the_time_of_assignment() -> None:
    goal = {"metric": "score", "name": "kind", "lowest": 1, "highest": 5}
    plan = a_trial(goal=goal, unit="request")
    evidence, luck = no_evidence(plan, 0), random.Random(4)
    seen = [a_call(number, luck.choice(["stable", GOOD, BAD]), 1 / 3) for number in range(300)]
    take_calls(plan, evidence, seen, {}, 1000)
    assert evidence.arms is not None and sum(evidence.arms.units.values()) == 300
    assert all(each.n == 0 for each in evidence.arms.streams.values())
    labelled = [(call, {"kind": 5.0} if call.arm == GOOD else {}) for call in seen]
    take_labels(plan, evidence, labelled, {}, 1000)
    assert evidence.arms.streams[GOOD].n == evidence.arms.units[GOOD]
    assert evidence.arms.streams[GOOD].mean == 1.0 and evidence.arms.streams[BAD].n == 0
