"""Intervals from resampled clusters: studentised and BCa for means, percentile for paired quantiles.

Whole clusters are drawn with replacement, arms together, so pairing and clustering both survive. The studentised
interval is the gate's: second-order right for skewed differences. Resamples are counts of how often each cluster is
drawn; clusters with equal values share one multinomial cell, so binary data costs next to nothing.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .clustered import Clusters, Floats, t_interval
from .special import normal_cdf, normal_quantile, t_cdf
from .verdict import Interval

RESAMPLES = 4_000
QUANTILE_RESAMPLES = 2_000  # each costs a pass over all values
_FEW_CELLS = 64
_MANY = 2_000
_CHUNK_CELLS = 2_000_000
_RESOLVED = 20
"""Resamples that have to lie beyond a quantile for it to be read off them."""


class Studentised(NamedTuple):
    """The bootstrap distribution of the t statistic: resampled pivots in rising order, and what they say.

    Empty where fewer than about ten clusters differ from the rest, because some resamples have no spread then:
    Student's t stands in.
    """

    clusters: Clusters
    pivots: Floats

    def interval(self, alpha: float = 0.05) -> Interval:
        """Two-sided, level ``1 - alpha``; a level too fine for the resamples takes the wider of this and Student's."""
        mean, error = self.clusters.mean, _spread(self.clusters)
        if not error:
            return Interval(mean, mean)
        if not len(self.pivots):
            return t_interval(self.clusters, alpha)
        beyond = math.floor(alpha / 2 * (len(self.pivots) + 1)) - 1  # outermost first
        found = _span(mean, error, self.pivots, max(0, beyond))
        return found if alpha / 2 * len(self.pivots) >= _RESOLVED else _with_t(found, self.clusters, alpha)

    @property
    def p_worse(self) -> float:
        """One-sided p-value of "the mean is not below 0"."""
        mean, error = self.clusters.mean, _spread(self.clusters)
        if not error:
            return 0.0 if mean < 0 else 1.0
        if not len(self.pivots):
            return t_cdf(mean / error, len(self.clusters.sums) - 1) if error < math.inf else 1.0
        return (int(np.searchsorted(self.pivots, mean / error, side="right")) + 1) / (len(self.pivots) + 1)


def _spread(clusters: Clusters) -> float:
    """The standard error; 0 where only rounding is left of it."""
    error = clusters.standard_error
    return error if error > 1e-9 * abs(clusters.mean) else 0.0


def studentised(clusters: Clusters, *, resamples: int | None = None, seed: int = 0) -> Studentised:
    """Bootstrap the t statistic of the mean over items; with thousands of clusters half the resamples do."""
    if not 0 < _spread(clusters) < math.inf:
        return Studentised(clusters, np.zeros(0))
    if resamples is None:
        resamples = RESAMPLES if len(clusters.sums) <= _MANY else RESAMPLES // 2
    means, errors = _resampled_means(clusters, resamples, seed)
    if not errors.all():
        return Studentised(clusters, np.zeros(0))
    return Studentised(clusters, np.sort((means - clusters.mean) / errors))


def _span(mean: float, error: float, ordered: Floats, beyond: int) -> Interval:
    return Interval(mean - float(ordered[-1 - beyond]) * error, mean - float(ordered[beyond]) * error)


def _with_t(found: Interval, clusters: Clusters, alpha: float) -> Interval:
    other = t_interval(clusters, alpha)
    return Interval(min(found.lower, other.lower), max(found.upper, other.upper))


def bca(clusters: Clusters, alpha: float = 0.05, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Bias-corrected, accelerated interval of two-sided level ``1 - alpha`` for the mean over items (Efron 1987)."""
    residuals = clusters.residuals
    squares = float(residuals @ residuals)
    if squares <= 0:
        return Interval(clusters.mean, clusters.mean)
    means = np.sort(_resampled_means(clusters, resamples, seed)[0])
    below = float(np.mean(means < clusters.mean) + np.mean(means == clusters.mean) / 2)
    bias = normal_quantile(min(max(below, 1 / resamples), 1 - 1 / resamples))
    acceleration = float((residuals**3).sum()) / (6 * squares**1.5)

    def endpoint(z: float) -> float:
        level = normal_cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        return float(np.quantile(means, level))

    z = normal_quantile(1 - alpha / 2)
    return Interval(endpoint(-z), endpoint(z))


def _resampled_means(clusters: Clusters, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Mean and standard error of each resample, shape (resamples,) each."""
    cells, weights = np.unique(np.stack(clusters, axis=1), axis=0, return_counts=True)
    sums, sizes = cells[:, 0], cells[:, 1]
    count = len(clusters.sums)
    moments = np.stack([sums, sizes, sums * sums, sums * sizes, sizes * sizes], axis=1)
    rng = np.random.default_rng(seed)
    if len(cells) <= _FEW_CELLS:
        totals = rng.multinomial(count, weights / count, size=resamples) @ moments
    else:
        expanded = np.repeat(moments, weights, axis=0)
        totals = np.concatenate([drawn @ expanded for drawn in _draws(count, resamples, rng)])
    total, items, squares, cross, squared_sizes = totals.T
    means = total / items
    spread = np.maximum(squares - 2 * means * cross + means**2 * squared_sizes, 0.0)
    spread[spread <= 1e-12 * (squares + means**2 * squared_sizes)] = 0.0  # what is left of a cancellation
    return means, np.sqrt(spread * count / (count - 1)) / items


def _draws(count: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each of ``count`` clusters is in each resample, in chunks of shape (rows, count)."""
    rows = max(1, _CHUNK_CELLS // count)
    for begin in range(0, resamples, rows):
        here = min(rows, resamples - begin)
        drawn = rng.integers(0, count, size=(here, count), dtype=np.int32)
        drawn += np.arange(here, dtype=np.int32)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=here * count).reshape(here, count).astype(np.float64)


class QuantilePair(NamedTuple):
    """The same quantile of both arms: as measured (floats), and of each resample (arrays)."""

    baseline: float
    candidate: float
    baselines: Floats
    candidates: Floats


def paired_quantile(
    baseline: Floats,
    candidate: Floats,
    quantile: float,
    membership: NDArray[np.int64],
    *,
    resamples: int = QUANTILE_RESAMPLES,
    seed: int = 0,
) -> QuantilePair:
    """Resample clusters of paired values (n,) and take each arm's ``quantile``: an observed value."""
    count = int(membership.max()) + 1
    orders = [np.argsort(arm, kind="stable") for arm in (baseline, candidate)]
    rng = np.random.default_rng(seed)
    found: tuple[list[Floats], list[Floats]] = ([], [])
    for drawn in _draws(count, resamples, rng):
        for arm, order, values in zip((baseline, candidate), orders, found, strict=True):
            reached = np.cumsum(drawn[:, membership[order]], axis=1)
            at = np.argmax(reached >= quantile * reached[:, -1:] - 1e-9, axis=1)
            values.append(arm[order[at]])
    at = max(0, math.ceil(quantile * len(baseline) - 1e-9) - 1)
    return QuantilePair(
        float(baseline[orders[0][at]]),
        float(candidate[orders[1][at]]),
        np.concatenate(found[0]),
        np.concatenate(found[1]),
    )
