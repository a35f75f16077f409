"""Events of objectives of quality whose scores people and judges give: counted from the assessments.

A score may come before, or long after, the call that it is about, and be about a session; so of its dimensions only
the tenant is known, and the settings refuse others. The window is that of the judgement, not of the call.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ...telemetry.assessments.repository.counts import Counted
from ...telemetry.objectives import Group, Objective
from .burn import Events
from .rollup_course import Steps, by_group


class Assessments(Protocol):
    """Who keeps scores. Blocks."""

    def counted(self, name: str, at_least: float, since_ms: int, until_ms: int) -> Sequence[Counted]: ...

    def counted_by_step(
        self, name: str, at_least: float, since_ms: int, until_ms: int, step_ms: int
    ) -> Mapping[int, Sequence[Counted]]: ...


class ScoreCounts:
    """`rollup_counts.Scores` and `rollup_course.ScoreCourses` over assessments."""

    def __init__(self, assessments: Assessments) -> None:
        self._assessments = assessments

    def events(self, objective: Objective, since_s: int, until_s: int) -> Mapping[Group, Events]:
        return _events(
            objective, self._assessments.counted(objective.score, objective.limit, since_s * 1000, until_s * 1000)
        )

    def course(self, objective: Objective, since_s: int, until_s: int, step_s: int) -> Mapping[Group, Steps]:
        """The same by the beginning of each step."""
        found = self._assessments.counted_by_step(
            objective.score, objective.limit, since_s * 1000, until_s * 1000, step_s * 1000
        )
        return by_group({at_ms // 1000: _events(objective, counted) for at_ms, counted in found.items()})


def _events(objective: Objective, counted: Sequence[Counted]) -> dict[Group, Events]:
    found: dict[Group, Events] = {}
    for each in counted:
        group = objective.group_of({"model": "", "operation": "", "release": "", "tenant": each.tenant})
        if group is not None:
            found[group] = found.get(group, Events()) + Events(good=each.good, bad=each.all - each.good)
    return found
