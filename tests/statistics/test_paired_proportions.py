"""McNemar and Tango: golden numbers, oracles, symmetry, levels by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as oracle

from llmops.statistics import mcnemar, tango

cells = st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 400)).filter(lambda three: sum(three) > 0)


@pytest.mark.parametrize(
    ("gains", "losses", "exact", "mid"),
    [(1, 7, 0.0703, 0.0391), (3, 12, 0.0352, 0.0213), (0, 5, 0.0625, 0.0313), (10, 25, 0.01667, 0.01133)],
)
def test_mcnemar_golden(gains: int, losses: int, exact: float, mid: float) -> None:
    assert mcnemar.exact(gains, losses) == pytest.approx(exact, abs=6e-5)
    assert mcnemar.mid_p(gains, losses) == pytest.approx(mid, abs=6e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_statsmodels_and_is_symmetric(gains: int, losses: int) -> None:
    if gains + losses:
        expected = oracle([[5, gains], [losses, 5]], exact=True).pvalue
        assert mcnemar.exact(gains, losses) == pytest.approx(min(1, float(expected)), abs=1e-9)
    assert mcnemar.mid_p(gains, losses) == pytest.approx(mcnemar.mid_p(losses, gains))
    assert mcnemar.worse_mid_p(gains, losses) + mcnemar.worse_mid_p(losses, gains) == pytest.approx(1)
    assert mcnemar.worse_mid_p(gains, losses + 1) < mcnemar.worse_mid_p(gains, losses) + 1e-12


def test_no_discordance_is_no_evidence() -> None:
    assert (mcnemar.exact(0, 0), mcnemar.mid_p(0, 0), mcnemar.worse_mid_p(0, 0)) == (1, 1, 0.5)


def test_tango_without_discordance_has_its_closed_form() -> None:
    z2 = 1.959964**2
    assert tango.interval(0, 0, 50) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-6)


def test_tango_and_newcombe_published() -> None:
    """Newcombe 1998, table II (a 36, b 12, c 2, d 0): score 0.0569 to 0.3404; Tango inverts to 0.0611 to 0.3447."""
    assert tango.newcombe(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert tango.interval(12, 2, 50) == pytest.approx((0.0611, 0.3447), abs=5e-5)


@settings(max_examples=50, deadline=None)
@given(cells)
def test_tango_inverts_its_score_and_is_symmetric(three: tuple[int, int, int]) -> None:
    gains, losses, same = three
    n = gains + losses + same
    lower, upper = tango.interval(gains, losses, n)
    assert -1 <= lower <= (gains - losses) / n <= upper <= 1
    assert tango.interval(losses, gains, n) == pytest.approx((-upper, -lower), abs=1e-9)
    if lower > -1:
        assert tango.score(gains, losses, n, lower) == pytest.approx(1.959964, abs=1e-3)
    wide = tango.interval(gains, losses, n, 0.01)
    assert wide.lower <= lower and wide.upper >= upper


@settings(max_examples=50, deadline=None)
@given(cells)
def test_newcombe_holds_the_estimate(three: tuple[int, int, int]) -> None:
    gains, losses, same = three
    lower, upper = tango.newcombe(same, gains, losses, 0)
    assert lower - 1e-9 <= (gains - losses) / sum(three) <= upper + 1e-9


@pytest.mark.parametrize(("n", "discordance", "margin"), [(100, 0.1, 0.05), (300, 0.3, 0.05), (124, 0.06, 0.05)])
def test_levels(n: int, discordance: float, margin: float) -> None:
    """Tango passes a candidate that is worse by the margin, and McNemar blocks an equal one, in at most about 5 %."""
    rng = np.random.default_rng(2)
    at_margin = rng.multinomial(n, [(discordance - margin) / 2, (discordance + margin) / 2, 1 - discordance], 1500)
    passed = [tango.interval(int(up), int(down), n, 0.1).lower > -margin for up, down, _ in at_margin]
    equal = rng.multinomial(n, [discordance / 2, discordance / 2, 1 - discordance], 1500)
    blocked = [mcnemar.worse_mid_p(int(up), int(down)) <= 0.05 for up, down, _ in equal]
    assert np.mean(passed) <= 0.065
    assert np.mean(blocked) <= 0.065
    assert np.mean(blocked) >= 0.02


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        tango.interval(6, 5, 10)
    with pytest.raises(ValueError, match="-1"):
        mcnemar.exact(-1, 5)
