"""The difference of two paired proportions with an interval that stays honest when no item changed.

Tango's score interval (Tango 1998, Statistics in Medicine 17:891) is found by inverting the score test, with the
discordance estimated under each tried difference. Without discordant items it still has a width, z^2 / (n + z^2).
Newcombe's method 10 (1998) is closed-form and serves where the root cannot be bracketed.
"""

import math

from .proportion import wilson
from .special import normal_quantile
from .verdict import Interval

_STEPS = 100


def interval(gains: int, losses: int, n: int, alpha: float = 0.05) -> Interval:
    """Two-sided score interval of level ``1 - alpha`` for (gains - losses) / n, of ``n`` independent pairs."""
    if not (gains >= 0 and losses >= 0 and gains + losses <= n and n > 0):
        raise ValueError(f"gains {gains!r} and losses {losses!r} do not fit into {n!r} pairs")
    z = normal_quantile(1 - alpha / 2)
    estimate = (gains - losses) / n
    lower = -1.0 if losses == n else _root(gains, losses, n, z, -1.0, estimate)
    upper = 1.0 if gains == n else -_root(losses, gains, n, z, -1.0, -estimate)
    return Interval(lower, upper)


def score(gains: int, losses: int, n: int, difference: float) -> float:
    """Tango's statistic for the null "the difference is ``difference``"; about standard normal under it."""
    slope = (2 * n - gains + losses) * difference - gains - losses
    constant = -losses * difference * (1 - difference)
    loss_rate = (math.sqrt(max(0.0, slope * slope - 8 * n * constant)) - slope) / (4 * n)
    variance = n * (2 * loss_rate + difference * (1 - difference))
    distance = gains - losses - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _root(gains: int, losses: int, n: int, z: float, low: float, high: float) -> float:
    """The difference below the estimate whose score is ``z``: the score falls as the difference grows."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if score(gains, losses, n, middle) > z:
            low = middle
        else:
            high = middle
    return low  # the outer end: never narrower than the interval


def newcombe(both: int, gains: int, losses: int, neither: int, alpha: float = 0.05) -> Interval:
    """Newcombe's method 10: two Wilson intervals joined by the correlation of the arms, continuity corrected."""
    n = both + gains + losses + neither
    if n <= 0:
        raise ValueError("no pairs: the interval needs at least one")
    first, second = both + gains, both + losses
    low_1, high_1 = wilson(first, n, alpha)
    low_2, high_2 = wilson(second, n, alpha)
    p_1, p_2 = first / n, second / n
    phi = _correlation(both, gains, losses, neither)
    difference = p_1 - p_2
    below = (p_1 - low_1) ** 2 - 2 * phi * (p_1 - low_1) * (high_2 - p_2) + (high_2 - p_2) ** 2
    above = (p_2 - low_2) ** 2 - 2 * phi * (p_2 - low_2) * (high_1 - p_1) + (high_1 - p_1) ** 2
    return Interval(difference - math.sqrt(max(0.0, below)), difference + math.sqrt(max(0.0, above)))


def _correlation(both: int, gains: int, losses: int, neither: int) -> float:
    """The phi coefficient with Newcombe's correction, which only shrinks a positive one; 0 where a margin is empty."""
    margins = (both + gains) * (losses + neither) * (both + losses) * (gains + neither)
    if margins == 0:
        return 0.0
    product = both * neither - gains * losses
    if product > 0:
        product = max(0, product - (both + gains + losses + neither) // 2)
    return product / math.sqrt(margins)
