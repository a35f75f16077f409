"""Paired differences that come in clusters: their sums, the standard error that clusters leave, and the t interval.

Items of one conversation, document or repository are not independent; the unit that counts is the cluster. Standard
errors after Miller 2024 (arXiv 2411.00640); with few clusters the t quantile with G - 1 degrees of freedom replaces
the normal one. Items without a cluster are clusters of one.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .special import t_cdf, t_quantile
from .verdict import Interval

Floats = NDArray[np.float64]


class Clusters(NamedTuple):
    """Per cluster, in order of the first item: the sum of its items' values and how many they are; shape (G,) each."""

    sums: Floats
    sizes: Floats

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def residuals(self) -> Floats:
        return np.asarray(self.sums - self.mean * self.sizes)

    @property
    def standard_error(self) -> float:
        """Of the mean over items; NaN-free: infinite with fewer than two clusters."""
        count = len(self.sums)
        if count < 2:
            return math.inf
        squares = float(self.residuals @ self.residuals)
        return math.sqrt(squares * count / (count - 1)) / float(self.sizes.sum())


def codes(labels: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Number the clusters 0..G-1 by first appearance; ``None`` makes every item its own. Shape (n,)."""
    if labels is None:
        return np.arange(n)
    given = np.asarray(labels)
    if given.shape != (n,):
        raise ValueError(f"clusters have shape {given.shape!r}; there has to be one label for each of {n!r} items")
    _, first, inverse = np.unique(given, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse])


def gather(values: Floats, membership: NDArray[np.int64]) -> Clusters:
    """Add ``values`` (n,) up by cluster."""
    count = int(membership.max()) + 1
    return Clusters(
        np.bincount(membership, weights=values, minlength=count).astype(np.float64),
        np.bincount(membership, minlength=count).astype(np.float64),
    )


def t_interval(clusters: Clusters, alpha: float = 0.05) -> Interval:
    """Two-sided interval of level ``1 - alpha`` for the mean over items, with G - 1 degrees of freedom."""
    count = len(clusters.sums)
    if count < 2:
        return Interval(-math.inf, math.inf)
    half = t_quantile(1 - alpha / 2, count - 1) * clusters.standard_error
    return Interval(clusters.mean - half, clusters.mean + half)


def t_worse(clusters: Clusters) -> float:
    """One-sided p-value of "the mean is not below 0", by Student's t."""
    mean, error = clusters.mean, clusters.standard_error
    if error <= 1e-9 * abs(mean):  # 0, or what rounding leaves of it
        return 0.0 if mean < 0 else 1.0
    return t_cdf(mean / error, len(clusters.sums) - 1) if error < math.inf else 1.0


def with_unseen(clusters: Clusters, many: int) -> Clusters:
    """With so many clusters more, of average size, each as far above the mean as the farthest is; below it for a
    negative number.

    Where gains are skewed, few clusters are likely to lack the long tail's values, and then look both worse and less
    spread than they are. The bound of Gaffke (2005) and of Learned-Miller and Thomas (2019) adds one value at the end
    of the range for that; the farthest that was seen stands in where the range is wide or unknown.
    """
    residuals, size = clusters.residuals, float(clusters.sizes.mean())
    farthest = float(residuals.max() if many > 0 else residuals.min())
    more = abs(many)
    return Clusters(
        np.append(clusters.sums, [clusters.mean * size + farthest] * more), np.append(clusters.sizes, [size] * more)
    )


def design_effect(values: Floats, membership: NDArray[np.int64]) -> float:
    """How many times larger clustering makes the variance of the mean: n / this is the worth in independent items."""
    naive = gather(values, np.arange(len(values))).standard_error
    return (gather(values, membership).standard_error / naive) ** 2 if naive > 0 else 1.0
