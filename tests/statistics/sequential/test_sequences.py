"""Confidence sequences and bets: golden widths, coverage at all times, the same after a restart."""

import math
import random
import statistics

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.statistics.sequential import acs, quantile_sequence
from llmops.statistics.sequential.betting import Blocks, BoundedMean, Capital
from llmops.statistics.sequential.evalues import log_average, over_bonferroni, over_e_bh
from llmops.statistics.sequential.quantile_sequence import QuantileSequence, apart


@pytest.mark.parametrize(("n", "half"), [(100, 0.16133), (1_000, 0.04884), (10_000, 0.01691)])
def test_the_asymptotic_sequence_golden(n: int, half: float) -> None:
    assert acs.half_width(n, 0.25) == pytest.approx(half, abs=5e-6)


def test_moments_are_those_of_the_sample() -> None:
    rng = random.Random(0)
    pairs = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(200)]
    moments = acs.Moments()
    for value, covariate in pairs:
        moments.observe(value, covariate)
    values, covariates = zip(*pairs, strict=True)
    assert moments.mean == pytest.approx(statistics.fmean(values))
    assert moments.variance() == pytest.approx(statistics.variance(values))
    slope = 0.3
    rest = [value - slope * covariate for value, covariate in pairs]
    assert moments.variance(slope) == pytest.approx(statistics.variance(rest))
    assert moments.products / 199 == pytest.approx(statistics.covariance(values, covariates))


def difference(rng: random.Random, n: int, shift: float = 0.0, known: bool = False) -> acs.Difference:
    both = acs.Difference()
    for _ in range(n):
        canary, size = rng.random() < 0.5, rng.gauss(0, 1)
        both.observe(canary, size + rng.gauss(0, 0.5) + shift * canary, size if known else 0.0)
    return both


def test_a_covariate_narrows_the_sequence() -> None:
    plain, adjusted = (difference(random.Random(1), 1_000, 0.2, known).interval() for known in (False, True))
    assert adjusted.upper - adjusted.lower < 0.55 * (plain.upper - plain.lower)
    assert adjusted.lower < 0.2 < adjusted.upper


def test_the_sequence_misses_seldom_however_often_it_is_asked() -> None:
    misses, repetitions = 0, 100
    for seed in range(repetitions):
        rng, both = random.Random(seed), acs.Difference()
        missed = False
        for step in range(1, 1_501):
            both.observe(rng.random() < 0.3, rng.expovariate(1))
            if step % 25 == 0:
                lower, upper = both.interval()
                missed |= not lower <= 0 <= upper
        misses += missed
    assert misses / repetitions <= 0.06


def test_evidence_and_sequence_agree() -> None:
    both = difference(random.Random(2), 2_000, 0.15)
    lower, _ = both.interval(0.05)
    assert (both.log_e(0.05) >= math.log(20)) == (lower > 0)
    assert acs.Difference().interval() == (-math.inf, math.inf)
    assert acs.Difference().log_e() == 0


def test_units_do_not_matter() -> None:
    small, large = acs.Difference(), acs.Difference()
    rng = random.Random(3)
    for _ in range(400):
        canary, value = rng.random() < 0.5, rng.expovariate(1)
        small.observe(canary, value)
        large.observe(canary, value * 1e9)
    assert large.interval().lower == pytest.approx(small.interval().lower * 1e9)
    assert large.log_e() == pytest.approx(small.log_e())


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
def test_a_bounded_mean_is_always_inside(rate: float) -> None:
    misses, width = 0, 0.0
    for seed in range(100):
        rng, sequence = random.Random(seed), BoundedMean()
        for _ in range(800):
            sequence.observe(float(rng.random() < rate))
        misses += not sequence.lower <= rate <= sequence.upper
        width = sequence.interval.upper - sequence.interval.lower
    assert misses <= 5
    assert width < 0.2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 5), min_size=1, max_size=40))
def test_a_bounded_mean_stays_in_its_range(values: list[float]) -> None:
    sequence = BoundedMean(lowest=-3, highest=5)
    for value in values:
        sequence.observe(value)
    lower, upper = sequence.interval
    assert -3 - 1e-9 <= lower <= upper <= 5 + 1e-9
    assert msgspec.json.decode(msgspec.json.encode(sequence), type=BoundedMean) == sequence


def test_capital_does_not_grow_under_the_null_and_does_beyond() -> None:
    rich = 0
    for seed in range(300):
        rng, capital = random.Random(seed), Capital(null=-0.05, target=0.0)
        highest = 0.0
        for _ in range(500):
            capital.observe(-0.05 + (0.5 if rng.random() < 0.5 else -0.5))
            highest = max(highest, capital.log_e)
        rich += highest >= math.log(20)
    assert rich / 300 <= 0.06
    rng, capital = random.Random(0), Capital(null=-0.05, target=0.0)
    for _ in range(5_000):
        capital.observe(rng.gauss(0, 0.2))
    assert capital.log_e > math.log(20)
    with pytest.raises(ValueError, match="null is"):
        Capital(null=0.1, target=0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), max_size=60))
def test_capital_is_never_lost_altogether(values: list[float]) -> None:
    capital = Capital(null=-0.05, target=0.0)
    for value in values:
        capital.observe(value)
    assert math.isfinite(capital.log_e)


def test_blocks_are_unbiased_while_both_arms_drift() -> None:
    rng, blocks = random.Random(4), Blocks()
    found = []
    for step in range(60_000):
        canary = rng.random() < 0.2
        value = step / 60_000 + rng.random() * 0.5 - 0.1 * canary
        if (gap := blocks.observe(canary, value)) is not None:
            found.append(gap)
    assert statistics.fmean(found) == pytest.approx(-0.1, abs=0.01)
    assert len(found) > 8_000


def test_a_quantile_is_always_inside() -> None:
    true = math.exp(1.2815515655 * 0.5)
    misses = 0
    for seed in range(60):
        rng, sequence = random.Random(seed), QuantileSequence()
        for step in range(1, 1_501):
            sequence.observe(rng.lognormvariate(0, 0.5))
            if step % 100 == 0:
                lower, upper = sequence.interval(0.9)
                misses += not lower <= true <= upper
    assert misses <= 3
    assert sequence.estimate(0.9) == pytest.approx(true, rel=0.1)
    assert len(sequence.counts) < 400
    assert sequence.interval(0.9).upper < 3


def test_quantiles_far_apart_are_told_apart() -> None:
    rng, fast, slow = random.Random(5), QuantileSequence(), QuantileSequence()
    for _ in range(4_000):
        fast.observe(rng.lognormvariate(0, 0.3))
        slow.observe(2 * rng.lognormvariate(0, 0.3))
    lower, upper = apart(slow, fast, 0.9)
    assert 1.2 < lower < 2 < upper
    assert apart(QuantileSequence(), fast, 0.9) == (0, math.inf)
    assert msgspec.json.decode(msgspec.json.encode(fast), type=QuantileSequence) == fast


def test_little_is_known_of_an_empty_sequence_and_of_zeros() -> None:
    assert QuantileSequence().estimate(0.5) is None
    assert quantile_sequence.reach(0, 0.5) == math.inf
    sequence = QuantileSequence()
    for _ in range(1_000):
        sequence.observe(0.0)
    assert sequence.interval(0.5) == (0, 0)


def test_e_values_are_combined() -> None:
    assert log_average([math.log(10), math.log(30)]) == pytest.approx(math.log(20))
    assert log_average([5_000.0, 0.0]) == pytest.approx(5_000 - math.log(2))
    assert log_average([]) == 0 and log_average([-math.inf]) == -math.inf
    logs = {"errors": math.log(45), "latency": math.log(45)}
    assert over_bonferroni(logs, {"errors": 0.5, "latency": 0.25}) == ["errors"]
    with pytest.raises(ValueError, match="no share"):
        over_bonferroni(logs, {"errors": 0.5})
    with pytest.raises(ValueError, match="sum to at most 1"):
        over_bonferroni(logs, {"errors": 0.9, "latency": 0.9})


def test_e_bh_selects_as_written() -> None:
    """k slices are chosen where the k-th largest e-value is at least m / (k alpha): here 4 / (2 x 0.05) = 40."""
    logs = {name: math.log(value) for name, value in {"a": 1, "b": 41, "c": 50, "d": 2}.items()}
    assert over_e_bh(logs) == ["c", "b"]
    assert over_e_bh({"a": math.log(19)}) == []
    assert over_e_bh({}) == []


def test_to_nothing_there_is_no_ratio() -> None:
    nothing, something = QuantileSequence(), QuantileSequence()
    for _ in range(500):
        nothing.observe(0.0)
        something.observe(5.0)
    for interval in (apart(something, nothing, 0.5), apart(nothing, nothing, 0.5)):
        assert (interval.lower, interval.upper) == (0.0, math.inf)
