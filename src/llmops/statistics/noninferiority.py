"""The gate's one rule on one metric: paired scores of both arms in, one of four verdicts out.

Right/wrong once per item: McNemar mid-p to block, Tango's interval to pass. Everything else (graded scores, repeats,
clusters, ratios): to block the sign-flip test and the studentised cluster bootstrap, both, because gains may be skewed;
to pass the bootstrap's bound. Below 30 clusters the bound is Student's t. No resample knows a long tail that has not
shown itself: both must also hold, by Student's t, with one more cluster (below 30: two) as far out as the farthest.
Where fewer than ten clusters changed at all, neither is to be trusted, and the bound falls back on what an exact
interval of "how often does it get worse" allows: ten identical items prove nothing, fifty-nine prove five points.
Bad data is an ERROR finding, never an exception: a gate must not pass because a scorer died.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import bootstrap, mcnemar, permutation, tango
from .clustered import Clusters, Floats, codes, gather, t_interval, t_worse, with_unseen
from .criterion import Criterion
from .paired import Arms, BadData, clean, filled, gains
from .proportion import exact_upper
from .verdict import Finding, Interval, Verdict, failed, judge

FEW_CLUSTERS = 30
FEW_CHANGED = 10
FEWEST_DRAWN = 10
_TAIL_ITEMS = 10
"""Clusters that have to lie beyond a quantile for a bootstrap of it to mean anything."""


class _Measured(NamedTuple):
    """On the scale that is tested; bounds are one-sided at level alpha."""

    estimate: float
    bounds: Interval
    p_worse: float
    clusters: int
    method: str


def decide(
    baseline: ArrayLike,
    candidate: ArrayLike,
    criterion: Criterion,
    *,
    clusters: ArrayLike | None = None,
    baseline_ids: ArrayLike | None = None,
    candidate_ids: ArrayLike | None = None,
    alpha: float | None = None,
    seed: int = 0,
) -> Finding:
    """Decide whether ``candidate`` may replace ``baseline`` on one metric.

    Both arms have shape (n,) or (n, k) for k repeats, in the metric's units, row by row the same items; NaN is a
    missing cell. ``clusters`` (n,) labels items that share a source. Ids, where given, have to agree row by row and
    occur once. ``alpha`` overrides the criterion's (for looks of a gate that extends itself).
    """
    level = criterion.alpha if alpha is None else alpha
    try:
        arms, membership = clean(baseline, candidate, criterion, clusters, baseline_ids, candidate_ids)
    except BadData as exc:
        return failed(str(exc), margin=criterion.margin, alpha=level, n=exc.n)
    if not arms.missing:
        return _finding(arms, criterion, level, membership, seed)
    kept = arms.measured
    complete = Arms(arms.baseline[kept], arms.candidate[kept], 0)
    found = _finding(complete, criterion, level, codes(membership[kept], int(kept.sum())), seed)
    worst = _finding(filled(arms, criterion), criterion, level, membership, seed)
    if found.verdict is worst.verdict:
        return found
    return failed(
        f"{arms.missing} cells are missing, and what they hold decides: {found.verdict} without them, "
        f"{worst.verdict} in the worst case",
        margin=criterion.margin,
        alpha=level,
        n=len(arms.baseline),
    )


def _finding(arms: Arms, criterion: Criterion, alpha: float, membership: NDArray[np.int64], seed: int) -> Finding:
    if criterion.quantile is not None:
        measured = _quantiles(arms, criterion, criterion.quantile, alpha, membership, seed)
    elif arms.binary and criterion.scale == "difference" and int(membership.max()) + 1 == len(membership):
        measured = _right_or_wrong(gains(arms, criterion), alpha)
    else:
        measured = _graded(gather(gains(arms, criterion), membership), criterion.reach, alpha, seed)
    estimate, lower, upper = (criterion.gain(value) for value in (measured.estimate, *measured.bounds))
    bound = lower if math.isfinite(lower) else None
    verdict, reason = judge(
        estimate, bound, measured.p_worse, margin=criterion.margin, least_effect=criterion.mattering, alpha=alpha
    )
    return Finding(
        verdict=verdict,
        reason=reason,
        method=measured.method,
        margin=criterion.margin,
        alpha=alpha,
        n=len(arms.baseline),
        clusters=measured.clusters,
        estimate=estimate,
        lower=bound,
        upper=upper if math.isfinite(upper) else None,
        p_value=measured.p_worse,
        least_effect=criterion.mattering,
    )


def _right_or_wrong(differences: Floats, alpha: float) -> _Measured:
    n = len(differences)
    better, worse = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
    bounds = tango.interval(better, worse, n, 2 * alpha)
    if better + worse == 0:  # the exact bound is wider here, and what a plan promises
        unseen = exact_upper(0, n, alpha)
        bounds = Interval(min(bounds.lower, -unseen), max(bounds.upper, unseen))
    p_worse = mcnemar.worse_mid_p(better, worse)
    return _Measured((better - worse) / n, bounds, p_worse, n, "McNemar mid-p, Tango interval")


def _graded(clusters: Clusters, reach: float | None, alpha: float, seed: int) -> _Measured:
    count = len(clusters.sums)
    method = "sign-flip, "
    p_worse = permutation.worse(clusters.sums, seed=seed)
    drawn = bootstrap.studentised(clusters, seed=seed)
    unseen = 2 if count < FEW_CLUSTERS else 1
    if count >= FEWEST_DRAWN:  # the sign-flip test is too quick to block where gains are skewed; this one sees the skew
        p_worse = max(p_worse, drawn.p_worse)
    if count < FEW_CLUSTERS:
        bounds, method = t_interval(clusters, 2 * alpha), method + "t interval"
    else:
        bounds, method = drawn.interval(2 * alpha), method + "studentised bootstrap"
    p_worse = max(p_worse, t_worse(with_unseen(clusters, unseen)))
    bounds = Interval(
        min(bounds.lower, t_interval(with_unseen(clusters, -unseen), 2 * alpha).lower),
        max(bounds.upper, t_interval(with_unseen(clusters, unseen), 2 * alpha).upper),
    )
    changed = int(np.count_nonzero(clusters.sums))
    if changed < FEW_CHANGED:
        rare = _rare(clusters, reach, alpha)
        bounds = Interval(min(bounds.lower, rare.lower), max(bounds.upper, rare.upper))
        method += f", exact bound ({changed} of {count} changed)"
    return _Measured(clusters.mean, bounds, p_worse, count, method)


def _rare(clusters: Clusters, reach: float | None, alpha: float) -> Interval:
    """What the mean can be at worst and at best when all that is known is how many clusters fell and rose.

    A mean is at least -reach x P(cluster falls), and that probability has an exact bound, whatever the distribution.
    A large cluster weighs as many times more as it has items above the average.
    """
    if reach is None:
        return Interval(-math.inf, math.inf)
    count = len(clusters.sums)
    scale = reach * float(clusters.sizes.max() / clusters.sizes.mean())
    fell, rose = int(np.count_nonzero(clusters.sums < 0)), int(np.count_nonzero(clusters.sums > 0))
    down, up = exact_upper(fell, count, alpha), exact_upper(rose, count, alpha)
    return Interval(-min(reach, scale * down), min(reach, scale * up))


def _quantiles(
    arms: Arms, criterion: Criterion, quantile: float, alpha: float, membership: NDArray[np.int64], seed: int
) -> _Measured:
    repeats = arms.baseline.shape[1]
    members = np.repeat(membership, repeats)
    pair = bootstrap.paired_quantile(arms.baseline.ravel(), arms.candidate.ravel(), quantile, members, seed=seed)
    sign = 1.0 if criterion.direction == "higher" else -1.0
    if criterion.scale == "ratio":
        estimate = sign * math.log(pair.candidate / pair.baseline)
        drawn = sign * np.log(pair.candidates / pair.baselines)
    else:
        estimate = sign * (pair.candidate - pair.baseline)
        drawn = sign * (pair.candidates - pair.baselines)
    count = int(membership.max()) + 1
    p_worse = float((np.count_nonzero(drawn >= 0) + 1) / (len(drawn) + 1))
    method = f"paired bootstrap of the {quantile:g} quantile"
    if count * min(quantile, 1 - quantile) < _TAIL_ITEMS or alpha * len(drawn) < 1:
        return _Measured(estimate, Interval(-math.inf, math.inf), 1.0, count, method + ", too few items in the tail")
    if not np.ptp(drawn):  # nothing moved in any resample: no more than that is known
        return _Measured(estimate, Interval(-math.inf, math.inf), 1.0, count, method + ", no spread")
    lower, upper = np.quantile(drawn, [alpha, 1 - alpha], method="closest_observation")
    return _Measured(estimate, Interval(float(lower), float(upper)), p_worse, count, method)


__all__ = ["Criterion", "Finding", "Verdict", "decide"]
