"""The state machine: what it may never do, whatever happens in whatever order."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.rollout.state import Alarm, Event, Order, Refused, Seen, State, advance, started
from tests.rollout.parts import a_plan

PLAN = a_plan(steps=[1, 10, 100], deadline="1m")
GOOD = Seen(units=10_000)
SEEN = st.builds(
    Seen,
    harmed=st.sampled_from([(), (("error", "worse"),)]),
    unproved=st.sampled_from([(), ("error",)]),
    broken=st.sampled_from([(), (("score:a", "no numbers"),)]),
    units=st.integers(0, 500),
    split_broken=st.sampled_from([None, "uneven"]),
)
EVENTS = st.one_of(
    SEEN,
    st.just(Alarm(reason="slo")),
    st.builds(Order, what=st.sampled_from(["pause", "resume", "promote", "rollback"]), by=st.just("ann")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.integers(0, 20_000)), max_size=40))
def test_nothing_goes_up_without_proof_and_nothing_comes_back(events: list[tuple[Event, int]]) -> None:
    state, now = started(PLAN, 0), 0
    for event, passed in events:
        now += passed
        try:
            after, decision = advance(PLAN, state, event, now)
        except Refused:
            assert isinstance(event, Order)
            continue
        went_up = after.step > state.step or (after.status == "promoted" != state.status)
        assert after.step - state.step in (0, 1)
        if went_up and isinstance(event, Seen):
            step = PLAN.steps[state.step]
            assert state.status == "running" and decision.action in ("PROMOTE", "DONE")
            assert now - state.step_began_ms >= step.min_time * 1000 and not event.harmed
            if step.share < 1:
                assert not event.unproved and not event.broken and event.split_broken is None
                assert after.units - state.units_before >= step.min_units
        assert not (went_up and isinstance(event, Alarm))
        if isinstance(event, Alarm) or (isinstance(event, Seen) and event.harmed):
            assert after.status in ("rolled_back", "promoted")
        if state.status == "rolled_back":
            assert after == state
        state = msgspec.json.decode(msgspec.json.encode(after), type=State)
        assert state == after


def test_a_good_one_walks_to_the_end() -> None:
    state, now, actions = started(PLAN, 0), 0, []
    for units in range(0, 1000, 60):
        now += 4000
        state, decision = advance(PLAN, state, Seen(units=units), now)
        actions.append(decision.action)
    assert [each for each in actions if each != "HOLD"] == ["PROMOTE", "PROMOTE", "DONE"]
    assert state.status == "promoted" and state.share(PLAN) == 1


def test_the_deadline_asks_a_human_who_may_go_on() -> None:
    state, decision = advance(PLAN, started(PLAN, 0), Seen(units=10, unproved=["error"]), 60_000)
    assert (state.status, decision.action) == ("held", "ASK") and state.share(PLAN) == 0.01
    held, decision = advance(PLAN, state, GOOD, 70_000)
    assert decision.action == "HOLD" and held.status == "held"
    state, decision = advance(PLAN, held, Order(what="resume", by="ann"), 80_000)
    assert state.status == "running" and state.deadline_ms == 140_000


def test_an_uneven_sample_asks_once_and_never_goes_up() -> None:
    uneven = Seen(units=10_000, split_broken="uneven")
    state, decision = advance(PLAN, started(PLAN, 0), uneven, 20_000)
    assert decision.action == "ASK"
    state, _ = advance(PLAN, state, Order(what="resume", by="ann"), 20_000)
    state, decision = advance(PLAN, state, uneven, 21_000)
    assert (state.status, state.step, decision.action) == ("running", 0, "HOLD")


def test_blue_green_switches_by_hand_and_back_at_once() -> None:
    plan = a_plan(kind="blue_green", guards=[])
    state = started(plan, 0)
    assert state.share(plan) == 0 and advance(plan, state, GOOD, 20_000)[1].action == "HOLD"
    state, _ = advance(plan, state, Order(what="promote", by="ann"), 20_000)
    assert state.share(plan) == 1
    back, _ = advance(plan, state, Order(what="rollback", by="ann"), 20_001)
    assert back.share(plan) == 0
    done, decision = advance(plan, state, GOOD, 30_001)
    assert decision.action == "DONE" and done.status == "promoted"


def test_an_end_is_an_end_but_for_going_back() -> None:
    state, _ = advance(PLAN, started(PLAN, 0), Alarm(reason="slo"), 1)
    for what in ("pause", "resume", "promote", "rollback"):
        with pytest.raises(Refused):
            advance(PLAN, state, Order(what=what, by="ann"), 2)  # type: ignore[arg-type]
