"""The sign-flip test: if candidate and baseline are alike, each cluster's difference could as well have the other sign.

Exact over all 2^G sign patterns up to G = 16, else by Monte Carlo with the +1 correction (Phipson and Smyth 2010), so
that a p-value is never zero. Averaging repeats first and flipping whole clusters keeps the test's level (Dror et al.
ACL 2018; arXiv 2602.10144). It assumes symmetry under the null; with many clusters the level holds without.
"""

import numpy as np

from .clustered import Floats

EXACT_CLUSTERS = 16
DRAWS = 10_000
_FEW_VALUES = 64
_CHUNK_CELLS = 4_000_000


def worse(sums: Floats, *, draws: int = DRAWS, seed: int = 0) -> float:
    """One-sided p-value of "not worse" for sums of gains (G,): the share of sign patterns with as small a total."""
    magnitudes = np.abs(sums[sums != 0])
    if not magnitudes.size:
        return 1.0
    observed = float(sums.sum())
    bound = observed + 1e-9 * float(magnitudes.sum())  # equal totals differ in their last bits
    if magnitudes.size <= EXACT_CLUSTERS:
        return float(np.mean(_all_totals(magnitudes) <= bound))
    values, counts = np.unique(magnitudes, return_counts=True)
    rng = np.random.default_rng(seed)
    totals = _grouped(values, counts, draws, rng) if len(values) <= _FEW_VALUES else _drawn(magnitudes, draws, rng)
    return float((np.count_nonzero(totals <= bound) + 1) / (draws + 1))


def two_sided(sums: Floats, *, draws: int = DRAWS, seed: int = 0) -> float:
    """Twice the smaller one-sided p-value."""
    return min(1.0, 2 * min(worse(sums, draws=draws, seed=seed), worse(-sums, draws=draws, seed=seed)))


def _all_totals(magnitudes: Floats) -> Floats:
    totals = np.zeros(1)
    for magnitude in magnitudes:
        totals = np.concatenate([totals - magnitude, totals + magnitude])
    return totals


def _grouped(values: Floats, counts: np.ndarray, draws: int, rng: np.random.Generator) -> Floats:
    """Equal magnitudes share one binomial draw: what makes scores of few values quick at any number of items."""
    return np.asarray((2.0 * rng.binomial(counts, 0.5, size=(draws, len(counts))) - counts) @ values)


def _drawn(magnitudes: Floats, draws: int, rng: np.random.Generator) -> Floats:
    rows = max(1, _CHUNK_CELLS // len(magnitudes))
    parts = []
    for begin in range(0, draws, rows):
        count = min(rows, draws - begin)
        random = np.frombuffer(rng.bytes(count * ((len(magnitudes) + 7) // 8)), dtype=np.uint8).reshape(count, -1)
        ups = np.unpackbits(random, axis=1, count=len(magnitudes)).astype(np.float32) @ magnitudes.astype(np.float32)
        parts.append(2.0 * ups.astype(np.float64) - magnitudes.sum())
    return np.concatenate(parts)
