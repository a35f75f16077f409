"""pass@k, must-pass cases, agreement and drift: golden numbers and oracles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.inter_rater import cohens_kappa

from llmops.statistics import drift
from llmops.statistics.agreement import kappa, krippendorff, self_consistency
from llmops.statistics.passk import mean_pass_at_k, pass_at_k, pass_hat_k
from llmops.statistics.reliability import Reliability, Sprt, k_of_n_alarm, probability_worse


def test_pass_at_k_golden() -> None:
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(10, 3, 5) == pytest.approx(0.916667, abs=1e-6)
    assert pass_at_k(200, 20, 10) == pytest.approx(0.660226, abs=1e-6)
    assert pass_at_k(10, 8, 5) == 1
    assert pass_hat_k(10, 8, 4) == pytest.approx(1 / 3)
    assert mean_pass_at_k([(10, 3), (10, 5)], 1) == pytest.approx(0.4)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 3, 6), (5, 6, 1), (5, 3, 0)])
def test_pass_at_k_is_undefined_there(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"k is|cannot have passed"):
        pass_at_k(n, c, k)


def test_k_of_n_is_no_rule() -> None:
    """A case that passes nine times in ten breaks "8 of 10" in 7 %; of a hundred such cases some does, 99.9 %."""
    alarm = k_of_n_alarm(8, 10, 0.9)
    assert alarm == pytest.approx(0.0702, abs=1e-4)
    assert 1 - (1 - alarm) ** 100 == pytest.approx(0.999, abs=1e-3)


@pytest.mark.parametrize(
    ("candidate", "baseline", "tolerance"),
    [((3, 7), (9, 1), 0.05), ((30, 3), (90, 9), 0.0), ((0.5, 0.5), (50.5, 0.5), 0.1), ((10, 0.5), (1000.5, 2.5), 0.0)],
)
def test_a_case_is_worse_with_this_probability(
    candidate: tuple[float, float], baseline: tuple[float, float], tolerance: float
) -> None:
    rng = np.random.default_rng(0)
    expected = np.mean(rng.beta(*candidate, 400_000) < rng.beta(*baseline, 400_000) - tolerance)
    assert probability_worse(Reliability(*candidate), Reliability(*baseline), tolerance) == pytest.approx(
        float(expected), abs=3e-3
    )


def test_reliability_is_learnt_and_fades() -> None:
    known = Reliability().after(passed=30, failed=0)
    assert probability_worse(Reliability().after(2, 1), known, 0.05) < 0.95, "one failure is not the end"
    assert probability_worse(Reliability().after(1, 4), known, 0.05) > 0.95
    assert known.faded(0.5) == (15.5, 0.5)


def test_the_sequential_test_keeps_its_errors() -> None:
    rng = np.random.default_rng(1)
    outcomes = {}
    for rate in (0.95, 0.6):
        decisions = []
        for _ in range(400):
            test = Sprt(healthy=0.95, lost=0.6)
            while test.decision is None:
                test = test.after(bool(rng.random() < rate))
            decisions.append(test.decision)
        outcomes[rate] = decisions.count("lost") / 400
    assert outcomes[0.95] <= 0.075
    assert outcomes[0.6] >= 0.86
    with pytest.raises(ValueError, match="below healthy"):
        Sprt(healthy=0.5, lost=0.6).after(True)


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60)


@settings(max_examples=50, deadline=None)
@given(labels, st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_is_one_less_seen_over_chance(pairs: list[tuple[int, int]], weights: str) -> None:
    first, second = zip(*pairs, strict=True)
    found = kappa(first, second, weights=weights, categories=range(4))  # type: ignore[arg-type]
    if found is None:
        assert len({*first, *second}) == 1
        return
    table = np.zeros((4, 4))
    for one, other in pairs:
        table[one, other] += 1
    power = {"none": None, "linear": 1, "quadratic": 2}[weights]
    distance = np.abs(np.subtract.outer(np.arange(4), np.arange(4))).astype(float)
    weight = (distance > 0).astype(float) if power is None else distance**power
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    assert found == pytest.approx(1 - (weight * table).sum() / (weight * expected).sum())


def test_kappa_is_statsmodels() -> None:
    table = np.array([[20, 5, 1], [4, 30, 6], [0, 3, 31]])
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])]
    first, second = zip(*pairs, strict=True)
    assert kappa(first, second) == pytest.approx(float(cohens_kappa(table, return_results=False)))
    linear = float(cohens_kappa(table, wt="linear", return_results=False))
    assert kappa(first, second, weights="linear") == pytest.approx(linear)
    with pytest.raises(ValueError, match="same items"):
        kappa([1], [1, 2])
    with pytest.raises(ValueError, match="not among"):
        kappa(["good"], ["bad"], categories=["good"])


#: Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: four raters, twelve units.
RATINGS = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
        strict=True,
    )
)


def test_krippendorffs_own_example() -> None:
    assert krippendorff(RATINGS) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff(RATINGS, level="ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff(RATINGS, level="interval") == pytest.approx(0.849, abs=5e-4)
    assert krippendorff([["a", "a"], ["a", None]]) is None
    with pytest.raises(ValueError, match="needs numbers"):
        krippendorff([["a", "b"]], level="interval")


def test_self_consistency() -> None:
    assert self_consistency([["a", "a", "a"], ["a", "b"], ["a"]]) == pytest.approx(0.5)
    assert self_consistency([["a"]]) is None


def test_indices_of_drift() -> None:
    before, now = {"en": 500, "de": 500}, {"en": 800, "de": 150, "fr": 50}
    assert drift.psi(before, before) == pytest.approx(0) and drift.psi(before, now) > 0.25
    expected = jensenshannon([500, 500, 0], [800, 150, 50], base=2)
    assert drift.jensen_shannon(before, now) == pytest.approx(float(expected))
    assert drift.jensen_shannon({"a": 1}, {"b": 1}) == pytest.approx(1)
    theirs = stats.chi2_contingency(np.array([[500, 500, 0], [800, 150, 50]]), correction=False)
    found = drift.chi_square(before, now)
    assert found.p_value == pytest.approx(float(theirs.pvalue), abs=1e-12)
    assert found.size == pytest.approx(math.sqrt(float(theirs.statistic) / 2000))
    with pytest.raises(ValueError, match="counts"):
        drift.psi({}, now)


def test_kolmogorov_smirnov_is_scipys() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=500), rng.normal(0.15, 1, 700)
    theirs = stats.ks_2samp(first, second, method="asymp")
    found = drift.kolmogorov_smirnov(first, second)
    assert found.size == pytest.approx(float(theirs.statistic))
    assert found.p_value == pytest.approx(float(theirs.pvalue), abs=0.01)
    assert drift.kolmogorov_smirnov(first, first).p_value == 1


def test_moved_embeddings_are_seen() -> None:
    rng = np.random.default_rng(3)
    before, same, moved = rng.normal(size=(150, 8)), rng.normal(size=(150, 8)), rng.normal(0.4, 1, (150, 8))
    assert drift.embeddings(before, same).p_value > 0.05
    found = drift.embeddings(before, moved)
    assert found.p_value < 0.01 and found.size > 0.01
    assert drift.centroid_distance(before + 5, before + 5) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="dimensions"):
        drift.embeddings(before, moved[:, :4])
