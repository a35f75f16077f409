"""Sample sizes, purchases, several looks, several metrics, and the gate held against data."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from llmops.statistics import sample_size, spending
from llmops.statistics.allocation import Components, components, neyman, purchase
from llmops.statistics.calibration import calibrate
from llmops.statistics.multiplicity import benjamini_hochberg, corrected, holm, overall
from llmops.statistics.noninferiority import Criterion, Finding, Verdict


@pytest.mark.parametrize(
    ("margin", "needed", "unchanged"),
    [
        (0.05, [124, 248, 495, 743], 59),
        (0.03, [344, 688, 1375, 2062], 99),
        (0.02, [774, 1547, 3093, 4639], 149),
        (0.01, [3093, 6186, 12371, 18556], 299),
    ],
)
def test_the_table_of_sample_sizes(margin: float, needed: list[int], unchanged: int) -> None:
    assert [sample_size.for_pass(margin, discordance) for discordance in (0.05, 0.1, 0.2, 0.3)] == needed
    assert sample_size.zero_flip(margin) == unchanged
    assert sample_size.for_pass(margin, 0.0) == unchanged


def test_power_is_the_plans_other_side() -> None:
    assert sample_size.power_to_pass(495, 0.05, 0.2) == pytest.approx(0.8, abs=0.002)
    loss = sample_size.detectable(495, 0.2)
    assert sample_size.power_to_block(495, loss, 0.2) == pytest.approx(0.8, abs=0.002)
    assert sample_size.detectable(10_000, 0.2, least_effect=0.025) > 0.025
    assert sample_size.power_to_pass(58, 0.05, 0.0) == 0 and sample_size.power_to_pass(59, 0.05, 0.0) == 1
    with pytest.raises(ValueError, match="PASS would be wrong"):
        sample_size.for_pass(0.05, 0.2, gain=-0.06)


def test_components_of_variance_are_found() -> None:
    rng = np.random.default_rng(0)
    between, within = rng.normal(0, 0.2, (20_000, 1)), 0.3
    baseline = rng.normal(0, within, (20_000, 3))
    found = components(baseline, between + rng.normal(0, within, (20_000, 3)))
    assert found.between == pytest.approx(0.04, abs=0.003)
    assert found.within == pytest.approx(0.18, abs=0.005)
    with pytest.raises(ValueError, match="items, repeats"):
        components(np.ones(5), np.ones(5))


def test_what_to_buy_depends_on_where_the_variance_is() -> None:
    """sqrt(within / between x price of an item / price of a call) repeats."""
    assert purchase(Components(0.04, 0.01), 1e-4, most_items=10_000, item_price=1).repeats == 1
    noisy = purchase(Components(0.01, 0.16), 1e-4, most_items=10_000, item_price=1, call_price=1)
    assert (noisy.repeats, noisy.items, noisy.enough) == (4, 500, True)
    few = purchase(Components(0.01, 0.16), 1e-4, most_items=200, item_price=1)
    assert (few.items, few.repeats, few.enough) == (200, 16, True)
    assert not purchase(Components(0.01, 0.16), 1e-5, most_items=200).enough


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(0, 500))
def test_neyman_spends_all_and_favours_the_uncertain(deviations: list[float], spare: int) -> None:
    shares = neyman(len(deviations) + spare, deviations)
    assert sum(shares) == len(deviations) + spare and min(shares) >= 1
    ordered = [share for _, share in sorted(zip(deviations, shares, strict=True))]
    assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(ordered))


def test_spending_bounds_are_the_published_ones() -> None:
    """Five equal looks at one-sided 0.025, as in gsDesign and in Jennison and Turnbull."""
    looks = [0.2, 0.4, 0.6, 0.8, 1.0]
    expected = {"obrien-fleming": [4.877, 3.357, 2.680, 2.290, 2.031], "pocock": [2.438, 2.427, 2.410, 2.397, 2.386]}
    for kind, bounds in expected.items():
        found = spending.levels(looks, 0.025, kind)  # type: ignore[arg-type]
        assert [float(stats.norm.isf(level)) for level in found] == pytest.approx(bounds, abs=6e-4)


@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
def test_looks_together_keep_alpha(kind: spending.Kind) -> None:
    looks = [0.25, 0.5, 0.7, 1.0]
    levels = np.array(spending.levels(looks, 0.05, kind))
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(60_000, 4)) * np.sqrt(np.diff([0, *looks]))
    scores = steps.cumsum(axis=1) / np.sqrt(looks)
    assert np.mean((scores > stats.norm.isf(levels)).any(axis=1)) == pytest.approx(0.05, abs=0.003)
    assert spending.levels([1.0], 0.05, kind) == pytest.approx([0.05], abs=1e-6)


@pytest.mark.parametrize("looks", [[], [0.0, 1.0], [0.5, 0.4], [0.5, 1.1]])
def test_looks_have_to_rise_to_one(looks: list[float]) -> None:
    with pytest.raises(ValueError, match="fractions"):
        spending.levels(looks)


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_corrections_agree_with_statsmodels(count: int) -> None:
    ps = (np.random.default_rng(count).random(count) ** 3).tolist()
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1].tolist())
    assert benjamini_hochberg(ps) == pytest.approx(multipletests(ps, method="fdr_bh")[1].tolist())


def finding(verdict: Verdict, p: float | None, estimate: float = -0.04, lower: float = -0.08) -> Finding:
    return Finding(
        verdict=verdict, reason="", method="test", margin=0.05, alpha=0.05, estimate=estimate, lower=lower, p_value=p
    )


def test_holm_may_take_a_block_back_but_never_makes_it_a_pass_for_that() -> None:
    family = {
        "sure": finding(Verdict.BLOCK, 0.001),
        "lucky": finding(Verdict.BLOCK, 0.04),
        "good": finding(Verdict.PASS, 0.9, estimate=0.0, lower=-0.01),
        "broken": finding(Verdict.ERROR, None),
    }
    verdicts = {name: found.verdict for name, found in corrected(family).items()}
    assert verdicts == {
        "sure": Verdict.BLOCK,
        "lucky": Verdict.INCONCLUSIVE,
        "good": Verdict.PASS,
        "broken": Verdict.ERROR,
    }


def test_all_metrics_have_to_pass() -> None:
    assert overall([]) is Verdict.ERROR
    assert overall([Verdict.PASS, Verdict.PASS]) is Verdict.PASS
    assert overall([Verdict.PASS, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert overall([Verdict.ERROR, Verdict.INCONCLUSIVE]) is Verdict.ERROR
    assert overall([Verdict.ERROR, Verdict.BLOCK]) is Verdict.BLOCK
    with pytest.raises(ValueError, match="no p-value"):
        holm([math.nan])


def test_the_gate_is_held_against_data() -> None:
    rng = np.random.default_rng(2)
    baseline, candidate = rng.random(400) < 0.7, rng.random(400) < 0.7
    seen: list[int] = []
    n = sample_size.for_pass(0.08, float((baseline != candidate).mean()))
    found = calibrate(
        baseline, candidate, Criterion(margin=0.08), sample=n, simulations=250, seed=1, progress=seen.append
    )
    assert seen[-1] == 250
    assert found.false_block.interval.lower <= 0.05 and found.false_pass.interval.lower <= 0.05
    assert abs(found.power.share - 0.8) < 0.08
    assert found.caught.share > 0.5


def test_clusters_and_costs_are_calibrated_too() -> None:
    rng = np.random.default_rng(3)
    cost = rng.lognormal(0, 0.3, 60)
    criterion = Criterion(margin=0.3, direction="lower", scale="ratio")
    found = calibrate(cost, cost * rng.lognormal(0, 0.2, 60), criterion, clusters=np.arange(60) // 2, simulations=8)
    assert (found.clusters, found.items) == (30, 60)
    with pytest.raises(ValueError, match="cannot be planted"):
        calibrate(np.zeros(50), np.zeros(50), Criterion(margin=0.1), simulations=1)
