"""Is a subject as good for one group as for another? Any metric by a metadata key, and the largest gap.

The largest of many gaps is large by chance, so its interval is made at alpha / (number of pairs): it holds for all
pairs at once (Bonferroni). A gap's interval is made of the two groups' own (MOVER: Zou and Donner 2008), which suits
proportions and means alike. Groups with fewer units of chance than ``least_units`` are shown and not compared.
Clusters that lie in two groups make the interval too wide rather than too narrow.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import msgspec

from .aggregates import Mean, mean_of
from .case import Case
from .result import Result

UNKNOWN = "(unknown)"
"""The group of cases that lack the key."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    mean: Mean
    unmeasured: int
    """Results of the group without a value."""
    compared: bool


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """``higher`` minus ``lower``. The groups differ for sure where ``low`` is above 0."""

    higher: str
    lower: str
    value: float
    low: float
    high: float


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    metric: str
    key: str
    groups: tuple[Group, ...]
    """By name."""
    gap: Gap | None
    """The largest; None with fewer than two groups to compare."""
    pairs: int
    """How many were compared."""


def fairness(
    results: Iterable[Result],
    cases: Mapping[str, Case],
    metric: str,
    key: str,
    *,
    alpha: float = 0.05,
    least_units: int = 10,
) -> Fairness:
    """The metric by ``metadata[key]``. `ValueError` if no case has the key."""
    if not any(key in case.metadata for case in cases.values()):
        known = sorted({each for case in cases.values() for each in case.metadata})
        raise ValueError(f"key: {key!r}: no case has it in its metadata; there are {', '.join(known) or 'none'}")
    values: dict[str, list[float]] = {}
    units: dict[str, list[str]] = {}
    unmeasured: dict[str, int] = {}
    for result in results:
        case = cases[result.case_id]
        name = _name(case.metadata.get(key))
        value = result.value(metric)
        rows = values.setdefault(name, [])
        unmeasured[name] = unmeasured.get(name, 0) + (value is None)
        if value is not None:
            rows.append(value)
            units.setdefault(name, []).append(case.unit)
    groups = []
    for name in sorted(values):
        mean = mean_of(values[name], units.get(name, []), alpha=alpha)
        compared = mean.units >= max(2, least_units)
        groups.append(Group(name=name, mean=mean, unmeasured=unmeasured[name], compared=compared))
    names = [group.name for group in groups if group.compared]
    pairs = len(names) * (len(names) - 1) // 2
    strict = [mean_of(values[name], units[name], alpha=alpha / pairs) for name in names] if pairs else []
    gap = _largest(names, strict)
    return Fairness(metric=metric, key=key, groups=tuple(groups), gap=gap, pairs=pairs)


def _name(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()


def _largest(names: Sequence[str], means: Sequence[Mean]) -> Gap | None:
    gaps = []
    for one, other in combinations(range(len(names)), 2):
        high, low = (one, other) if _value(means[one]) >= _value(means[other]) else (other, one)
        gaps.append(_gap(names[high], means[high], names[low], means[low]))
    return max(gaps, key=lambda gap: gap.value, default=None)


def _gap(higher: str, one: Mean, lower: str, other: Mean) -> Gap:
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    first, second = _value(one), _value(other)
    value = first - second
    return Gap(
        higher=higher,
        lower=lower,
        value=value,
        low=value - math.hypot(first - one.low, other.high - second),
        high=value + math.hypot(one.high - first, second - other.low),
    )


def _value(mean: Mean) -> float:
    assert mean.value is not None
    return mean.value
