"""Clustered standard errors, sign flips, bootstraps: oracles, order-independence, levels and coverage."""

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmops.statistics import bootstrap, permutation
from llmops.statistics.clustered import codes, design_effect, gather, t_interval, t_worse, with_unseen

gains = st.lists(st.floats(-1, 1, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=2, max_size=10)


def single(values: np.ndarray) -> bootstrap.Clusters:
    return gather(values, np.arange(len(values)))


def test_the_clustered_error_is_statsmodels() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, 300)
    values = rng.normal(size=300) + rng.normal(size=40)[labels]
    fitted = sm.OLS(values, np.ones(300)).fit(
        cov_type="cluster", cov_kwds={"groups": labels, "use_correction": False, "df_correction": False}
    )
    ours = gather(values, codes(labels, 300))
    count = len(ours.sums)
    assert ours.standard_error == pytest.approx(float(fitted.bse[0]) * math.sqrt(count / (count - 1)))
    assert design_effect(values, codes(labels, 300)) > 2


def test_alone_it_is_the_t_interval() -> None:
    values = np.random.default_rng(1).normal(size=12)
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert t_interval(single(values)) == pytest.approx([float(end) for end in expected])
    assert t_interval(single(values[:1])) == (-math.inf, math.inf)


def test_clusters_are_numbered_as_they_appear() -> None:
    assert codes(["b", "a", "b", "c"], 4).tolist() == [0, 1, 0, 2]
    with pytest.raises(ValueError, match="one label for each"):
        codes(["a"], 2)


@settings(max_examples=50, deadline=None)
@given(gains)
def test_few_clusters_are_enumerated(values: list[float]) -> None:
    changed = np.array([value for value in values if value])
    totals = [float(np.dot(signs, np.abs(changed))) for signs in itertools.product((-1, 1), repeat=len(changed))]
    expected = np.mean(np.array(totals) <= sum(values) + 1e-9)
    assert permutation.worse(np.array(values)) == pytest.approx(float(expected))


def test_scipy_finds_the_same() -> None:
    values = np.random.default_rng(3).normal(-0.2, 1, 14)
    theirs = stats.permutation_test((values,), np.sum, permutation_type="samples", alternative="less", n_resamples=1e5)
    assert permutation.worse(values) == pytest.approx(float(theirs.pvalue))


@settings(max_examples=50, deadline=None)
@given(gains, st.randoms())
def test_order_does_not_matter_and_signs_mirror(values: list[float], random: object) -> None:
    array = np.array(values)
    shuffled = array.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert permutation.worse(array) == pytest.approx(permutation.worse(shuffled))
    assert permutation.two_sided(array) == pytest.approx(permutation.two_sided(-array))
    assert permutation.worse(array) + permutation.worse(-array) >= 1 - 1e-9


def test_many_clusters_are_drawn_and_never_impossible() -> None:
    """Few and many distinct values take different roads to the same p-value, about that of a normal."""
    rng = np.random.default_rng(4)
    coarse = rng.choice([-1.0, 0.0, 0.5], size=400)
    fine = coarse + rng.normal(0, 1e-6, 400)
    z = coarse.sum() / math.sqrt((coarse**2).sum())
    for values in (coarse, fine):
        assert permutation.worse(values) == pytest.approx(float(stats.norm.cdf(z)), abs=0.02)
    assert permutation.worse(-np.ones(50)) == pytest.approx(1 / 10_001)


@pytest.mark.parametrize("studentised", [True, False])
def test_coverage_of_skewed_gains(studentised: bool) -> None:
    """Clusters of unequal size, a skewed gain: a 90 % interval covers near 90 %; the t interval would not do better."""
    rng = np.random.default_rng(5)
    hits, repetitions = 0, 100
    for seed in range(repetitions):
        sizes = rng.integers(1, 5, 60)
        labels = np.repeat(np.arange(60), sizes)
        values = (rng.exponential(1, 60) - 1)[labels] + rng.normal(0, 0.3, len(labels))
        clusters = gather(values, labels)
        if studentised:
            lower, upper = bootstrap.studentised(clusters, resamples=600, seed=seed).interval(0.1)
        else:
            lower, upper = bootstrap.bca(clusters, 0.1, resamples=600, seed=seed)
        hits += lower <= 0 <= upper
    assert 0.82 <= hits / repetitions <= 0.96


def test_bootstraps_agree_with_scipy() -> None:
    values = np.random.default_rng(6).exponential(1, 80)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9_999, rng=np.random.default_rng(0))
    expected = theirs.confidence_interval
    ours = bootstrap.bca(single(values), 0.05, resamples=9_999)
    assert ours == pytest.approx((float(expected.low), float(expected.high)), abs=0.02)


def test_equal_values_take_the_short_road_to_the_same_interval() -> None:
    values = np.random.default_rng(7).choice([-1.0, 0.0, 1.0], 500)
    short = bootstrap.studentised(single(values)).interval(0.1)
    long = bootstrap.studentised(single(values + np.linspace(-1e-7, 1e-7, 500))).interval(0.1)
    assert short == pytest.approx(long, abs=0.006)


def test_without_spread_there_is_no_pretence() -> None:
    nothing = bootstrap.studentised(single(np.zeros(50)))
    assert (nothing.interval(), nothing.p_worse) == ((0, 0), 1)
    assert bootstrap.studentised(single(np.full(50, -0.1))).p_worse == 0
    lonely = single(np.eye(1, 50)[0])
    assert bootstrap.studentised(lonely).interval() == t_interval(lonely), "a third of the resamples has no spread"


def test_a_level_too_fine_for_the_resamples_is_never_narrower_than_t() -> None:
    clusters = single(np.random.default_rng(8).normal(size=100))
    ours, student = bootstrap.studentised(clusters).interval(1e-6), t_interval(clusters, 1e-6)
    assert ours.lower <= student.lower and ours.upper >= student.upper


def test_the_bootstraps_p_value_is_its_intervals() -> None:
    drawn = bootstrap.studentised(single(np.random.default_rng(11).normal(-0.2, 1, 90)))
    assert 0.01 < drawn.p_worse < 0.3
    assert drawn.interval(2.1 * drawn.p_worse).upper < 0 < drawn.interval(1.9 * drawn.p_worse).upper


def test_the_paired_quantile_is_an_observed_value() -> None:
    rng = np.random.default_rng(9)
    base = rng.lognormal(0, 1, 200)
    pair = bootstrap.paired_quantile(base, base * 1.5, 0.9, np.arange(200), resamples=300)
    assert pair.baseline == np.quantile(base, 0.9, method="inverted_cdf")
    assert pair.candidates == pytest.approx(pair.baselines * 1.5), "arms are drawn together"
    assert np.std(pair.baselines) > 0


def test_what_was_not_seen_is_as_far_out_as_the_farthest() -> None:
    known = single(np.array([-3.0, -1.0, 0.0, 1.0]))  # mean -0.75
    assert with_unseen(known, 2).sums.tolist() == [-3.0, -1.0, 0.0, 1.0, 1.0, 1.0]
    assert with_unseen(known, -1).sums.tolist() == [-3.0, -1.0, 0.0, 1.0, -3.0]
    assert t_worse(with_unseen(known, 1)) > t_worse(known)
    alike = single(np.full(20, -0.5))
    assert t_worse(with_unseen(alike, 2)) == 0.0, "where all are equal there is no tail to be seen"


def test_the_t_test_of_worse_is_scipys() -> None:
    values = np.random.default_rng(1).normal(-0.1, 1, 30)
    assert t_worse(single(values)) == pytest.approx(stats.ttest_1samp(values, 0, alternative="less").pvalue)
