"""The director and its pauses: a table of what follows what, and properties over everything it can be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.backoff import backoff_s
from llmops.resilience.deadline import LEAST_S
from llmops.resilience.director import Again, GiveUp, Next, Option, next_attempt
from llmops.resilience.failure import FULL, Attempt, Failure
from llmops.resilience.rules import RetryRules

RULES = RetryRules()
DOWN = Failure(kind="transient")
SLOW_DOWN = Failure(kind="throttled", status=429)


def at(name: str, failure: Failure = DOWN) -> Attempt:
    return Attempt(name, failure)


def option(name: str, *, ready_in_s: float = 0.0, good: bool = True, free: bool = True) -> Option:
    return Option(deployment=name, ready_in_s=ready_in_s, is_good=good, is_free=free)


def after(*tried: Attempt, options: list[Option], remaining_s: float = 60.0, credit: bool = True) -> Next:
    return next_attempt(tried, options, remaining_s=remaining_s, has_credit=credit, luck=0.5, rules=RULES)


A, B, C = option("a"), option("b"), option("c")
PATIENT = Failure(kind="throttled", status=429, retry_after_s=5.0)
TOO_PATIENT = Failure(kind="throttled", status=429, retry_after_s=21.0)


@pytest.mark.parametrize(
    ("tried", "options", "expected"),
    [
        # the first attempt
        ([], [A, B], Again(deployment="a")),
        ([], [option("a", ready_in_s=3.0)], Again(deployment="a", wait_s=3.025)),
        ([], [option("a", ready_in_s=30.0)], GiveUp(why="patience", retry_after_s=30.0)),
        # elsewhere first, at once and without a credit
        ([at("a")], [A, B], Again(deployment="b")),
        ([at("b")], [A, B], Again(deployment="a")),
        ([at("a", PATIENT)], [A, B], Again(deployment="b")),
        ([at("a"), at("b")], [A, B, C], Again(deployment="c")),
        # a place whose last answer was bad needs a credit
        ([at("a")], [A, option("b", good=False)], Again(deployment="b", takes_credit=True)),
        # here, after a pause
        ([at("a")], [A], Again(deployment="a", wait_s=0.025, takes_credit=True)),
        ([at("a"), at("a")], [A], Again(deployment="a", wait_s=0.05, takes_credit=True)),
        ([at("a", SLOW_DOWN)], [A], Again(deployment="a", wait_s=0.5, takes_credit=True)),
        ([at("a", PATIENT)], [A], Again(deployment="a", wait_s=5.5, takes_credit=True)),
        ([at("a", TOO_PATIENT)], [A], GiveUp(why="patience", retry_after_s=21.0)),
        # a place that cools down waits for its time; one that failed comes back sooner
        ([at("a")], [A, option("b", ready_in_s=9.0)], Again(deployment="a", wait_s=0.025, takes_credit=True)),
        # only elsewhere
        ([at("a", Failure(kind="credential", status=401))], [A, B], Again(deployment="b")),
        ([at("a", Failure(kind="credential", status=401))], [A], GiveUp(why="nowhere")),
        ([at("a", Failure(kind="incapable"))], [A, option("b", good=False)], Again(deployment="b")),
        # nothing was sent yet: no credit
        ([at("a", FULL)], [A], Again(deployment="a", wait_s=0.025)),
        # never
        ([at("a", Failure(kind="rejected", status=400))], [A, B], GiveUp(why="final")),
        ([at("a", Failure(kind="defect"))], [A, B], GiveUp(why="final")),
        ([at("a", Failure(kind="transient", committed=True))], [A, B], GiveUp(why="committed")),
        ([at("a"), at("b"), at("a")], [A, B, C], GiveUp(why="attempts")),
    ],
)
def test_what_follows(tried: list[Attempt], options: list[Option], expected: Next) -> None:
    assert after(*tried, options=options) == expected


def test_without_a_credit_only_a_sound_place_that_was_not_tried_is_left() -> None:
    assert after(at("a"), options=[A, B], credit=False) == Again(deployment="b")
    assert after(at("a"), options=[A], credit=False) == GiveUp(why="budget")
    assert after(at("a"), options=[A, option("b", good=False)], credit=False) == GiveUp(why="budget")


def test_retry_after_is_honoured_only_where_the_time_is_there() -> None:
    assert after(at("a", PATIENT), options=[A], remaining_s=5.2) == Again(
        deployment="a", wait_s=pytest.approx(5.15), takes_credit=True
    )
    assert after(at("a", PATIENT), options=[A], remaining_s=5.0) == GiveUp(why="patience", retry_after_s=5.0)
    assert after(at("a", PATIENT), options=[A, B], remaining_s=5.0) == Again(deployment="b")
    assert after(at("a"), options=[A, B], remaining_s=0.049) == GiveUp(why="deadline")


def test_pauses_double_up_to_the_cap() -> None:
    full = [backoff_s(RULES, number, 1.0) for number in (0, 1, 2, 8, 9, 2000)]
    assert full == [0.05, 0.1, 0.2, 12.8, 20.0, 20.0]
    assert backoff_s(RULES, 0, 1.0, throttled=True) == 1.0 and backoff_s(RULES, 5, 0.0) == 0.0


KINDS = ["transient", "overloaded", "timeout", "throttled", "conflict", "impatient", "credential", "full", "rejected"]
failures = st.builds(
    Failure, kind=st.sampled_from(KINDS), retry_after_s=st.none() | st.floats(0, 1e5), committed=st.booleans()
)
names = st.sampled_from("abcd")


@given(
    tried=st.lists(st.builds(Attempt, names, failures), max_size=6),
    options=st.lists(
        st.builds(Option, deployment=names, ready_in_s=st.floats(0, 1e4), is_good=st.booleans(), is_free=st.booleans()),
        max_size=4,
        unique_by=lambda each: each.deployment,
    ),
    remaining_s=st.floats(0, 700),
    credit=st.booleans(),
    luck=st.floats(0, 1, exclude_max=True),
)
def test_whatever_it_is_asked(
    tried: list[Attempt], options: list[Option], remaining_s: float, credit: bool, luck: float
) -> None:
    step = next_attempt(tried, options, remaining_s=remaining_s, has_credit=credit, luck=luck, rules=RULES)
    if isinstance(step, GiveUp):
        return
    assert len(tried) < RULES.max_attempts and not any(attempt.failure.committed for attempt in tried[-1:])
    assert 0 <= step.wait_s <= min(RULES.max_wait_s, remaining_s - LEAST_S) + 1e-9
    chosen = next(each for each in options if each.deployment == step.deployment)
    assert step.wait_s >= chosen.ready_in_s
    here = [attempt.failure for attempt in tried if attempt.deployment == step.deployment]
    assert all(step.wait_s >= (failure.retry_after_s or 0) for failure in here[-1:])
    assert not any(failure.kind in ("credential", "rejected") for failure in here[-1:])
    assert credit or not step.takes_credit
    if any(attempt.failure.was_sent for attempt in tried) and not step.takes_credit:
        assert not here and chosen.is_good
