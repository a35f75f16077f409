"""E-values of several guards as one: by average, by split alpha, and over slices with a bounded false discovery rate.

An average of e-values is one whatever their dependence (Vovk and Wang 2021); e-BH likewise (Wang and Ramdas 2022).
All take logarithms, because e-values overflow.
"""

import math
from collections.abc import Mapping, Sequence


def log_average(log_values: Sequence[float]) -> float:
    """Logarithm of the mean of e-values."""
    if not log_values:
        return 0.0
    highest = max(log_values)
    if math.isinf(highest):
        return highest
    return highest + math.log(math.fsum(math.exp(value - highest) for value in log_values) / len(log_values))


def over_bonferroni(log_values: Mapping[str, float], shares: Mapping[str, float], alpha: float = 0.05) -> list[str]:
    """Names whose e-value reaches 1 / (share x alpha). Shares are split before the start and sum to at most 1."""
    if missing := sorted(log_values.keys() - shares.keys()):
        raise ValueError(f"{missing!r} have no share of alpha")
    if any(share <= 0 for share in shares.values()) or math.fsum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"shares {dict(shares)!r} have to be above 0 and sum to at most 1")
    return [name for name, value in log_values.items() if value >= -math.log(shares[name] * alpha)]


def over_e_bh(log_values: Mapping[str, float], alpha: float = 0.05) -> list[str]:
    """Names that e-BH selects, strongest first: at most a share ``alpha`` of them is false, on average."""
    order = sorted(log_values, key=lambda name: -log_values[name])
    chosen = 0
    for rank, name in enumerate(order, start=1):
        if log_values[name] >= math.log(len(order)) - math.log(rank * alpha):
            chosen = rank
    return order[:chosen]
