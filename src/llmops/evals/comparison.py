"""Two runs beside each other, case by case: what got better, what got worse, and what the gate's rule says of it.

The rule is `statistics.noninferiority.decide` on one metric with a margin: the same that the gate decides by, without
its tiers, its correction for several metrics and its must-pass cases. So a verdict here is what this metric alone
would say. Runs that cannot be compared (another dataset version, another scorer) have reasons and the verdict ERROR.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from ..statistics.criterion import Criterion
from ..statistics.verdict import Finding, failed
from .distribution import Bin, bins
from .repository.reading import Row
from .run import RunSpec
from .score import Metric

Kind = Literal["better", "worse", "same", "missing"]
_SHARE, _POINTS = 0.1, 0.02


class CasePair(msgspec.Struct, frozen=True, kw_only=True):
    """One case in two runs. Values are means over its repeats; ``gain`` is positive where the second is better, in the
    metric's units or, for ratios, as a share."""

    case_id: str
    kind: Kind
    first: float | None
    second: float | None
    gain: float | None
    first_errors: int = 0
    """Repeats without an answer."""
    second_errors: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    metric: Metric
    margin: float
    mismatches: list[str]
    """Why these two cannot be compared."""
    finding: Finding
    clustered: bool
    """Whether it is known which cases belong together; otherwise each counts as independent."""
    cases: int
    better: int
    worse: int
    same: int
    missing: int
    differences: list[Bin]


def default_margin(metric: Metric) -> float:
    """A tenth for ratios, otherwise two hundredths of the range."""
    return _SHARE if metric.scale == "ratio" else round(_POINTS * (metric.high - metric.low), 12)


def criterion_of(metric: Metric, margin: float, alpha: float) -> Criterion:
    """`ValueError` for a margin that means nothing."""
    bounded = metric.scale != "ratio"
    return Criterion(
        margin=margin,
        alpha=alpha,
        direction=metric.direction,
        scale="difference" if bounded else "ratio",
        lowest=metric.low if bounded else None,
        highest=metric.high if bounded else None,
    )


def mismatches(first: RunSpec, second: RunSpec, metric: str) -> list[str]:
    """Why the figures of two runs do not mean the same."""
    found = []
    if first.dataset != second.dataset:
        found.append(f"other datasets: {first.dataset!r} and {second.dataset!r}")
    elif first.dataset_version != second.dataset_version:
        found.append(f"other versions of the dataset: {first.dataset_version!r} and {second.dataset_version!r}")
    if first.repeats != second.repeats:
        found.append(f"other numbers of repeats: {first.repeats} and {second.repeats}")
    if set(first.scorers) != set(second.scorers):
        found.append("other scorers, or other versions of them")
    for spec in (first, second):
        if all(each.name != metric for each in spec.metrics):
            found.append(f"{spec.run_id!r} does not measure {metric!r}")
    return found


class Arm:
    """The values of one run by case, a list entry for each repeat."""

    def __init__(self, rows: Iterable[Row], metric: str, repeats: int) -> None:
        self.values: dict[str, list[float | None]] = {}
        self.errors: dict[str, int] = {}
        for row in rows:
            cells = self.values.setdefault(row.case_id, [None] * repeats)
            if row.repeat < repeats:
                cells[row.repeat] = row.value(metric)
            if row.error is not None:
                self.errors[row.case_id] = self.errors.get(row.case_id, 0) + 1

    def mean(self, case_id: str) -> float | None:
        """None where a repeat was not measured: a mean over fewer is another mean."""
        cells = self.values.get(case_id)
        if not cells:
            return None
        known = [value for value in cells if value is not None]
        return math.fsum(known) / len(known) if len(known) == len(cells) else None


def pairs_of(first: Arm, second: Arm, criterion: Criterion) -> list[CasePair]:
    """Every case that either has, by id."""
    found = []
    for case_id in sorted(first.values.keys() | second.values.keys()):
        one, other = first.mean(case_id), second.mean(case_id)
        gain = _gain(one, other, criterion)
        kind: Kind = "missing" if gain is None else "better" if gain > 0 else "worse" if gain < 0 else "same"
        found.append(
            CasePair(
                case_id=case_id,
                kind=kind,
                first=one,
                second=other,
                gain=gain,
                first_errors=first.errors.get(case_id, 0),
                second_errors=second.errors.get(case_id, 0),
            )
        )
    return found


def _gain(first: float | None, second: float | None, criterion: Criterion) -> float | None:
    if first is None or second is None:
        return None
    sign = 1.0 if criterion.direction == "higher" else -1.0
    if criterion.scale == "difference":
        return sign * (second - first)
    if first <= 0 or second <= 0:
        return 0.0 if first == second else None
    return criterion.gain(sign * math.log(second / first))


def compared(
    metric: Metric,
    criterion: Criterion,
    reasons: Sequence[str],
    first: Arm,
    second: Arm,
    pairs: Sequence[CasePair],
    units: Mapping[str, str] | None,
) -> Comparison:
    """``units``: each case's unit of chance, where that is known."""
    counts = {kind: sum(pair.kind == kind for pair in pairs) for kind in ("better", "worse", "same", "missing")}
    if reasons:
        finding = failed("; ".join(reasons), margin=criterion.margin, alpha=criterion.alpha, n=len(pairs))
    else:
        finding = _finding(criterion, first, second, [pair.case_id for pair in pairs], units)
    return Comparison(
        metric=metric,
        margin=criterion.margin,
        mismatches=list(reasons),
        finding=finding,
        clustered=units is not None,
        cases=len(pairs),
        differences=bins(pair.gain for pair in pairs if pair.gain is not None),
        **counts,
    )


def _finding(
    criterion: Criterion, first: Arm, second: Arm, ids: Sequence[str], units: Mapping[str, str] | None
) -> Finding:
    if not ids:
        return failed("neither run has a result", margin=criterion.margin, alpha=criterion.alpha)
    try:
        from ..statistics.noninferiority import decide
    except ImportError:  # numpy is of the extra ``evals``
        said = "nothing can be decided here: the gateway lacks the extra `evals` (numpy)"
        return failed(said, margin=criterion.margin, alpha=criterion.alpha, n=len(ids))
    repeats = max(len(cells) for arm in (first, second) for cells in arm.values.values())
    blank: list[float | None] = [None] * repeats

    def matrix(arm: Arm) -> list[list[float]]:
        return [[math.nan if value is None else value for value in arm.values.get(each, blank)] for each in ids]

    clusters = [units.get(each, f"case:{each}") for each in ids] if units is not None else None
    return decide(matrix(first), matrix(second), criterion, clusters=clusters)
