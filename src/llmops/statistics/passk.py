"""pass@k and pass^k from n samples of which c passed, both unbiased.

pass@k: at least one of k passes (Chen et al. 2021, arXiv 2107.03374). pass^k: all of k pass; the plug-in (c/n)^k is
biased upward and not offered.
"""

from collections.abc import Iterable
from math import comb


def pass_at_k(n: int, c: int, k: int) -> float:
    """1 - C(n - c, k) / C(n, k)."""
    _check(n, c, k)
    return 1.0 - comb(n - c, k) / comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """C(c, k) / C(n, k)."""
    _check(n, c, k)
    return comb(c, k) / comb(n, k)


def mean_pass_at_k(counts: Iterable[tuple[int, int]], k: int) -> float:
    """The mean over tasks, each as (n, c)."""
    values = [pass_at_k(n, c, k) for n, c in counts]
    if not values:
        raise ValueError("no tasks: pass@k has no mean")
    return sum(values) / len(values)


def _check(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n:
        raise ValueError(f"{c!r} of {n!r} samples cannot have passed")
    if not 1 <= k <= n:
        raise ValueError(f"k is {k!r}; with {n!r} samples it has to be 1 to {n!r}")
