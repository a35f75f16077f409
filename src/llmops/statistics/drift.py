"""Whether live inputs or outputs still look like a reference window: sizes of the shift, and tests where they exist.

Indices (PSI, Jensen-Shannon, Cramer's V) say how large a shift is and do not grow with the number of rows; p-values
say whether it is real and do. Alert on both, never on a p-value alone: with a million rows all of them are small.
After a release use an anytime-valid sequence instead of repeating these.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .clustered import Floats
from .special import chi_square_tail

_PERMUTATIONS = 500
_MOST_POINTS = 1_000


class Shift(NamedTuple):
    size: float
    """The effect: 0 is none; its scale is the measure's own."""
    p_value: float


def psi(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Population stability index of two tables of counts, half a count added to each; 0.1 is some shift, 0.25 much."""
    p, q = _shares(reference, current, 0.5)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Jensen-Shannon distance with logarithms of base 2: 0 (alike) to 1 (nothing in common)."""
    p, q = _shares(reference, current, 0.0)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum() for side in (p, q)]
    return math.sqrt(max(0.0, float(sum(parts)) / 2))


def chi_square(reference: Mapping[str, int], current: Mapping[str, int]) -> Shift:
    """Pearson's test that both tables have the same shares; the size is Cramer's V, 0 to 1."""
    rows = np.array(_counts(reference, current))
    _shares(reference, current, 0.0)
    expected = rows.sum(axis=1, keepdims=True) * rows.sum(axis=0) / rows.sum()
    statistic = float(((rows - expected) ** 2 / expected).sum())
    if (cells := rows.shape[1]) < 2:
        return Shift(0.0, 1.0)
    return Shift(math.sqrt(statistic / float(rows.sum())), chi_square_tail(statistic, cells - 1))


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> Shift:
    """Largest distance of the distribution functions; the p-value is Kolmogorov's limit, as corrected by Stephens."""
    first, second = _sample(reference), _sample(current)
    places = np.concatenate([first, second])
    gaps = np.searchsorted(first, places, side="right") / len(first) - np.searchsorted(
        second, places, side="right"
    ) / len(second)
    size = float(np.abs(gaps).max())
    effective = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (effective + 0.12 + 0.11 / effective) * size
    if scaled < 0.3:  # the series is slow there, and the value 1 to six digits
        return Shift(size, 1.0)
    terms = (2 * (-1) ** (j - 1) * math.exp(-2 * (j * scaled) ** 2) for j in range(1, 101))
    return Shift(size, min(1.0, max(0.0, math.fsum(terms))))


def embeddings(reference: ArrayLike, current: ArrayLike, *, seed: int = 0) -> Shift:
    """Maximum mean discrepancy of two clouds of vectors (n, d) and (m, d), with a permutation p-value.

    Gaussian kernel, its width the median distance (Gretton et al. 2012). At most a thousand vectors of each are drawn.
    The size is the unbiased estimate of MMD squared, kept at or above 0.
    """
    rng = np.random.default_rng(seed)
    first, second = _cloud(reference, rng), _cloud(current, rng)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"vectors of {first.shape[1]!r} and {second.shape[1]!r} dimensions cannot be compared")
    kernel = _kernel(np.concatenate([first, second]))
    n, m = len(first), len(second)
    masks = np.zeros((_PERMUTATIONS + 1, n + m))
    masks[0, :n] = 1
    for row in masks[1:]:
        row[rng.permutation(n + m)[:n]] = 1
    inside = np.einsum("ij,ij->i", masks @ kernel, masks)
    across = masks @ kernel.sum(axis=1) - inside
    outside = kernel.sum() - inside - 2 * across
    sizes = (inside - n) / (n * (n - 1)) + (outside - m) / (m * (m - 1)) - 2 * across / (n * m)
    at_least = np.count_nonzero(sizes[1:] >= sizes[0] - 1e-12)
    return Shift(max(0.0, float(sizes[0])), float((at_least + 1) / (_PERMUTATIONS + 1)))


def centroid_distance(reference: ArrayLike, current: ArrayLike) -> float:
    """Cosine distance of the mean vectors: 0 (same direction) to 2; cheap enough for every minute."""
    first, second = (np.asarray(side, dtype=np.float64).mean(axis=0) for side in (reference, current))
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return 1 - float(first @ second) / length if length > 0 else 0.0


def _kernel(points: Floats) -> Floats:
    norms = (points**2).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms - 2 * points @ points.T, 0.0)
    typical = float(np.median(squares[np.triu_indices(len(points), 1)])) or 1.0
    kernel = np.exp(-squares / typical)
    np.fill_diagonal(kernel, 1.0)
    return np.asarray(kernel)


def _cloud(values: ArrayLike, rng: np.random.Generator) -> Floats:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise ValueError(f"vectors have shape {points.shape!r}; two or more finite ones are needed, as (n, d)")
    return points if len(points) <= _MOST_POINTS else points[rng.choice(len(points), _MOST_POINTS, replace=False)]


def _sample(values: ArrayLike) -> Floats:
    sample = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not sample.size or not np.isfinite(sample).all():
        raise ValueError("a sample needs at least one value, and finite ones only")
    return sample


def _counts(reference: Mapping[str, int], current: Mapping[str, int]) -> list[list[float]]:
    names = sorted(name for name in {*reference, *current} if reference.get(name, 0) or current.get(name, 0))
    return [[float(side.get(name, 0)) for name in names] for side in (reference, current)]


def _shares(reference: Mapping[str, int], current: Mapping[str, int], added: float) -> tuple[Floats, Floats]:
    first, second = (np.array(row) for row in _counts(reference, current))
    if not first.sum() or not second.sum() or min(first.min(), second.min()) < 0:
        raise ValueError("both windows need counts, at least one above 0 and none below")
    first, second = first + added, second + added
    return first / first.sum(), second / second.sum()
