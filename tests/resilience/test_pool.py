"""Pools: an upstream's places, whose number is found out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.pool import AdaptivePool
from llmops.resilience.rules import PoolRules

RULES = PoolRules()


def filled(pool: AdaptivePool) -> int:
    entered = 0
    while pool.enter():
        entered += 1
    return entered


def test_nothing_is_refused_before_the_upstream_has_complained() -> None:
    assert filled(AdaptivePool(RULES)) == 2048


@pytest.mark.parametrize(("in_use", "size"), [(10, 44.8), (100, 70.0)])
def test_the_first_complaint_cuts_what_was_under_way_or_the_initial_size(in_use: int, size: float) -> None:
    pool = AdaptivePool(RULES)
    for _ in range(in_use):
        pool.enter()
    pool.refuse(0.0, 1.0)
    pool.refuse(0.0, 1.0)
    assert pool.size == 2048, "two alone say nothing"
    pool.refuse(0.0, 1.0)
    assert pool.size == pytest.approx(size)


def test_a_refusal_now_and_then_takes_no_places() -> None:
    """Ten answers forgive one refusal; more of them do not."""
    pool = AdaptivePool(RULES)
    for number in range(200):
        pool.refuse(number, number)
        for _ in range(10):
            pool.succeed()
    assert pool.size == 2048
    for number in range(200, 300):
        pool.refuse(number, number)
        for _ in range(5):
            pool.succeed()
    assert pool.size < 20


def test_one_cut_in_a_round_trip() -> None:
    pool = AdaptivePool(RULES)
    for _ in range(3):
        pool.refuse(0.0, 1.0)
    size = pool.size
    for _ in range(50):
        pool.refuse(0.9, 1.1)
    assert pool.size == size
    pool.refuse(1.0, 2.0)
    assert pool.size == pytest.approx(size * 0.7)


def test_it_never_falls_below_the_minimum() -> None:
    pool = AdaptivePool(RULES)
    for number in range(100):
        pool.refuse(number, number)
    assert pool.size == 4.0 and filled(pool) == 4


def test_a_pool_that_was_cut_while_nobody_needed_it_recovers() -> None:
    """Or the next rush would meet the minimum."""
    pool = AdaptivePool(RULES)
    pool.enter()
    for number in range(40):
        pool.refuse(number, number)
    assert pool.size == 4.0
    for _ in range(3000):
        pool.succeed()
    assert pool.size == pytest.approx(64, abs=0.1)


def test_a_round_of_successes_adds_one_place_and_only_where_places_are_used() -> None:
    pool = AdaptivePool(PoolRules(initial=40))
    for _ in range(64):
        pool.enter()
    for _ in range(3):
        pool.refuse(0.0, 0.0)
    size = pool.size
    for _ in range(63):
        pool.leave()
    for _ in range(100):
        pool.succeed()
    assert pool.size == size
    filled(pool)
    for _ in range(int(size)):
        pool.succeed()
    assert pool.size == pytest.approx(size + 1, abs=0.05)


def test_a_place_given_back_twice_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        AdaptivePool(RULES).leave()


@given(st.lists(st.sampled_from(["enter", "leave", "succeed", "refuse"]), max_size=300))
def test_in_use_and_size_stay_within_bounds(steps: list[str]) -> None:
    rules = PoolRules(initial=4, minimum=2, maximum=6)
    pool, inside = AdaptivePool(rules), 0
    for now_s, step in enumerate(steps):
        if step == "enter":
            entered = pool.enter()
            assert entered == (inside + 1 <= pool.size)
            inside += entered
        elif step == "leave" and inside:
            pool.leave()
            inside -= 1
        elif step == "succeed":
            pool.succeed()
        elif step == "refuse":
            pool.refuse(now_s, now_s)
        assert pool.in_use == inside and 2 <= pool.size <= 6
