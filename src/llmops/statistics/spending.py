"""Alpha for a gate that may look more than once: each look gets a level, and all of them together keep alpha.

Group-sequential boundaries by spending functions (Lan and DeMets 1983), exact for the joint normal distribution of
the looks by numerical integration (Armitage, McPherson, Rowe 1969). Looks are declared by their share of the most
information that the budget can buy; buying by plan, not by how near the verdict seems, keeps the level honest. PASS
and BLOCK are errors of opposite kinds and spend alpha each: hand a look's level to ``noninferiority.decide``.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from .clustered import Floats
from .special import normal_cdf, normal_quantile

Kind = Literal["obrien-fleming", "pocock"]
_NODES = 256
_REACH = 8.5  # standard deviations; what lies beyond is nothing


def spent(fraction: float, alpha: float, kind: Kind = "obrien-fleming") -> float:
    """How much of ``alpha`` may be spent until ``fraction`` (0 to 1) of the information is in."""
    if kind == "pocock":
        return alpha * math.log1p((math.e - 1) * fraction)
    return 2 * normal_cdf(normal_quantile(alpha / 2) / math.sqrt(fraction))


def levels(fractions: Sequence[float], alpha: float = 0.05, kind: Kind = "obrien-fleming") -> list[float]:
    """One-sided nominal level of each look at rising ``fractions`` of the information, the last at most 1."""
    if not fractions or fractions[0] <= 0 or fractions[-1] > 1 + 1e-12:
        raise ValueError(f"fractions {list(fractions)!r} have to lie above 0 and end at most at 1")
    if any(later <= earlier for earlier, later in pairwise(fractions)):
        raise ValueError(f"fractions {list(fractions)!r} have to rise")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    places, masses = np.zeros(1), np.ones(1)  # the score process before the first look: 0 for sure
    before, used = 0.0, 0.0
    found = []
    for fraction in fractions:
        fraction = min(1.0, fraction)
        step = math.sqrt(fraction - before)
        allowed = spent(fraction, alpha, kind)
        bound = _bound(places, masses, step, allowed - used)
        found.append(normal_cdf(-bound / math.sqrt(fraction)))
        low, high = -_REACH * math.sqrt(fraction), min(bound, _REACH * math.sqrt(fraction))
        after = low + (high - low) * (nodes + 1) / 2
        density = np.exp(-(((after[:, None] - places) / step) ** 2) / 2) @ masses / (step * math.sqrt(2 * math.pi))
        places, masses = after, density * weights * (high - low) / 2
        before, used = fraction, allowed
    return found


def _bound(places: Floats, masses: Floats, step: float, allowed: float) -> float:
    """The score beyond which the process, not stopped before, is with probability ``allowed``."""
    low, high = -_REACH, 2 * _REACH
    for _ in range(60):
        middle = (low + high) / 2
        beyond = sum(m * normal_cdf((s - middle) / step) for s, m in zip(places.tolist(), masses.tolist(), strict=True))
        if beyond > allowed:
            low = middle
        else:
            high = middle
    return high
