"""Events of objectives by steps of time: what `rollup_counts` counts of a whole window, for each step of it.

A window is read once per view of the rollups, however many objectives and steps there are.
"""

from collections.abc import Mapping
from typing import Protocol

from ...telemetry.objectives import JSON_VALID, Group, Objective
from ...telemetry.rollups.overview import Course
from .burn import Events
from .rollup_counts import RollupCounts, add, views

Steps = Mapping[int, Events]
"""Events by the beginning of the step; steps without any may be left out."""


class Courses(Protocol):
    """Who reads the rollups by steps. Blocks."""

    def course(self, view: int, since_s: int, until_s: int, step_s: int) -> Course: ...


class ScoreCourses(Protocol):
    """Who keeps scores. Blocks."""

    def course(self, objective: Objective, since_s: int, until_s: int, step_s: int) -> Mapping[Group, Steps]: ...


class RollupCourse:
    """``counts`` says which tenants there are. Steps begin at whole multiples of their length; where rollups of so
    long ago are longer, so are the steps."""

    def __init__(self, rollups: Courses, counts: RollupCounts, scores: ScoreCourses | None = None) -> None:
        self._rollups = rollups
        self._counts = counts
        self._scores = scores
        self._read: dict[tuple[int, int, int, int], Course] = {}

    def events(self, objective: Objective, since_s: int, until_s: int, step_s: int) -> Mapping[Group, Steps]:
        if objective.kind == "quality" and objective.score != JSON_VALID:
            return self._scores.course(objective, since_s, until_s, step_s) if self._scores is not None else {}
        found: dict[int, dict[Group, Events]] = {}
        for view, sign in views(objective, lambda: self._counts.tenants(since_s, until_s)):
            for at, alikes in self._course(view, since_s, until_s, step_s).sums.items():
                groups = found.setdefault(at, {})
                for alike, sums in alikes.items():
                    add(groups, objective, alike, sums, sign)
        return by_group(found)

    def _course(self, view: int, since_s: int, until_s: int, step_s: int) -> Course:
        key = (view, since_s, until_s, step_s)
        if key not in self._read:
            self._read[key] = self._rollups.course(*key)
        return self._read[key]


def by_group(found: Mapping[int, Mapping[Group, Events]]) -> dict[Group, dict[int, Events]]:
    """The other way round, without steps in which nothing happened."""
    turned: dict[Group, dict[int, Events]] = {}
    for at in sorted(found):
        for group, events in found[at].items():
            if events != Events():
                turned.setdefault(group, {})[at] = events
    return turned
