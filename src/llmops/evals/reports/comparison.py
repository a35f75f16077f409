"""Two runs case by case: what became better, what worse, and how sure that is.

A case's repeats are averaged, then the candidate minus the baseline is taken; cases of one cluster count as one unit of
chance. The interval is Tango's for right or wrong, which has a width also where nothing changed, else the t interval
with the clusters' standard error. It describes; whether a candidate may go is the gate's to decide.
"""

import math
from collections import defaultdict

import msgspec

from ...statistics.special import t_quantile
from ...statistics.tango import interval as tango
from ..score import Metric
from .run_view import RunView


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    case_id: str
    metric: str
    before: float
    after: float
    gain: float
    """Positive where that is better."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. ``low`` and ``high`` bound ``mean`` at 95 %; None where too little was measured."""

    metric: str
    direction: str
    n: int
    units: int
    mean: float | None
    low: float | None
    high: float | None
    better: int
    worse: int
    same: int
    gains: list[float]
    """By case, positive is better."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    differences: list[Difference]
    changes: list[CaseChange]
    """Those that differ, the worst first."""
    only_before: int
    only_after: int
    """Cases that one of the two runs alone has."""
    warnings: list[str]
    """Why the two are not quite comparable."""


def compare(baseline: RunView, candidate: RunView) -> Comparison:
    """What a candidate does better and worse than a baseline."""
    before, after = {cell.case_id for cell in baseline.cells}, {cell.case_id for cell in candidate.cells}
    known = {metric.name for metric in baseline.spec.metrics}
    differences, changes = [], []
    for metric in candidate.spec.metrics:
        if metric.name in known:
            found = _changes(metric, baseline, candidate)
            changes += [change for change in found if change.gain]
            differences.append(_difference(metric, found, candidate))
    changes.sort(key=lambda change: (change.gain, change.metric, change.case_id))
    return Comparison(
        differences=differences,
        changes=changes,
        only_before=len(before - after),
        only_after=len(after - before),
        warnings=_warnings(baseline, candidate, len(before ^ after)),
    )


def _warnings(baseline: RunView, candidate: RunView, unpaired: int) -> list[str]:
    first, second = baseline.spec, candidate.spec
    found = []
    for what in ("dataset", "dataset_version", "repeats"):
        if getattr(first, what) != getattr(second, what):
            found.append(
                f"{what.replace('_', ' ')} differs: {getattr(first, what)!r} before, {getattr(second, what)!r} now"
            )
    if set(first.scorers) != set(second.scorers):
        found.append("they were not judged by the same versions of scorers")
    if unpaired:
        found.append(f"{unpaired:,} cases are in one of the two runs only, and in no difference")
    for name, run in (("baseline", baseline), ("candidate", candidate)):
        if run.ending.state != "complete":
            found.append(f"the {name} is {run.ending.state}: {len(run.cells):,} of {run.total:,} cells")
    return found


def _changes(metric: Metric, baseline: RunView, candidate: RunView) -> list[CaseChange]:
    before, after = _by_case(baseline, metric.name), _by_case(candidate, metric.name)
    sign = 1 if metric.direction == "higher" else -1
    return [
        CaseChange(
            case_id=case_id,
            metric=metric.name,
            before=before[case_id],
            after=after[case_id],
            gain=sign * (after[case_id] - before[case_id]),
        )
        for case_id in sorted(before.keys() & after.keys())
    ]


def _by_case(run: RunView, name: str) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for cell in run.cells:
        value = cell.value(name)
        if value is not None:
            found[cell.case_id].append(value)
    return {case_id: math.fsum(values) / len(values) for case_id, values in found.items()}


def _difference(metric: Metric, found: list[CaseChange], run: RunView) -> Difference:
    gains, n = [change.gain for change in found], len(found)
    units = [run.unit(change.case_id) for change in found]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    low = high = None
    if n:
        whole = all(change.before in (0, 1) and change.after in (0, 1) for change in found)
        if metric.scale == "binary" and whole and len(set(units)) == n:
            low, high = tango(better, worse, n)
        else:
            low, high = _t_interval(gains, units)
    return Difference(
        metric=metric.name,
        direction=metric.direction,
        n=n,
        units=len(set(units)),
        mean=math.fsum(gains) / n if n else None,
        low=low,
        high=high,
        better=better,
        worse=worse,
        same=n - better - worse,
        gains=gains,
    )


def _t_interval(gains: list[float], units: list[str]) -> tuple[float | None, float | None]:
    """None where all are alike: that nothing was seen to vary is no certainty."""
    n, mean = len(gains), math.fsum(gains) / len(gains)
    sums: dict[str, float] = defaultdict(float)
    for gain, unit in zip(gains, units, strict=True):
        sums[unit] += gain - mean
    count = len(sums)
    squares = math.fsum(each * each for each in sums.values())
    if count < 2 or squares <= 1e-24:
        return None, None
    half = t_quantile(0.975, count - 1) * math.sqrt(squares * count / (count - 1)) / n
    return mean - half, mean + half
