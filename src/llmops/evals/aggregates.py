"""What repeats of a case say together: pass@k, pass^k, and how reliable a subject is.

pass@k: one of k attempts passes (Chen et al. 2021); pass^k: all of them do. Both are each case's unbiased estimate and
then the mean over cases, with an interval over units of chance (clusters, or cases). An output that is an error did not
pass; one that could not be judged is no attempt and is counted; what came from a cache is no attempt of its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from ..statistics.agreement import self_consistency
from ..statistics.passk import pass_at_k, pass_hat_k
from ..statistics.proportion import wilson
from ..statistics.special import t_quantile
from .case import Case
from .result import Result


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean with its interval; None where too little was measured."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """How many values."""
    units: int
    """How many independent ones they are made of."""


def mean_of(values: Sequence[float], units: Sequence[str], *, alpha: float = 0.05) -> Mean:
    """Of values, each belonging to a unit of chance. Wilson's interval where every unit is all right or all wrong, so
    that ten hits of ten are not a certainty; else the t interval of clustered values (Miller 2024)."""
    if not values:
        return Mean(value=None, low=None, high=None, n=0, units=0)
    mean = math.fsum(values) / len(values)
    by_unit: dict[str, list[float]] = {}
    for unit, value in zip(units, values, strict=True):
        by_unit.setdefault(unit, []).append(value)
    count = len(by_unit)
    if all(each in (0.0, 1.0) and each == row[0] for row in by_unit.values() for each in row):
        low, high = wilson(mean * count, count, alpha)
    elif count < 2:
        return Mean(value=mean, low=None, high=None, n=len(values), units=count)
    else:
        squares = math.fsum((math.fsum(row) - mean * len(row)) ** 2 for row in by_unit.values())
        half = t_quantile(1 - alpha / 2, count - 1) * math.sqrt(squares * count / (count - 1)) / len(values)
        low, high = mean - half, mean + half
    return Mean(value=mean, low=low, high=high, n=len(values), units=count)


class AtK(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """``pass@3``, ``pass^3``."""
    k: int
    mean: Mean
    """Within 0 and 1; over the cases with at least k attempts."""
    too_few: int
    """Cases with fewer attempts than k: not in the mean."""
    unjudged: int
    """Outputs that no scorer could judge."""


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How cases with two attempts or more fared."""

    always: int
    sometimes: int
    never: int
    consistency: float | None
    """How often two attempts of a case end alike; None without two attempts of any."""


class Attempts(NamedTuple):
    """Of one case."""

    n: int
    passed: int


def attempts(
    results: Iterable[Result], metric: str, *, pass_at: float = 1.0, better: Literal["higher", "lower"] = "higher"
) -> tuple[dict[str, Attempts], int]:
    """Case → its attempts by this metric, and how many outputs could not be judged. A value passes from ``pass_at`` on,
    or up to it where lower is better."""
    counts: dict[str, Attempts] = {}
    unjudged = 0
    for result in results:
        known = counts.setdefault(result.case_id, Attempts(0, 0))
        if result.output.error is not None:
            counts[result.case_id] = Attempts(known.n + 1, known.passed)
            continue
        value = result.value(metric)
        if value is None:
            unjudged += 1
        elif not result.output.cached:
            passed = value >= pass_at if better == "higher" else value <= pass_at
            counts[result.case_id] = Attempts(known.n + 1, known.passed + passed)
    return counts, unjudged


def at_k(
    results: Iterable[Result],
    metric: str,
    k: int,
    *,
    cases: Mapping[str, Case] | None = None,
    kind: Literal["any", "all"] = "any",
    pass_at: float = 1.0,
    better: Literal["higher", "lower"] = "higher",
    alpha: float = 0.05,
) -> AtK:
    """pass@k (``any``) or pass^k (``all``); ``cases`` tell which are of one cluster. `ValueError` for a k below 1."""
    if k < 1:
        raise ValueError(f"k: {k!r}: at least 1 attempt")
    counts, unjudged = attempts(results, metric, pass_at=pass_at, better=better)
    estimate, sign = (pass_at_k, "@") if kind == "any" else (pass_hat_k, "^")
    enough = {case: each for case, each in counts.items() if each.n >= k}
    values = [estimate(each.n, each.passed, k) for each in enough.values()]
    units = [cases[case].unit if cases and case in cases else case for case in enough]
    mean = mean_of(values, units, alpha=alpha)
    if mean.low is not None and mean.high is not None:
        mean = msgspec.structs.replace(mean, low=max(0.0, mean.low), high=min(1.0, mean.high))
    return AtK(name=f"pass{sign}{k}", k=k, mean=mean, too_few=len(counts) - len(enough), unjudged=unjudged)


def reliability(
    results: Iterable[Result], metric: str, *, pass_at: float = 1.0, better: Literal["higher", "lower"] = "higher"
) -> Reliability:
    """How alike repeats end."""
    counts, _ = attempts(results, metric, pass_at=pass_at, better=better)
    several = [each for each in counts.values() if each.n > 1]
    always, never = sum(each.passed == each.n for each in several), sum(each.passed == 0 for each in several)
    rows = [[True] * each.passed + [False] * (each.n - each.passed) for each in several]
    return Reliability(
        always=always,
        sometimes=len(several) - always - never,
        never=never,
        consistency=self_consistency(rows) if rows else None,
    )
