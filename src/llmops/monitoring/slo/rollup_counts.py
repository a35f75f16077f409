"""Events of objectives, counted from the rollups: the same judgement as `Objective.judge`, over sums instead of calls.

Availability, cost and valid JSON are exact. Latency and time to first content come from histograms, so a threshold
inside a bucket (9 % wide) counts part of that bucket; the counters that Prometheus reads are exact. Other scores are
not in the rollups: whoever keeps them says how many there were (`Scores`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ...name_pattern import name_matcher
from ...telemetry.objectives import DIMENSIONS, JSON_VALID, OWN_TENANT, UPSTREAM_THROTTLED, Group, Objective
from ...telemetry.rollups.histogram import at_most, total
from ...telemetry.rollups.rollup import EVERYTHING, TENANTS, Sums, view_of
from ...telemetry.rollups.rollup import Group as Alike
from .burn import Events

_US = 1_000_000


class Rollups(Protocol):
    """Who reads the rollups. Blocks."""

    def sums(self, view: int, since_s: int, until_s: int) -> Mapping[Alike, Sums]:
        """Of calls that began from one whole minute to another, by what they have in common."""


class Scores(Protocol):
    """Who keeps scores. Blocks."""

    def events(self, objective: Objective, since_s: int, until_s: int) -> Mapping[Group, Events]:
        """How many scores of the objective's name there were, good and bad, by group."""


class RollupCounts:
    """`status.Counts` over rollups, and over ``scores`` where somebody keeps them. Asks for each window once."""

    def __init__(self, rollups: Rollups, scores: Scores | None = None) -> None:
        self._rollups = rollups
        self._scores = scores
        self._read: dict[tuple[int, int, int], Mapping[Alike, Sums]] = {}

    def events(self, objective: Objective, since_s: int, until_s: int) -> Mapping[Group, Events]:
        if objective.kind == "quality" and objective.score != JSON_VALID:
            return self._scores.events(objective, since_s, until_s) if self._scores is not None else {}
        found: dict[Group, Events] = {}
        for view, sign in views(objective, lambda: self.tenants(since_s, until_s)):
            for alike, sums in self._sums(view, since_s, until_s).items():
                add(found, objective, alike, sums, sign)
        return {group: events for group, events in found.items() if events != Events()}

    def tenants(self, since_s: int, until_s: int) -> list[str]:
        """Who made calls in that time."""
        return sorted({each.tenant for each in self._sums(TENANTS, since_s, until_s) if each.tenant is not None})

    def _sums(self, view: int, since_s: int, until_s: int) -> Mapping[Alike, Sums]:
        key = (view, since_s, until_s)
        if key not in self._read:
            self._read[key] = self._rollups.sums(view, since_s, until_s)
        return self._read[key]


def views(objective: Objective, tenants: Callable[[], Sequence[str]]) -> Sequence[tuple[int, int]]:
    """Which views together hold the objective's calls, no call twice, each with its sign. Our own probes are taken
    out."""
    tenant = objective.where.get("tenant")
    if tenant is None and "tenant" not in objective.per:
        return [(EVERYTHING, 1), (view_of(OWN_TENANT), -1)]
    if {*objective.where, *objective.per} == {"tenant"}:
        return [(TENANTS, 1)]
    fits = name_matcher(tenant or "*").fullmatch
    return [(view_of(each), 1) for each in tenants() if fits(each)]


def add(found: dict[Group, Events], objective: Objective, alike: Alike, sums: Sums, sign: int) -> None:
    """Add the events of calls that are alike to those of their group, where the objective is about them."""
    group = _group_of(objective, alike)
    if group is not None:
        events = _events(objective, alike, sums)
        found[group] = found.get(group, Events()) + (events if sign > 0 else minus(events))


def _group_of(objective: Objective, alike: Alike) -> Group | None:
    """As `Objective.group_of`; in a view that does not tell tenants apart all that is there is somebody's."""
    if alike.tenant == OWN_TENANT and (objective.where.get("tenant") or "tenant" in objective.per):
        return None
    values = {
        "model": alike.model or "",
        "operation": alike.operation or "",
        "release": alike.release_id or "",
        "tenant": alike.tenant or "",
    }
    for name, pattern in objective.where.items():
        if not name_matcher(pattern).fullmatch(values[name]):
            return None
    model, operation, release, tenant = (values[each] if each in objective.per else "" for each in DIMENSIONS)
    return (model, operation, release, tenant)


def _events(objective: Objective, alike: Alike, sums: Sums) -> Events:
    calls = sums.calls
    failed = alike.status_class >= 4
    if objective.kind == "availability":
        if alike.error_type == UPSTREAM_THROTTLED or alike.status_class >= 5:
            return Events(bad=calls)
        return Events() if failed else Events(good=calls)
    if objective.kind == "cost":
        return Events(good=0 if failed else calls, cost_nanousd=sums.cost_nanousd)
    if failed:
        return Events()
    if objective.kind == "quality":
        return Events(good=sums.json_valid, bad=sums.json_checked - sums.json_valid)
    histogram = sums.latency if objective.kind == "latency" else sums.ttft
    judged = total(histogram)
    good = round(at_most(histogram, objective.limit * _US))
    return Events(good=good, bad=judged - good)


def minus(events: Events) -> Events:
    return Events(good=-events.good, bad=-events.bad, cost_nanousd=-events.cost_nanousd)
