"""Shared breakers: states meet in any order, any number of times, and all processes agree."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.breaker import Breaker
from llmops.resilience.breaker_state import BreakerState, join
from llmops.resilience.epoch import decode, encode
from llmops.resilience.failure import Failure
from llmops.resilience.rules import BreakerRules

DOWN = Failure(kind="transient", message="down")
few = st.integers(0, 3).map(float)
states = st.builds(
    BreakerState,
    phase=st.sampled_from(["closed", "open", "dead"]),
    changed_s=few,
    out_until_s=few,
    ejections=st.integers(0, 3),
    cool_until_s=few,
    reason=st.sampled_from(["", "down"]),
)


@given(states, states, states)
def test_order_repetition_and_grouping_do_not_matter(a: BreakerState, b: BreakerState, c: BreakerState) -> None:
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)
    assert join(a, a) == a


@given(st.lists(states, max_size=6), st.randoms(use_true_random=False))
def test_processes_that_heard_the_same_agree(heard: list[BreakerState], luck: object) -> None:
    one, other = Breaker(BreakerRules(), 0.0), Breaker(BreakerRules(), 0.0)
    for state in heard:
        one.merge(state, 3.0)
    for state in reversed(heard + heard):
        other.merge(state, 3.0)
    assert one.state == other.state
    before = one.changes
    assert one.merge(other.state, 3.0) is None and one.changes == before


def test_one_ejects_and_readmits_for_all_over_the_wire() -> None:
    one, other = Breaker(BreakerRules(), 0.0), Breaker(BreakerRules(), 0.0)
    early = other.begin(1.0)
    for _ in range(5):
        one.fail(one.begin(1.0), DOWN, 1.0, 0.5)
    assert other.merge(decode(encode(one.state)), 1.1) == "ejected"
    assert other.is_out(1.1) and other.view(1.1).reason == "down" and other.state == one.state
    assert other.succeed(early, 1.2) is None and other.is_out(1.2), "that attempt began before"
    for _ in range(3):
        other.succeed(other.begin(31.0), 31.0)
    assert one.merge(other.state, 31.1) == "readmitted" and one.is_plain
    assert one.ejections == 1, "the next ejection is longer for all"


def test_a_cool_down_and_a_dead_credential_are_shared() -> None:
    one, other = Breaker(BreakerRules(), 0.0), Breaker(BreakerRules(), 0.0)
    one.fail(one.begin(1.0), Failure(kind="throttled", status=429, retry_after_s=9.0), 1.0, 0.5)
    assert other.merge(one.state, 2.0) is None and other.ready_in_s(2.0) == 8.0
    one.fail(one.begin(20.0), Failure(kind="credential", status=401), 20.0, 0.5)
    assert other.merge(one.state, 21.0) == "dead" and other.view(21.0).alert


def test_what_a_wrong_clock_says_is_ignored() -> None:
    breaker = Breaker(BreakerRules(), 0.0)
    for state in (
        BreakerState(phase="open", changed_s=9999.0, out_until_s=10_029.0),
        BreakerState(phase="open", changed_s=1.0, out_until_s=1e12),
        BreakerState(cool_until_s=1e12),
    ):
        assert breaker.merge(state, 1.0) is None and breaker.is_plain


def test_a_local_change_follows_what_it_was_told_even_by_a_clock_ahead() -> None:
    breaker = Breaker(BreakerRules(), 0.0)
    breaker.merge(BreakerState(phase="open", changed_s=4.0, out_until_s=30.0), 1.0)
    for _ in range(3):
        breaker.succeed(breaker.begin(2.0), 2.0)
    assert breaker.state.phase == "closed" and breaker.state.changed_s > 4.0
