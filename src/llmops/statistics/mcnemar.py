"""McNemar's test on two right/wrong columns: only the items on which the arms disagree say anything.

``gains`` are items that only the candidate gets right, ``losses`` those that only the baseline does. The mid-p version
keeps its level in practice and is less timid than the exact one (Fagerland, Lydersen, Laake 2013, BMC MRM 13:91).
"""

import math

from .special import binomial_cdf


def exact(gains: int, losses: int) -> float:
    """Two-sided exact p-value: the discordant items are a fair coin under the null."""
    n, fewer = _checked(gains, losses)
    return min(1.0, 2 * binomial_cdf(fewer, n, 0.5)) if n else 1.0


def mid_p(gains: int, losses: int) -> float:
    """Two-sided mid-p: the exact value less the probability of just what was seen."""
    n, fewer = _checked(gains, losses)
    return min(1.0, 2 * binomial_cdf(fewer, n, 0.5) - _point(fewer, n)) if n else 1.0


def worse_mid_p(gains: int, losses: int) -> float:
    """One-sided mid-p of "the candidate is not worse": small when losses outweigh gains; 0.5 without either."""
    n, _ = _checked(gains, losses)
    return binomial_cdf(gains, n, 0.5) - _point(gains, n) / 2 if n else 0.5


def _point(k: int, n: int) -> float:
    return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))


def _checked(gains: int, losses: int) -> tuple[int, int]:
    if gains < 0 or losses < 0:
        raise ValueError(f"gains {gains!r} and losses {losses!r} are counts; neither can be negative")
    return gains + losses, min(gains, losses)
