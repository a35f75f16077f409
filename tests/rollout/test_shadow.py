"""Shadows: what a plan says, what their state may become, what pairs prove, and the tasks that carry the copies."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llmops.errors import BudgetExceeded, InvalidRequest, UpstreamError
from llmops.rollout.assignment import RolloutTable, Running
from llmops.rollout.evidence import no_evidence, seen, take_calls
from llmops.rollout.expected import mirrored
from llmops.rollout.mirror import Mirror, NoPrice
from llmops.rollout.outcome import CallSeen
from llmops.rollout.plan import Plan
from llmops.rollout.state import Alarm, Order, Refused, Seen, advance, started
from llmops.types import Assignment, Call, Outcome, Reply
from tests.rollout.parts import CANDIDATE_ID, ERRORS, STABLE_ID, a_plan
from tests.telemetry.calls import a_call as asked

HOUR_MS = 3_600_000
IT = Assignment(release_id=STABLE_ID, arm="stable", probability=0.5, rollout_id="ro-1", mirror=CANDIDATE_ID)


def a_shadow(**fields: Any) -> Plan:
    return a_plan(**{"kind": "shadow", "budget_usd": 2.5, "min_time": 0, "min_units": 0, **fields})


def test_a_plan_has_its_own_defaults() -> None:
    plan = a_shadow(guards=[])
    assert (plan.unit, plan.deadline, plan.max_at_once) == ("request", 86_400, 8)
    assert [each.percent for each in plan.steps] == [100] and plan.budget_nanousd == 2_500_000_000
    assert a_shadow(budget_usd=0.1).budget_nanousd == 100_000_000, "as it was written"
    assert Plan.model_validate(plan.model_dump(mode="json")) == plan


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"budget_usd": None}, "budget_usd: a shadow needs one"),
        ({"budget_usd": 0}, "greater than 0"),
        ({"steps": [1, 5]}, "steps: shadow has one"),
        ({"steps": [0]}, "steps: shadow has one"),
        ({"unit": "session"}, "unit: 'session': a shadow's is request"),
        ({"guards": [{"metric": "score", "name": "kind", "margin": 0.1}]}, "a score is of a trace"),
        ({"max_at_once": 0}, "greater than or equal to 1"),
        ({"kind": "canary", "budget_usd": 1}, "budget_usd: goes with kind: shadow"),
    ],
)
def test_what_is_no_plan_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        a_shadow(**fields)


def test_it_never_serves_and_never_goes_up() -> None:
    plan = a_shadow()
    state = started(plan, 0)
    with pytest.raises(Refused, match="a shadow never serves; start a canary"):
        advance(plan, state, Order(what="promote", by="ann"), 1)
    state, decision = advance(plan, state, Seen(units=10_000), 23 * HOUR_MS)
    assert (decision.action, decision.reason) == ("HOLD", "10000 copies have been compared") and state.share(plan) == 1
    state, decision = advance(plan, state, Seen(units=10_001, unproved=["slow"]), 24 * HOUR_MS)
    assert decision.action == "ASK" and "the deadline has come; 10001 copies were compared" in decision.reason
    assert "proved: error" in decision.reason and state.share(plan) == 0
    with pytest.raises(Refused):
        advance(plan, state, Order(what="promote", by="ann"), 24 * HOUR_MS)
    state, decision = advance(plan, state, Order(what="rollback", by="ann"), 25 * HOUR_MS)
    assert (state.status, decision.action) == ("rolled_back", "ROLLBACK")


def test_harm_and_alarms_end_it_and_a_pause_mirrors_nothing() -> None:
    plan = a_shadow()
    for event in (Seen(harmed=[("error", "worse")]), Alarm(reason="burns")):
        state, decision = advance(plan, started(plan, 0), event, 1)
        assert (state.status, decision.action, state.share(plan)) == ("rolled_back", "ROLLBACK", 0)
    paused, _ = advance(plan, started(plan, 0), Order(what="pause", by="ann"), 1)
    assert paused.share(plan) == 0
    again, _ = advance(plan, paused, Order(what="resume", by="ann"), 2)
    assert again.share(plan) == 1


def test_a_used_up_budget_asks_once_for_each_resume() -> None:
    plan = a_shadow()
    state, decision = advance(plan, started(plan, 0), Seen(units=5, refused_ms=700), 1000)
    assert (state.status, decision.action) == ("held", "ASK") and "budget is used up" in decision.reason
    state, _ = advance(plan, state, Order(what="resume", by="ann"), 2000)
    state, decision = advance(plan, state, Seen(units=5, refused_ms=700), 3000)
    assert decision.action == "HOLD", "what was refused before the resume has been told"
    state, decision = advance(plan, state, Seen(units=5, refused_ms=4000), 5000)
    assert decision.action == "ASK"


def test_a_share_is_mirrored_and_nothing_is_assigned() -> None:
    table = RolloutTable()
    running = Running(
        id="ro-1", tenant=None, name="bot", stable=STABLE_ID, candidate=CANDIDATE_ID, unit="request", share=0.3,
        mirrors=True,
    )  # fmt: skip
    table.replace([running])
    found = [table.assign("bot", asked(request_id=f"req_{number}")) for number in range(2000)]
    chosen = [each for each in found if each is not None]
    assert {*chosen} == {IT} and len(chosen) / 2000 == pytest.approx(0.3, abs=0.04)
    moved = RolloutTable(lambda _name, _tenant: CANDIDATE_ID)
    moved.replace([running])
    assert not any(moved.assign("bot", asked(request_id=f"req_{number}")) for number in range(50)), "it is live by now"


def pairs(number: int, both: float, candidate: float, luck: random.Random) -> list[CallSeen]:
    """Calls and their copies: some fail together, some copies by themselves."""
    found = []
    for each in range(number):
        together = luck.random() < both
        for arm, bad in (("stable", together), ("shadow", together or luck.random() < candidate)):
            values: dict[str, Any] = {"share": 0.5, "status": 503 if bad else 200, "tenant": "acme", "arm": arm}
            found.append(CallSeen(request_id=f"{arm}-{each}", started_ms=each, cost_nanousd=10, **values))
    return found


def test_pairs_that_fail_together_prove_no_harm() -> None:
    """Twenty shadows of which a tenth of the calls fails in both: none is ended, though every call is looked at."""
    plan = a_shadow(guards=[ERRORS])
    for seed in range(20):
        evidence = no_evidence(plan, 0)
        for number, call in enumerate(pairs(400, 0.1, 0.0, random.Random(seed))):
            take_calls(plan, evidence, [call], {}, number // 2 + 1)
            assert not seen(plan, evidence)[0].harmed
        assert (evidence.units, evidence.stable_units) == (400, 400) or evidence.units >= 399
        assert seen(plan, evidence)[0].split_broken is None and evidence.cost_nanousd == 4000


def test_a_worse_candidate_is_found_by_its_copies() -> None:
    plan = a_shadow(guards=[ERRORS])
    evidence = no_evidence(plan, 0)
    take_calls(plan, evidence, pairs(400, 0.05, 0.2, random.Random(3)), {}, 400)
    assert [guard for guard, _ in seen(plan, evidence)[0].harmed] == ["error"]


def test_the_budget_is_used_up_when_copies_are_refused_and_no_other_comes() -> None:
    plan = a_shadow(guards=[], settle="10s")
    evidence = no_evidence(plan, 0)

    def copies(*calls: tuple[int, int], until_ms: int) -> int:
        made = [
            CallSeen(
                request_id=f"c{at_ms}", started_ms=at_ms, tenant="a", arm="shadow", share=0.5, status=status,
                error_type="budget_exceeded" if status == 402 else None,
            )
            for at_ms, status in calls
        ]  # fmt: skip
        take_calls(plan, evidence, made, {}, until_ms)
        return seen(plan, evidence)[0].refused_ms

    assert copies((1000, 200), (2000, 402), until_ms=2500) == 0, "others may have been under way"
    assert copies((3000, 200), (4000, 402), until_ms=8000) == 0
    assert copies(until_ms=9000) == 4000


def test_what_is_to_be_expected() -> None:
    plan = a_shadow(steps=[50], budget_usd=10)
    assert mirrored(plan, 1000, 0.0001)["calls"] == 12_000
    told = mirrored(plan, 1000, 0.01)
    assert (told["calls"], told["usd"], told["seconds"]) == (1000, 10, 7200), "the budget ends it"
    assert mirrored(plan, 1000, None)["usd"] is None


# --- the tasks ---


class Upstream:
    def __init__(self) -> None:
        self.asked: list[Call] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, call: Call, name: str, assignment: Assignment) -> Reply:
        self.asked.append(call)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return Reply(outcome=Outcome())


async def settled(mirror: Mirror) -> None:
    while mirror.under_way:
        await asyncio.sleep(0)


async def test_what_has_no_place_is_let_go_and_counted() -> None:
    upstream = Upstream()
    mirror = Mirror(upstream)
    assert not mirror.copy(asked(), "bot", IT), "nobody has said that it mirrors"
    mirror.follow([("ro-1", 2)])
    assert [mirror.copy(asked(), "bot", IT) for _ in range(4)] == [True, True, False, False]
    upstream.go.set()
    await settled(mirror)
    assert mirror.copy(asked(), "bot", IT)
    await settled(mirror)
    assert mirror.counts == {"mirrored": 3, "skipped": 3, "failed": 0} and len(upstream.asked) == 3


@pytest.mark.parametrize("error", [UpstreamError("broken"), RuntimeError("a defect")])
async def test_a_copy_that_fails_is_nobodys_answer(error: Exception) -> None:
    upstream = Upstream()
    upstream.error = error
    upstream.go.set()
    mirror = Mirror(upstream)
    mirror.follow([("ro-1", 1)])
    for _ in range(3):
        assert mirror.copy(asked(), "bot", IT)
        await settled(mirror)
    assert mirror.counts["failed"] == 3 and mirror.problems() == []


async def test_a_refusal_alone_ends_mirroring_and_one_beside_others_makes_room_for_fewer() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    waits: list[Callable[[], Awaitable[object]]] = [first.wait, second.wait]
    refuses: set[int] = {1}

    async def send(call: Call, name: str, assignment: Assignment) -> Reply:
        number = int(call.request_id)
        if number < 2:
            await waits[number]()
        if number in refuses:
            raise BudgetExceeded("used up")
        return Reply(outcome=Outcome())

    mirror = Mirror(send)
    mirror.follow([("ro-1", 8)])
    assert mirror.copy(asked(request_id="0"), "bot", IT) and mirror.copy(asked(request_id="1"), "bot", IT)
    second.set()
    while mirror.under_way > 1:
        await asyncio.sleep(0)
    assert not mirror.copy(asked(request_id="2"), "bot", IT), "one at a time now"
    first.set()
    await settled(mirror)
    refuses.add(3)
    for number, taken in ((2, True), (3, True), (4, False)):
        assert mirror.copy(asked(request_id=str(number)), "bot", IT) is taken
        await settled(mirror)
    mirror.follow([])
    mirror.follow([("ro-1", 8)])
    assert mirror.copy(asked(request_id="5"), "bot", IT), "resumed, it is tried again"
    await settled(mirror)


async def test_without_a_price_nothing_is_mirrored_and_health_says_so() -> None:
    upstream = Upstream()
    upstream.error = NoPrice("the price of 'm/0' is not known")
    upstream.go.set()
    mirror = Mirror(upstream)
    mirror.follow([("ro-1", 1)])
    mirror.copy(asked(), "bot", IT)
    await settled(mirror)
    assert not mirror.copy(asked(), "bot", IT)
    assert mirror.problems() == ["the shadow ro-1 mirrors nothing: the price of 'm/0' is not known"]


async def test_at_the_end_copies_are_given_a_moment_and_then_cancelled() -> None:
    upstream = Upstream()
    mirror = Mirror(upstream, grace_s=0.01)
    mirror.follow([("ro-1", 3)])
    assert mirror.copy(asked(), "bot", IT)
    await mirror.aclose()
    assert mirror.under_way == 0 and not mirror.copy(asked(), "bot", IT)
