"""The gate held against the user's own data: how often it blocks or passes when the truth is known.

Each simulated gate draws items, and swaps the arms of each cluster by a coin: then nothing changed, whatever the
data (A/A). A loss of known size is planted by ruining a random share of the candidate's items. What comes back are
rates with Wilson intervals: false blocks (at most alpha), passes without a change (the power), and what happens at
a loss of the margin (false passes at most alpha, blocks).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .clustered import Floats, codes
from .noninferiority import Criterion, decide
from .proportion import wilson
from .verdict import Interval, Verdict


class Rate(NamedTuple):
    hits: int
    n: int

    @property
    def share(self) -> float:
        return self.hits / self.n

    @property
    def interval(self) -> Interval:
        return wilson(self.hits, self.n)


class Calibration(NamedTuple):
    items: int
    clusters: int
    false_block: Rate
    """BLOCK although nothing changed."""
    power: Rate
    """PASS when nothing changed."""
    false_pass: Rate
    """PASS although worse by the margin."""
    caught: Rate
    """BLOCK when worse by the margin."""


def calibrate(
    baseline: ArrayLike,
    candidate: ArrayLike,
    criterion: Criterion,
    *,
    clusters: ArrayLike | None = None,
    sample: int | None = None,
    simulations: int = 500,
    seed: int = 0,
    progress: Callable[[int], object] = lambda done: None,
) -> Calibration:
    """Simulate gates of ``sample`` clusters each (all unless told), drawn from scores (n,) or (n, k) without gaps.

    Clusters are drawn without replacement, and with it where the sample is larger than what is there.
    """
    first, second = (
        np.asarray(arm, dtype=np.float64).reshape(len(np.asarray(arm)), -1) for arm in (baseline, candidate)
    )
    if first.shape != second.shape or not first.size or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"scores of shapes {first.shape!r} and {second.shape!r} have to agree and be complete")
    membership = codes(clusters, len(first))
    members = _members(membership)
    size = len(members) if sample is None else sample
    rng = np.random.default_rng(seed)
    verdicts: list[tuple[Verdict, Verdict]] = []
    items = 0
    typical = float(first.mean() + second.mean()) / 2  # of the data, not the draw: that would add to the variance
    for done in range(simulations):
        drawn = rng.choice(len(members), size, replace=size > len(members))
        rows = np.concatenate([members[cluster] for cluster in drawn])
        labels = np.repeat(np.arange(size), [len(members[cluster]) for cluster in drawn])
        swap = (rng.random(size) < 0.5)[labels][:, None]
        left, right = np.where(swap, second[rows], first[rows]), np.where(swap, first[rows], second[rows])
        worse = _ruined(right, typical, criterion, rng)
        verdicts.append(
            (
                decide(left, right, criterion, clusters=labels, seed=done).verdict,
                decide(left, worse, criterion, clusters=labels, seed=done).verdict,
            )
        )
        items = len(rows)
        progress(done + 1)

    def rate(verdict: Verdict, at: int) -> Rate:
        return Rate(sum(pair[at] is verdict for pair in verdicts), simulations)

    return Calibration(
        items, size, rate(Verdict.BLOCK, 0), rate(Verdict.PASS, 0), rate(Verdict.PASS, 1), rate(Verdict.BLOCK, 1)
    )


def _members(membership: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(membership, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(membership[order])) + 1)


def _ruined(candidate: Floats, typical: float, criterion: Criterion, rng: np.random.Generator) -> Floats:
    """The candidate, worse by the margin in expectation."""
    lower = criterion.direction == "lower"
    if criterion.scale == "ratio":
        return np.asarray(candidate * (1 + criterion.margin if lower else 1 - criterion.margin))
    worst = criterion.highest if lower else criterion.lowest
    if worst is None:
        return np.asarray(candidate + criterion.margin if lower else candidate - criterion.margin)
    room = abs(typical - worst)
    if room < criterion.margin:
        raise ValueError(f"scores are within {room!r} of the worst; a loss of {criterion.margin!r} cannot be planted")
    hit = rng.random((len(candidate), 1)) < criterion.margin / room
    return np.asarray(np.where(hit, worst, candidate))
