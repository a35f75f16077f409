"""How many items a gate needs, before anything is spent: for PASS, for what it can detect, and when nothing changes.

``variance`` is that of one item's gain: for right/wrong once per item the discordance (the share of items on which
the arms differ), for k repeats ``between + within / k`` of ``allocation``; times the design effect where items
cluster. Normal approximations, which the benchmark holds against simulated gates. Quantiles are rounded up to three
decimals, as in printed tables.
"""

import math

from .special import normal_cdf, normal_quantile


def for_pass(margin: float, variance: float, *, alpha: float = 0.05, power: float = 0.8, gain: float = 0.0) -> int:
    """Items for PASS with probability ``power`` if the true gain is ``gain``: (z_a + z_b)^2 variance / distance^2.

    Never fewer than ``zero_flip`` would need where gains lie within [-1, 1].
    """
    if margin + gain <= 0:
        raise ValueError(f"gain {gain!r} lies beyond the margin {margin!r}: PASS would be wrong")
    z = _z(alpha) + _z(1 - power)
    needed = math.ceil(z * z * variance / (margin + gain) ** 2 - 1e-9)
    return max(needed, zero_flip(margin, alpha=alpha) if margin < 1 else 1)


def zero_flip(margin: float, *, alpha: float = 0.05) -> int:
    """Items that have to stay the same, all of them, until the exact bound of a loss is below ``margin``."""
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin!r}; it has to be between 0 and 1")
    return math.floor(math.log(alpha) / math.log1p(-margin)) + 1


def power_to_pass(n: int, margin: float, variance: float, *, alpha: float = 0.05, gain: float = 0.0) -> float:
    if variance <= 0:
        return 1.0 if n >= zero_flip(margin, alpha=alpha) else 0.0
    return normal_cdf((margin + gain) / math.sqrt(variance / n) + normal_quantile(alpha))


def power_to_block(n: int, loss: float, variance: float, *, alpha: float = 0.05, least_effect: float = 0.0) -> float:
    """Probability of BLOCK when the candidate is truly worse by ``loss``."""
    error = math.sqrt(variance / n)
    if error == 0:
        return 1.0 if loss > 0 and loss >= least_effect else 0.0
    return normal_cdf((loss - max(least_effect, -normal_quantile(alpha) * error)) / error)


def detectable(n: int, variance: float, *, alpha: float = 0.05, power: float = 0.8, least_effect: float = 0.0) -> float:
    """The smallest loss that is blocked with probability ``power``: the minimum detectable effect."""
    error = math.sqrt(variance / n)
    return max(least_effect, _z(alpha) * error) + _z(1 - power) * error


def _z(tail: float) -> float:
    if not 0 < tail < 1:
        raise ValueError(f"{tail!r} is no probability between 0 and 1")
    return math.ceil(-normal_quantile(tail) * 1000 - 1e-9) / 1000
