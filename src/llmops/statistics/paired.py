"""Scores of two arms as arrays that can be trusted: same items, in range, repeats beside each other.

What cannot be is ``BadData``, with a sentence of what is wrong. A missing cell is NaN; whether a few are tolerable is
the criterion's to say. Infinite values, values out of range, and ids that differ or repeat never are.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .clustered import Floats, codes
from .criterion import Criterion

_MOST = 5


class BadData(ValueError):
    """No decision can stand on this data."""

    def __init__(self, message: str, n: int = 0) -> None:
        super().__init__(message)
        self.n = n


class Arms(NamedTuple):
    """Baseline and candidate, shape (n, k) each, and how many cells of both are NaN."""

    baseline: Floats
    candidate: Floats
    missing: int

    @property
    def binary(self) -> bool:
        """Whether all that was seen is 0 or 1, once per item."""
        both = (self.baseline, self.candidate)
        return self.baseline.shape[1] == 1 and all(bool(np.isin(arm, (0.0, 1.0)).all()) for arm in both)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which items have at least one value in each arm, shape (n,)."""
        return np.asarray(~(np.isnan(self.baseline).all(axis=1) | np.isnan(self.candidate).all(axis=1)))


def clean(
    baseline: ArrayLike,
    candidate: ArrayLike,
    criterion: Criterion,
    clusters: ArrayLike | None,
    baseline_ids: ArrayLike | None,
    candidate_ids: ArrayLike | None,
) -> tuple[Arms, NDArray[np.int64]]:
    """Check everything; return the arms and each item's cluster number. Raises BadData."""
    first, second = _table("baseline", baseline), _table("candidate", candidate)
    n = len(first)
    if first.shape != second.shape:
        raise BadData(f"baseline has shape {first.shape!r} and candidate {second.shape!r}; they have to agree", n)
    if not first.size:
        raise BadData("there are no items")
    _check_ids(baseline_ids, candidate_ids, n)
    for name, arm in (("baseline", first), ("candidate", second)):
        _check_values(name, arm, criterion)
    missing = int(np.isnan(first).sum() + np.isnan(second).sum())
    arms = Arms(first, second, missing)
    if missing:
        _check_missing(arms, criterion)
    try:
        return arms, codes(clusters, n)
    except (ValueError, TypeError) as exc:
        raise BadData(f"clusters cannot be used: {exc}", n) from exc


def filled(arms: Arms, criterion: Criterion) -> Arms:
    """The worst case: what is missing was worst in the candidate and best in the baseline. Needs a known range."""
    assert criterion.lowest is not None and criterion.highest is not None
    worst, best = criterion.lowest, criterion.highest
    if criterion.direction == "lower":
        worst, best = best, worst
    return Arms(
        np.where(np.isnan(arms.baseline), best, arms.baseline),
        np.where(np.isnan(arms.candidate), worst, arms.candidate),
        0,
    )


def gains(arms: Arms, criterion: Criterion) -> Floats:
    """Candidate minus baseline per item (n,), repeats averaged, positive is better; log-ratios for ratios."""
    first, second = np.nanmean(arms.baseline, axis=1), np.nanmean(arms.candidate, axis=1)
    sign = 1.0 if criterion.direction == "higher" else -1.0
    if criterion.scale == "difference":
        return np.asarray(sign * (second - first))
    cap = math.log(criterion.ratio_cap)
    return np.asarray(sign * np.clip(np.log(second / first), -cap, cap))


def _table(name: str, values: ArrayLike) -> Floats:
    try:
        table = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as exc:
        raise BadData(f"{name} is not a table of numbers: {exc}") from exc
    if table.ndim not in (1, 2):
        raise BadData(f"{name} has shape {table.shape!r}; it has to be (items,) or (items, repeats)")
    return table.reshape(len(table), -1) if table.size else table.reshape(len(table), 0)


def _check_ids(baseline: ArrayLike | None, candidate: ArrayLike | None, n: int) -> None:
    if baseline is None and candidate is None:
        return
    if baseline is None or candidate is None:
        raise BadData("only one arm has ids; give both, so that they can be compared", n)
    first, second = np.asarray(baseline), np.asarray(candidate)
    for name, ids in (("baseline", first), ("candidate", second)):
        if ids.shape != (n,):
            raise BadData(f"{name} has {n!r} items and ids of shape {ids.shape!r}", n)
        values, counts = np.unique(ids, return_counts=True)
        if (twice := values[counts > 1]).size:
            raise BadData(f"{name} has ids more than once: {twice[:_MOST].tolist()!r}", n)
    if (differing := np.flatnonzero(first != second)).size:
        at = int(differing[0])
        raise BadData(
            f"the arms' ids differ in {differing.size} rows, first in row {at}: "
            f"{first[at].item()!r} and {second[at].item()!r}",
            n,
        )


def _check_values(name: str, arm: Floats, criterion: Criterion) -> None:
    if np.isinf(arm).any():
        raise BadData(f"{name} holds infinite scores", len(arm))
    if criterion.scale == "ratio":
        if (arm <= 0).any():
            raise BadData(f"{name} holds {float(np.nanmin(arm))!r}; a ratio needs values above 0", len(arm))
        return
    low, high = criterion.lowest, criterion.highest
    outside = (arm < low if low is not None else False) | (
        arm > high if high is not None else np.zeros(arm.shape, bool)
    )
    if np.any(outside):
        value = float(arm[outside][0])
        raise BadData(f"{name} holds {value!r}, outside its range {low!r} to {high!r}", len(arm))


def _check_missing(arms: Arms, criterion: Criterion) -> None:
    n, share = len(arms.baseline), arms.missing / (2 * arms.baseline.size)
    if share > criterion.missing_limit:
        raise BadData(
            f"{arms.missing} of {2 * arms.baseline.size} cells are missing or NaN; "
            f"at most a share of {criterion.missing_limit!r} may be",
            n,
        )
    if not criterion.bounded or criterion.quantile is not None:
        raise BadData(f"{arms.missing} cells are missing, and without a range there is no worst case", n)
    if not arms.measured.any():
        raise BadData("no item was measured in both arms", n)
