"""The conductor over both databases: it counts, decides, and goes on after a kill from the same evidence."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from llmops.clock import ManualClock
from llmops.errors import Conflict, InvalidRequest
from llmops.rollout.conductor import Conductor
from llmops.rollout.directory import RolloutDirectory
from llmops.rollout.evidence import Mark
from llmops.rollout.outcome import CallSeen
from llmops.rollout.reading import ReadingReporter
from llmops.rollout.repository.readings import Readings
from llmops.rollout.rollout import LoggedDecision, Rollout
from llmops.rollout.schedule import begins_ms
from llmops.store.database import Database
from llmops.store.tables import calls
from tests.rollout.parts import CANDIDATE_ID, STABLE_ID, a_call, a_plan


class SomeReleases:
    def __init__(self) -> None:
        self.pointer = STABLE_ID
        self.is_blocked = False

    def live(self, name: str, tenant: str | None) -> str | None:
        return self.pointer

    def check(self, release_id: str, name: str, tenant: str | None) -> None:
        assert release_id == CANDIDATE_ID

    def blocked(self, release_id: str, tenant: str | None) -> bool:
        return self.is_blocked

    def promote(self, rollout: Rollout, by: str, reason: str) -> None:
        if self.pointer not in (rollout.stable, rollout.plan.candidate):
            raise Conflict("moved")
        self.pointer = rollout.plan.candidate

    def restore(self, rollout: Rollout, by: str, reason: str) -> None:
        self.pointer = rollout.stable


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.releases = SomeReleases()
        self.directory = RolloutDirectory(database, self.clock, self.releases)
        self.told: list[str] = []
        self.number = 0
        self.luck = random.Random(11)

    def conductor(self, **fields: Any) -> Conductor:
        def told(_rollout: Rollout, decision: LoggedDecision, _marks: Sequence[Mark]) -> None:
            self.told.append(decision.action)

        return Conductor(self.database, self.clock, self.releases, told=told, **fields)

    def traffic(self, rollout: Rollout, n: int, bad: float) -> None:
        """Calls of a second, with this share of failures among the candidate's."""
        share, now_ms = rollout.share, round(self.clock.now_s() * 1000)
        rows = []
        for _ in range(n):
            self.number += 1
            candidate = self.luck.random() < share
            status = 503 if candidate and self.luck.random() < bad else 200
            call = a_call(self.number, candidate=candidate, share=share, status=status, session=f"s{self.number}")
            rows.append(row_of(msgspec.structs.replace(call, started_ms=now_ms + self.number % 900), rollout.id))
        with self.database.write("calls") as connection:
            connection.execute(insert(calls), rows)


def row_of(call: CallSeen, rollout_id: str) -> dict[str, Any]:
    import datetime

    row = {name: getattr(call, name) for name in ("request_id", "tenant", "arm", "status", "session", "latency_ms")}
    nothing = dict.fromkeys(
        ("log_file", "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"), 0
    )
    words = {"operation": "chat", "model": "mock", "provider": "mock", "usage_source": "none", "tags": "{}"}
    flags = dict.fromkeys(("stream", "cached", "recovered"), False)
    share = call.share if call.arm == "candidate" else 1 - call.share
    about = {"rollout_id": rollout_id, "probability": share, "started_at_ms": call.started_ms}
    return {**row, **nothing, **words, **flags, **about, "day": datetime.date(2026, 1, 1)}


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    yield House(database)


def walk(house: House, rollout_id: str, bad: float, *, killed: bool, seconds: int = 60) -> list[str]:
    """Seconds of traffic, each with a look; ``killed``: each look by another process, the one before gone."""
    conductor = house.conductor()
    for _ in range(seconds):
        rollout = house.directory.repository.get(rollout_id, None)
        if not rollout.is_open:
            break
        house.traffic(rollout, 60, bad)
        house.clock.advance(1.0)
        if killed:
            house.clock.advance(6.0)  # its lease has run out
            conductor = house.conductor()
        conductor.round()
        assert conductor.problems() == []
    return [each.action for each in reversed(house.directory.repository.decisions(rollout_id))]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("bad", [0.0, 0.5])
def test_it_decides_also_when_it_is_killed_all_the_time(house: House, bad: float, killed: bool) -> None:
    guards = [{"metric": "error", "margin": 0.2}]
    plan = a_plan(steps=[20, 50, 100], min_units=20, min_time="2s", settle="2s", guards=guards)
    made = house.directory.start(plan, None, by="ann", reason="a test")
    actions = walk(house, made.id, bad, killed=killed)
    after = house.directory.repository.get(made.id, None)
    if bad:
        assert (after.state.status, after.share, house.releases.pointer) == ("rolled_back", 0, STABLE_ID)
        assert actions[-1] == "ROLLBACK"
    else:
        assert (after.state.status, house.releases.pointer) == ("promoted", CANDIDATE_ID)
        assert actions == ["START", "PROMOTE", "PROMOTE", "DONE"]
    assert house.told == actions[1:]
    marks = house.directory.repository.marks(made.id)
    assert marks[-1].guard == "split" and marks[-1].candidate_n <= house.number


def test_every_call_is_counted_once_whoever_counts(house: House) -> None:
    made = house.directory.start(
        a_plan(steps=[50, 100], settle="1s", min_time="1h", deadline="1d"), None, by="", reason=""
    )
    house.traffic(made, 300, 0.0)
    first, second = house.conductor(), house.conductor()
    house.clock.advance(2.5)
    first.round()
    second.round()  # it is not its turn
    _, evidence = house.directory.repository.evidence(made.id)
    assert evidence.units + evidence.stable_units == 300
    house.clock.advance(10)
    second.round()
    house.clock.advance(10)
    first.round()
    assert house.directory.repository.evidence(made.id)[1].split.canary_n == evidence.units


def test_a_block_by_the_gate_and_an_order_meet(house: House) -> None:
    made = house.directory.start(a_plan(), "acme", by="ann", reason="")
    with pytest.raises(Conflict, match="is open"):
        house.directory.start(a_plan(), "acme", by="ann", reason="")
    after, _ = house.directory.order(made.id, "pause", "acme", by="ann", reason="lunch")
    assert after.state.status == "paused"
    house.releases.is_blocked = True
    house.clock.advance(1)
    house.conductor().round()
    assert house.directory.repository.get(made.id, "acme").state.status == "rolled_back"
    assert house.directory.repository.find("other") == []


def test_a_burning_objective_of_the_candidate_ends_it(house: House) -> None:
    burning: list[tuple[dict[str, str], str]] = [({"release": STABLE_ID}, "availability")]
    made = house.directory.start(a_plan(), None, by="ann", reason="")
    conductor = house.conductor(burns=lambda: burning)
    conductor.round()
    assert house.directory.repository.get(made.id, None).is_open
    burning.append(({"release": CANDIDATE_ID}, "availability"))
    house.clock.advance(6)
    conductor.round()
    assert house.told == ["ROLLBACK"]


def test_a_scheduled_rollout_begins_in_its_time_and_moves_nothing_before(house: House) -> None:
    when = datetime.fromtimestamp(house.clock.now_s() + 3600, UTC).isoformat()
    made = house.directory.start(a_plan(), None, by="ann", reason="", at=when)
    assert (made.state.status, made.share) == ("scheduled", 0) and "it begins at" in made.saying
    conductor = house.conductor()
    for seconds, status in ((6, "scheduled"), (3580, "scheduled"), (20, "running")):
        house.clock.advance(seconds)
        conductor.round()
        assert house.directory.repository.get(made.id, None).state.status == status
    after = house.directory.repository.get(made.id, None)
    now_ms = round(house.clock.now_s() * 1000)
    assert (after.share, after.state.step_began_ms) == (0.01, now_ms) and after.state.deadline_ms > now_ms
    assert [each.action for each in house.directory.repository.decisions(made.id)] == ["START", "SCHEDULE"]
    assert [each.at_ms for each in house.directory.repository.marks(made.id)[:1]] == [now_ms], "nothing to draw before"
    assert house.told == ["START"]


def test_a_scheduled_rollout_is_cancelled_by_hand_or_by_what_happens_meanwhile(house: House) -> None:
    def scheduled() -> Rollout:
        when = datetime.fromtimestamp(house.clock.now_s() + 3600, UTC).isoformat()
        return house.directory.start(a_plan(), None, by="ann", reason="", at=when)

    def status(of: Rollout) -> str:
        return house.directory.repository.get(of.id, None).state.status

    made = scheduled()
    for what in ("pause", "promote"):
        with pytest.raises(Conflict, match="has not begun"):
            house.directory.order(made.id, what, None, by="ann", reason="")  # type: ignore[arg-type]
    house.directory.order(made.id, "rollback", None, by="ann", reason="")
    made = scheduled()
    house.directory.order(made.id, "resume", None, by="ann", reason="")
    assert status(made) == "running"
    house.directory.order(made.id, "rollback", None, by="ann", reason="")
    made = scheduled()
    house.releases.pointer = "rel-" + "c" * 16
    house.clock.advance(1)
    house.conductor().round()
    assert status(made) == "rolled_back"
    for text in ("tomorrow", "2020-01-01T00:00Z", "2999-01-01T00:00Z", "2026-11-23T08:00", ""):
        with pytest.raises(InvalidRequest, match=r"^at: "):
            begins_ms(text, 1_795_000_000_000)


def test_rollouts_are_listed_page_by_page(house: House) -> None:
    for number in range(5):
        made = house.directory.start(a_plan(), "acme" if number % 2 else None, by="ann", reason="")
        house.directory.order(made.id, "rollback", None, by="ann", reason="")
        if number != 2:
            house.clock.advance(1)  # two of them at the same time
    find = house.directory.repository.find
    whole = [each.id for each in find(None)]
    pages: list[str] = []
    while page := find(None, limit=2, before=pages[-1] if pages else None):
        pages += [each.id for each in page]
    assert pages == whole and len(whole) == 5
    assert len(find("other", limit=9, before=whole[0])) <= 3, "nobody sees another's by asking behind it"


async def test_evidence_waits_for_a_gateway_that_lags(house: House) -> None:
    """What it has not stored yet is counted when it comes, not passed by; a gateway that is gone holds nobody up."""
    rollout = house.directory.start(a_plan(steps=[50, 100], settle="1s"), None, by="ann", reason="")
    conductor, until_ms = house.conductor(), [0]
    reporter = ReadingReporter(
        Readings(house.database), lambda: until_ms[0], lambda: {rollout.id: 1.0}, house.clock, period_s=60
    )

    def seconds(number: int) -> int:
        """Of no traffic; the units that are counted in the end."""
        for _ in range(number):
            house.clock.advance(1.0)
            conductor.round()
        return house.directory.repository.get(rollout.id, None).state.units

    until_ms[0] = round(house.clock.now_s() * 1000)
    house.clock.advance(5.0)
    await reporter.report()
    house.clock.advance(-5.0)
    house.traffic(rollout, 60, 0.0)
    house.clock.advance(5.0)
    assert seconds(5) == 0, "that second is not known to be here"
    until_ms[0] = round(house.clock.now_s() * 1000)
    await reporter.report()
    assert 0 < (counted := seconds(1)) < 60
    until_ms[0] -= 10_000
    await reporter.report()
    house.traffic(rollout, 60, 0.0)
    assert seconds(20) == counted
    assert seconds(20) > counted, "nothing has been heard of it for half a minute"
    await reporter.aclose()
