"""One proportion: intervals to show it by, bounds to vouch for it by, and what it is once the judge's errors are known.

Wilson for display (Brown, Cai, DasGupta 2001), Clopper-Pearson and the rule of three for safety claims (never below
their level), Rogan-Gladen for rates measured by an imperfect judge. Counts are of independent items; for clusters
see ``clustered``.
"""

import math
from typing import NamedTuple

from .special import beta_quantile, normal_quantile
from .verdict import Interval


def wilson(successes: float, n: float, alpha: float = 0.05) -> Interval:
    """Score interval of level ``1 - alpha``, two-sided (Wilson 1927). Without items all is possible."""
    _check_counts(successes, n)
    if n == 0:
        return Interval(0.0, 1.0)
    z2 = normal_quantile(1 - alpha / 2) ** 2
    centre = (successes + z2 / 2) / (n + z2)
    half = math.sqrt(z2) / (n + z2) * math.sqrt(successes * (n - successes) / n + z2 / 4)
    return Interval(
        0.0 if successes == 0 else max(0.0, centre - half), 1.0 if successes == n else min(1.0, centre + half)
    )


def clopper_pearson(successes: int, n: int, alpha: float = 0.05) -> Interval:
    """Exact interval of at least level ``1 - alpha``, two-sided (Clopper and Pearson 1934)."""
    return Interval(exact_lower(successes, n, alpha / 2), exact_upper(successes, n, alpha / 2))


def exact_upper(successes: int, n: int, alpha: float = 0.05) -> float:
    """One-sided exact upper bound of level ``1 - alpha``; without failures ``1 - alpha ** (1 / n)``."""
    _check_counts(successes, n)
    if successes >= n:
        return 1.0
    if successes == 0:
        return -math.expm1(math.log(alpha) / n)
    return beta_quantile(1 - alpha, successes + 1, n - successes)


def exact_lower(successes: int, n: int, alpha: float = 0.05) -> float:
    _check_counts(successes, n)
    return 1 - exact_upper(n - successes, n, alpha) if successes else 0.0


def rule_of_three(n: int) -> float:
    """Upper 95 % bound of a rate that showed no event in ``n`` items, by head: 3 / n."""
    if n < 1:
        raise ValueError(f"n is {n!r}; at least one item is needed")
    return min(1.0, 3 / n)


class Corrected(NamedTuple):
    estimate: float
    lower: float
    upper: float


class Counted(NamedTuple):
    """So many of so many: what a judge said, or how often it was right about what humans labelled."""

    hits: int
    n: int


def rogan_gladen(positive: Counted, sensitivity: Counted, specificity: Counted, alpha: float = 0.05) -> Corrected:
    """The true rate behind a judge's rate ``positive``, with an interval that carries the judge's own uncertainty.

    ``sensitivity`` counts human positives that the judge found, ``specificity`` human negatives that it left alone.
    Estimate: Rogan and Gladen 1978, kept within [0, 1]; interval: Lang and Reiczigel 2014. A judge no better than
    chance (sensitivity + specificity <= 1) says nothing: ValueError.
    """
    for counted in (positive, sensitivity, specificity):
        _check_counts(*counted)
        if not counted.n:
            raise ValueError(f"{counted!r} counts nothing; a corrected rate needs labelled positives and negatives")
    rate, se, sp = (counted.hits / counted.n for counted in (positive, sensitivity, specificity))
    if se + sp <= 1:
        raise ValueError(f"sensitivity {se!r} and specificity {sp!r} sum to at most 1: the judge knows nothing")
    z = normal_quantile(1 - alpha / 2)
    n, n_se, n_sp = positive.n + z * z, sensitivity.n + 2, specificity.n + 2
    rate_ = (positive.hits + z * z / 2) / n
    se_, sp_ = (sensitivity.hits + 1) / n_se, (specificity.hits + 1) / n_sp
    power = se_ + sp_ - 1
    if power <= 0:
        return Corrected(_clip((rate + sp - 1) / (se + sp - 1)), 0.0, 1.0)
    true = (rate_ + sp_ - 1) / power
    spread_se, spread_sp = se_ * (1 - se_) / n_se, sp_ * (1 - sp_) / n_sp
    shift = 2 * z * z * (true * spread_se - (1 - true) * spread_sp)
    half = z / power * math.sqrt(rate_ * (1 - rate_) / n + true**2 * spread_se + (1 - true) ** 2 * spread_sp)
    estimate = _clip((rate + sp - 1) / (se + sp - 1))
    lower, upper = _clip(true + shift - half), _clip(true + shift + half)
    return Corrected(estimate, min(lower, estimate), max(upper, estimate))


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _check_counts(successes: float, n: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes!r} of {n!r} is no proportion")
