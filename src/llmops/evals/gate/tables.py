"""The arms as arrays: of one metric, the same cases row by row, every row with as many repeats as were bought for it.

Where all cases have the same number of repeats the rule gets every repeat, and right/wrong asked once goes by McNemar.
Where an extension shared repeats unequally it gets each case's mean; cells without a value are then tried out at
their worst, exactly as the rule itself does for equal rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...statistics.criterion import Criterion
from ...statistics.noninferiority import decide
from ...statistics.sample_size import zero_flip
from ...statistics.verdict import Finding, Verdict, failed
from ..case import Case
from ..result import Cell
from .arm import Arm

Floats = NDArray[np.float64]


class Pairs:
    """One metric of both arms. Rows are cases; NaN is no value. ``depths`` says how many repeats count of each."""

    def __init__(
        self, name: str, cases: Sequence[Case], depths: Mapping[str, int], baseline: Arm, candidate: Arm
    ) -> None:
        self.cases = cases
        self.depths = np.array([depths[case.id] for case in cases], dtype=np.int64)
        self.units = np.array([case.unit for case in cases])
        self.ids = np.array([case.id for case in cases])
        self.baseline, self.candidate = (_table(name, arm, cases, self.depths) for arm in (baseline, candidate))

    @property
    def is_even(self) -> bool:
        return len(set(self.depths.tolist())) == 1

    def decide(
        self, criterion: Criterion, *, alpha: float, seed: int, among: NDArray[np.bool_] | None = None
    ) -> Finding:
        """The rule, on all cases or on those ``among`` them."""
        rows = among if among is not None else np.ones(len(self.cases), dtype=np.bool_)
        units = self.units[rows]
        base, cand = self.baseline[rows], self.candidate[rows]
        if self.is_even:
            return decide_pairs(base, cand, criterion, units, alpha=alpha, seed=seed)
        return _uneven(base, cand, self.depths[rows], units, criterion, alpha, seed)


def decide_pairs(
    base: Floats, cand: Floats, criterion: Criterion, units: NDArray[Any], *, alpha: float, seed: int
) -> Finding:
    """The rule; right/wrong asked once passes only with as many cases as PASS takes if none flips. A handful of cases
    with a few lucky flips would otherwise pass by the approximations of intervals that are meant for more."""
    found = decide(base, cand, criterion, clusters=units, alpha=alpha, seed=seed)
    is_binary = base.shape[1] == 1 and bool(np.isin(base, (0.0, 1.0)).all() and np.isin(cand, (0.0, 1.0)).all())
    if found.verdict is not Verdict.PASS or not is_binary or criterion.scale == "ratio" or criterion.margin >= 1:
        return found
    least = zero_flip(criterion.margin, alpha=alpha)
    if found.clusters >= least:
        return found
    reason = (
        f"{found.clusters} units of chance are too few: at least {least} are needed to prove {criterion.margin:.4g}"
    )
    return msgspec.structs.replace(found, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _table(name: str, arm: Arm, cases: Sequence[Case], depths: NDArray[np.int64]) -> Floats:
    table = np.full((len(cases), int(depths.max(initial=1))), np.nan)
    cells = arm.by_cell
    for row, (case, depth) in enumerate(zip(cases, depths.tolist(), strict=True)):
        for repeat in range(depth):
            reading = cells.get(Cell(case.id, repeat))
            value = reading.value(name) if reading is not None else None
            if value is not None:
                table[row, repeat] = value
    return table


def _uneven(
    base: Floats,
    cand: Floats,
    depths: NDArray[np.int64],
    units: NDArray[np.str_],
    criterion: Criterion,
    alpha: float,
    seed: int,
) -> Finding:
    bought = np.arange(base.shape[1]) < depths[:, None]
    gone = [np.isnan(arm) & bought for arm in (base, cand)]
    missing, n = int(sum(each.sum() for each in gone)), len(base)
    if criterion.quantile is not None:
        return failed("a quantile needs every case equally often", margin=criterion.margin, alpha=alpha, n=n)
    if not missing:
        means = [np.nanmean(arm, axis=1) for arm in (base, cand)]
        return decide(means[0], means[1], criterion, clusters=units, alpha=alpha, seed=seed)
    said = f"{missing} of {2 * int(bought.sum())} cells are missing"
    if missing > criterion.missing_limit * 2 * int(bought.sum()) or not criterion.bounded:
        return failed(said, margin=criterion.margin, alpha=alpha, n=n)
    seen = ~(np.isnan(base).all(axis=1) | np.isnan(cand).all(axis=1))
    means = [np.nanmean(arm[seen], axis=1) for arm in (base, cand)]
    found = decide(means[0], means[1], criterion, clusters=units[seen], alpha=alpha, seed=seed)
    assert criterion.lowest is not None and criterion.highest is not None
    best, worst = criterion.highest, criterion.lowest
    if criterion.direction == "lower":
        best, worst = worst, best
    full = [
        np.nanmean(np.where(gap, fill, arm), axis=1)
        for arm, gap, fill in zip((base, cand), gone, (best, worst), strict=True)
    ]
    at_worst = decide(full[0], full[1], criterion, clusters=units, alpha=alpha, seed=seed)
    if found.verdict is at_worst.verdict:
        return found
    reason = f"{said}, and what they hold decides: {found.verdict} without them, {at_worst.verdict} in the worst case"
    return failed(reason, margin=criterion.margin, alpha=alpha, n=n)
