"""The retry budget: its bounds, proven by simulation, at total failure and otherwise."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.resilience.retry_budget import TTL_S, RetryBudget
from llmops.resilience.rules import RetryRules

TIRELESS = RetryRules(stamina=10**9)


def attempts_at_total_failure(rules: RetryRules, per_second: float, seconds: float) -> tuple[int, int]:
    """Calls and attempts when every attempt fails and each call would like to make three."""
    budget = RetryBudget(rules, 0.0)
    calls = attempts = 0
    while (now_s := calls / per_second) < seconds:
        calls += 1
        budget.call(now_s)
        for number in range(rules.max_attempts):
            if number and not budget.take(now_s):
                break
            attempts += 1
            budget.fail()
    return calls, attempts


@pytest.mark.parametrize("per_second", [1, 10, 100, 1000])
def test_credits_alone_bound_retries_to_a_fifth_and_three_a_second(per_second: float) -> None:
    calls, attempts = attempts_at_total_failure(TIRELESS, per_second, 120.0)
    assert attempts - calls <= 0.2 * calls + 3 * 120 + 33
    if per_second >= 10:  # and they are not stingier than that
        assert attempts - calls >= 0.95 * (0.2 * calls + 3 * 120)


@pytest.mark.parametrize("per_second", [1, 3, 10, 100, 1000])
def test_at_total_failure_amplification_stays_below_a_fifth(per_second: float) -> None:
    calls, attempts = attempts_at_total_failure(RetryRules(), per_second, 300.0)
    assert attempts <= calls + 49
    assert attempts / calls < 1.2


@given(st.lists(st.tuples(st.sampled_from(["call", "take", "look"]), st.floats(0, 4)), max_size=60))
def test_what_is_left_can_be_read_without_touching_it(steps: list[tuple[str, float]]) -> None:
    budget, now_s = RetryBudget(TIRELESS, 0.0), 0.0
    for step, pause_s in steps:
        now_s += pause_s
        if step == "call":
            budget.call(now_s)
        elif step == "take":
            budget.take(now_s)
        left = budget.left(now_s)
        assert left == budget.left(now_s) == pytest.approx(budget.credits(now_s))


def test_one_failed_attempt_in_five_can_be_lived_with_for_ever() -> None:
    budget, luck = RetryBudget(TIRELESS, 0.0), random.Random(1)
    real = RetryBudget(RetryRules(), 0.0)
    lost = 0
    for number in range(20_000):
        for each in (budget, real):
            each.call(number / 100)
        while luck.random() < 0.15:
            real.fail()
            if not real.take(number / 100):
                lost += 1
                break
        else:
            real.succeed()
    assert lost < 20


def test_success_gives_stamina_back() -> None:
    budget = RetryBudget(RetryRules(), 0.0)
    for _ in range(60):
        budget.fail()
    assert not budget.has_credit(0.0)
    for _ in range(41):
        budget.succeed()
    assert budget.has_credit(0.0)


def test_credits_are_gone_after_ten_seconds() -> None:
    budget = RetryBudget(TIRELESS, 0.0)
    for _ in range(1000):
        budget.call(0.0)
    assert budget.credits(8.9) == pytest.approx(230.0)
    assert budget.credits(TTL_S) == pytest.approx(30.0)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 4), st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_whenever_a_credit_is_taken_the_last_ten_seconds_are_within_bounds(steps: list[tuple[float, int, int]]) -> None:
    budget, now_s = RetryBudget(TIRELESS, 0.0), 0.0
    calls: list[float] = []
    taken: list[float] = []
    for pause_s, came, wanted in steps:
        now_s += pause_s
        for _ in range(came):
            budget.call(now_s)
            calls.append(now_s)
        for _ in range(wanted):
            if not budget.take(now_s):
                break
            taken.append(now_s)
            recent = sum(now_s - at_s < TTL_S - 1 for at_s in taken)
            assert recent <= 0.2 * sum(now_s - at_s <= TTL_S for at_s in calls) + 30 + 1e-6
    assert len(taken) <= 0.2 * len(calls) + 3 * now_s + 33
