"""Intervals of one proportion: published values, oracles, and coverage."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from llmops.statistics.proportion import (
    Counted,
    clopper_pearson,
    exact_lower,
    exact_upper,
    rogan_gladen,
    rule_of_three,
    wilson,
)

counts = st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "n", "lower", "upper"),
    [(0, 10, 0, 0.27753), (9, 10, 0.59585, 0.98212), (50, 100, 0.40383, 0.59617), (95, 100, 0.88825, 0.97846)],
)
def test_wilson_golden(successes: int, n: int, lower: float, upper: float) -> None:
    assert wilson(successes, n) == pytest.approx((lower, upper), abs=5e-6)


@settings(max_examples=50, deadline=None)
@given(counts, st.sampled_from([0.01, 0.05, 0.2]))
def test_intervals_agree_with_statsmodels(count: tuple[int, int], alpha: float) -> None:
    for ours, theirs in ((wilson, "wilson"), (clopper_pearson, "beta")):
        expected = proportion_confint(*count, alpha=alpha, method=theirs)
        assert ours(*count, alpha) == pytest.approx([float(end) for end in expected], abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(counts)
def test_intervals_hold_the_estimate_and_grow_with_the_level(count: tuple[int, int]) -> None:
    for interval in (wilson, clopper_pearson):
        narrow, wide = interval(*count, 0.2), interval(*count, 0.01)
        assert wide.lower <= narrow.lower <= count[0] / count[1] + 1e-12
        assert wide.upper >= narrow.upper >= count[0] / count[1] - 1e-12


@settings(max_examples=50, deadline=None)
@given(counts)
def test_failures_mirror_successes(count: tuple[int, int]) -> None:
    successes, n = count
    assert exact_upper(n - successes, n) == pytest.approx(1 - exact_lower(successes, n), abs=1e-9)
    assert wilson(n - successes, n).upper == pytest.approx(1 - wilson(successes, n).lower, abs=1e-9)


def test_without_a_failure_the_rule_of_three_is_near_and_safe() -> None:
    assert exact_upper(0, 300) <= rule_of_three(300) == 0.01
    assert exact_upper(0, 59) < 0.05 <= exact_upper(0, 58)


def test_nothing_was_seen() -> None:
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="11 of 10 is no proportion"):
        wilson(11, 10)
    with pytest.raises(ValueError, match="at least one"):
        rule_of_three(0)


def test_a_judges_rate_is_corrected() -> None:
    """Rogan and Gladen: (0.3 + 0.9 - 1) / (0.8 + 0.9 - 1)."""
    found = rogan_gladen(Counted(300, 1000), Counted(80, 100), Counted(90, 100))
    assert found.estimate == pytest.approx(0.2 / 0.7)
    assert 0 < found.lower < found.estimate < found.upper < 1
    exact = rogan_gladen(Counted(300, 1000), Counted(10_000, 10_000), Counted(10_000, 10_000))
    assert exact.estimate == pytest.approx(0.3)
    assert exact.lower == pytest.approx(wilson(300, 1000).lower, abs=1e-3)


def test_a_judge_that_knows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="knows nothing"):
        rogan_gladen(Counted(30, 100), Counted(50, 100), Counted(50, 100))
    with pytest.raises(ValueError, match="counts nothing"):
        rogan_gladen(Counted(30, 100), Counted(0, 0), Counted(50, 100))


@pytest.mark.parametrize("true", [0.05, 0.5, 0.9])
def test_the_corrected_interval_covers(true: float) -> None:
    rng = random.Random(1)

    def counted(rate: float, n: int) -> Counted:
        return Counted(sum(rng.random() < rate for _ in range(n)), n)

    hits, repetitions = 0, 300
    for _ in range(repetitions):
        found = rogan_gladen(counted(true * 0.85 + (1 - true) * 0.1, 400), counted(0.85, 60), counted(0.9, 60))
        hits += found.lower <= true <= found.upper
    assert hits / repetitions >= 0.92
