"""A run in figures: each metric with its interval, what failed, what it took and what it cost; also by slice.

A `Tally` takes results one by one and keeps numbers only, eight bytes each, so a run of any size can be summed up
while it goes. An interval takes cases of one cluster, and repeats of one case, as one unit of chance. For right or
wrong it is Wilson's, at the number of independent answers that would be as uncertain as these; otherwise the t interval
with the clusters' standard error (Miller 2024, arXiv 2411.00640). Equal values have no spread to make one of: within a
range they are as sure as so many yeses, and without one there is no interval. Nothing is decided here: comparing two
runs is the gate's.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..statistics.proportion import wilson
from ..statistics.special import t_quantile
from .case import Case
from .result import Result
from .score import Direction, Metric, Scale

_MOST_VALUES = 20
"""A metadata key with more values than that makes no slices, unless it is asked for."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds; percentiles by nearest rank."""

    n: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One metric of a run. ``low`` and ``high`` bound its mean at 95 %; None where too little was measured."""

    name: str
    n: int = 0
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    units: int = 0
    """How many independent ones ``n`` is made of."""
    errors: int = 0
    unmeasured: int = 0
    """Neither a value nor an error: there was nothing to measure."""
    direction: Direction = "higher"
    scale: Scale = "binary"


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    cells: int
    """How many have a result."""
    failed: int = 0
    """Cells without an answer."""
    errors: dict[str, int] = {}
    """What they failed with, by code."""
    cached: int = 0
    recovered: int = 0
    passed: int = 0
    judged: int = 0
    """Cells that failed or that a scorer has a threshold for; ``passed``: those where every threshold was met."""
    metrics: list[Figure] = []
    latency_ms: Spread | None = None
    ttft_ms: Spread | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nanousd: int = 0
    judge_cost_nanousd: int = 0
    unpriced: int = 0
    """Answers whose tokens are known and whose price is not; their cost is in no sum."""
    slices: dict[str, list[Figure]] = {}
    """By ``key=value``."""

    def figure(self, name: str) -> Figure | None:
        return next((each for each in self.metrics if each.name == name), None)


class Tally:
    """Takes results, in any order, each cell once."""

    def __init__(self, metrics: Sequence[Metric], cases: Sequence[Case], slices: Sequence[str] | None = None) -> None:
        """``slices``: metadata keys, or ``cluster``; None: those with few values."""
        self._metrics = {metric.name: metric for metric in metrics}
        self._units: dict[str, int] = {}
        self._unit_of = {case.id: self._units.setdefault(case.unit, len(self._units)) for case in cases}
        self._slices_of = _slices(cases, slices)
        self._columns = {metric.name: _Column() for metric in metrics}
        self._sliced: dict[tuple[str, str], _Column] = {}
        self._latency, self._ttft = array("d"), array("d")
        self._errors: Counter[str] = Counter()
        self.cells = self.failed = self.passed = self.judged = self.cached = self.recovered = self.unpriced = 0
        self.tokens_in = self.tokens_out = self.cost_nanousd = self.judge_cost_nanousd = 0

    def add(self, result: Result) -> None:
        output = result.output
        self.cells += 1
        if output.error is not None:
            self.failed += 1
            self._errors[output.error.code] += 1
        elif output.latency_ms is not None and not output.cached:
            self._latency.append(output.latency_ms)
            if output.ttft_ms is not None:
                self._ttft.append(output.ttft_ms)
        self.cached += output.cached
        self.recovered += output.recovered
        self.tokens_in += output.tokens_in or 0
        self.tokens_out += output.tokens_out or 0
        if output.cost_nanousd is not None:
            self.cost_nanousd += output.cost_nanousd
        elif output.tokens_out is not None:
            self.unpriced += 1
        self._add_scores(result)

    def _add_scores(self, result: Result) -> None:
        unit, groups = self._unit_of[result.case_id], self._slices_of.get(result.case_id, ())
        judged, passed = result.output.error is not None, result.output.error is None
        for score in result.scores:
            self.judge_cost_nanousd += score.cost_nanousd or 0
            if score.passed is not None:
                judged = True
                passed = passed and score.passed
            column = self._columns.get(score.name)
            if column is None:  # not declared: an error of the scorer, and no figure
                continue
            failed = score.error is not None
            column.add(unit, score.value, failed)
            for group in groups:
                key = (group, score.name)
                if (sliced := self._sliced.get(key)) is None:
                    sliced = self._sliced[key] = _Column()
                sliced.add(unit, score.value, failed)
        self.judged += judged
        self.passed += judged and passed

    @property
    def metric_names(self) -> list[str]:
        return list(self._metrics)

    def mean(self, name: str) -> float | None:
        """Of the metric so far; cheap."""
        column = self._columns[name]
        return column.total / len(column.values) if len(column.values) else None

    def summary(self) -> Summary:
        slices: dict[str, list[Figure]] = {}
        for (group, name), column in sorted(self._sliced.items()):
            slices.setdefault(group, []).append(column.figure(self._metrics[name]))
        return Summary(
            cells=self.cells,
            failed=self.failed,
            errors=dict(self._errors.most_common()),
            cached=self.cached,
            recovered=self.recovered,
            passed=self.passed,
            judged=self.judged,
            metrics=[self._columns[name].figure(metric) for name, metric in self._metrics.items()],
            latency_ms=spread(self._latency),
            ttft_ms=spread(self._ttft),
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            cost_nanousd=self.cost_nanousd,
            judge_cost_nanousd=self.judge_cost_nanousd,
            unpriced=self.unpriced,
            slices=slices,
        )


class _Column:
    __slots__ = ("errors", "total", "units", "unmeasured", "values")

    def __init__(self) -> None:
        self.values, self.units = array("d"), array("q")
        self.total = 0.0
        self.errors = self.unmeasured = 0

    def add(self, unit: int, value: float | None, failed: bool) -> None:
        if failed:
            self.errors += 1
        elif value is None:
            self.unmeasured += 1
        else:
            self.values.append(value)
            self.units.append(unit)
            self.total += value

    def figure(self, metric: Metric) -> Figure:
        n = len(self.values)
        mean = math.fsum(self.values) / n if n else None
        low, high, units = self._bounds(mean, metric) if mean is not None else (None, None, 0)
        return Figure(
            name=metric.name,
            n=n,
            mean=mean,
            low=low,
            high=high,
            units=units,
            errors=self.errors,
            unmeasured=self.unmeasured,
            direction=metric.direction,
            scale=metric.scale,
        )

    def _bounds(self, mean: float, metric: Metric) -> tuple[float | None, float | None, int]:
        n, sums, sizes = len(self.values), dict[int, float](), Counter(self.units)
        if metric.scale == "binary" and len(sizes) == n:
            found = wilson(round(self.total), n)
            return found.lower, found.upper, n
        for unit, value in zip(self.units, self.values, strict=True):
            sums[unit] = sums.get(unit, 0.0) + value
        count = len(sizes)
        if count < 2:
            return None, None, count
        squares = math.fsum((sums[unit] - mean * size) ** 2 for unit, size in sizes.items())
        error = math.sqrt(squares * count / (count - 1)) / n
        if error <= 1e-9 * abs(mean):  # what rounding leaves of equal values
            error = 0.0
        lowest, highest = (0.0, 1.0) if metric.scale == "binary" else (metric.low, metric.high)
        if metric.scale != "ratio" and (metric.scale == "binary" or not error):
            share = (mean - lowest) / (highest - lowest)
            size = min(share * (1 - share) / error**2, n) if error else count
            found = wilson(share * size, size)
            return lowest + found.lower * (highest - lowest), lowest + found.upper * (highest - lowest), count
        if not error:  # equal values without a range: what was never seen may be anywhere
            return None, None, count
        half = t_quantile(0.975, count - 1) * error
        low, high = mean - half, mean + half
        if metric.scale != "ratio":
            low, high = max(low, lowest), min(high, highest)
        return low, high, count


def spread(values: Iterable[float]) -> Spread | None:
    """None where there are no values."""
    ordered = sorted(values)
    if not ordered:
        return None

    def rank(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    mean = round(math.fsum(ordered) / len(ordered), 3)
    return Spread(
        n=len(ordered), mean=mean, p50=rank(0.5), p90=rank(0.9), p95=rank(0.95), p99=rank(0.99), max=ordered[-1]
    )


def _slices(cases: Sequence[Case], wanted: Sequence[str] | None) -> Mapping[str, tuple[str, ...]]:
    """The slices that each case is in."""
    values: dict[str, set[str]] = {}
    for case in cases:
        for key, value in facets(case):
            known = values.setdefault(key, set())
            if len(known) <= _MOST_VALUES:
                known.add(value)
    keys = (
        set(wanted) if wanted is not None else {key for key, known in values.items() if 1 < len(known) <= _MOST_VALUES}
    )
    return {case.id: tuple(f"{key}={value}" for key, value in facets(case) if key in keys) for case in cases}


def facets(case: Case) -> list[tuple[str, str]]:
    """What a case can be sorted by: short values alone."""
    found = [(key, _shown(value)) for key, value in case.metadata.items() if isinstance(value, str | bool | int)]
    if case.cluster is not None:
        found.append(("cluster", case.cluster))
    return [(key, value) for key, value in found if len(value) <= 100]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
