"""Our special functions agree with scipy's."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special as oracle
from scipy import stats

from llmops.statistics import special

inside = st.floats(1e-9, 1 - 1e-9)
shape = st.floats(0.05, 5_000)


@settings(max_examples=50, deadline=None)
@given(inside)
def test_the_normal_quantile(p: float) -> None:
    assert special.normal_quantile(p) == pytest.approx(float(stats.norm.ppf(p)), rel=1e-9, abs=1e-9)
    assert special.normal_cdf(special.normal_quantile(p)) == pytest.approx(p, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(inside, shape, shape)
def test_the_incomplete_beta_function(x: float, a: float, b: float) -> None:
    assert special.beta_cdf(x, a, b) == pytest.approx(float(oracle.betainc(a, b, x)), rel=1e-8, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1 - 1e-6), st.floats(0.3, 500), st.floats(1, 500))
def test_the_beta_quantile_inverts_it(p: float, a: float, b: float) -> None:
    assert special.beta_cdf(special.beta_quantile(p, a, b), a, b) == pytest.approx(p, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1 - 1e-6), st.floats(1, 10_000))
def test_student(p: float, df: float) -> None:
    assert special.t_quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-7, abs=1e-5)
    assert special.t_cdf(special.t_quantile(p, df), df) == pytest.approx(p, rel=1e-7)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 2_000), st.integers(1, 400))
def test_the_chi_square_tail(x: float, df: int) -> None:
    assert special.chi_square_tail(x, df) == pytest.approx(float(stats.chi2.sf(x, df)), rel=1e-7, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300), st.integers(1, 300), inside)
def test_the_binomial(k: int, n: int, p: float) -> None:
    assert special.binomial_cdf(k, n, p) == pytest.approx(float(stats.binom.cdf(k, n, p)), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("p", [0, 1, -0.1, math.nan])
def test_no_quantile_beyond_the_range(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        special.normal_quantile(p)
