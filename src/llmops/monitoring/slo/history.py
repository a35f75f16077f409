"""How an objective's error budget went over time: what was left of it at the end of each step, and how fast it burnt.

What is left at a moment is of the objective's window that ends there, so that the last point is what `status` says.
Three readings do for any number of points: the events of one window before the first of them, those of each step
since, and those of each step that has left the window meanwhile. A burn rate is that of an hour, or of a step where
that is longer: in a minute with two calls one failure would be a cliff.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ...telemetry.objectives import DIMENSIONS, Group, Objective
from .budget import budget_of
from .burn import Allowance, Events, burn_rate
from .objectives import allowance_of
from .rollup_counts import minus
from .rollup_course import Steps
from .status import Counts

_BURN_S = 3600
_NOTHING = Events()


class StepCounts(Protocol):
    """Who knows how many events there were in each step. Blocks."""

    def events(self, objective: Objective, since_s: int, until_s: int, step_s: int) -> Mapping[Group, Steps]: ...


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From ``first`` up to ``last``, by steps that begin at whole multiples of ``step_s``."""

    first: int
    last: int
    step_s: int

    @property
    def burn_s(self) -> int:
        """What a burn rate is of: whole steps that end with one."""
        return -(-_BURN_S // self.step_s) * self.step_s

    @property
    def lead(self) -> int:
        """Where reading begins, so that the first step has a burn rate."""
        return max(0, self.first // self.step_s * self.step_s - self.burn_s + self.step_s)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``burn`` None: nothing happened that could be bad. ``left``: 1 untouched, below 0 overdrawn."""

    at: int
    events: Events
    burn: float | None
    left: float


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One objective, or one group of it."""

    objective: Objective
    group: Group
    points: Sequence[Point]


def histories(
    objectives: Sequence[Objective],
    span: Span,
    counts: Counts,
    steps: StepCounts,
    is_wanted: Callable[[Objective, Group], bool],
) -> list[History]:
    """Those with the least left at the end first."""
    found: list[History] = []
    for objective in objectives:
        window_s = int(objective.window_s)
        begin, end = max(0, span.lead - window_s), max(0, span.last - window_s)
        before = counts.events(objective, begin, span.lead) if span.lead > begin else {}
        since = steps.events(objective, span.lead, span.last, span.step_s)
        gone = steps.events(objective, begin, end, span.step_s) if end > begin else {}
        for group in sorted({*before, *since}):
            if is_wanted(objective, group):
                points = _points(
                    objective, span, before.get(group, _NOTHING), since.get(group, {}), gone.get(group, {})
                )
                found.append(History(objective=objective, group=group, points=points))
    return sorted(found, key=lambda each: each.points[-1].left if each.points else 1.0)


def _points(objective: Objective, span: Span, before: Events, since: Steps, gone: Steps) -> list[Point]:
    allowance, window_s = allowance_of(objective), int(objective.window_s)
    leaving, kept, points = sorted(gone), before, list[Point]()
    for at in range(span.lead, span.last, span.step_s):
        until = min(at + span.step_s, span.last)
        kept = kept + since.get(at, _NOTHING)
        while leaving and min(leaving[0] + span.step_s, span.last - window_s) <= until - window_s:
            kept = kept + minus(gone[leaving.pop(0)])
        if until > span.first:
            left = budget_of(kept, _NOTHING, allowance, window_s, _BURN_S).left
            points.append(
                Point(at=at, events=since.get(at, _NOTHING), burn=_burn(since, at, until, allowance, span), left=left)
            )
    return points


def _burn(since: Steps, at: int, until: int, allowance: Allowance, span: Span) -> float | None:
    first = max(span.lead, at + span.step_s - span.burn_s)
    recent = sum((since.get(each, _NOTHING) for each in range(first, until, span.step_s)), _NOTHING)
    return burn_rate(recent, allowance, until - first)


def shown(history: History) -> dict[str, Any]:
    """For programs."""
    objective = history.objective
    return {
        "name": objective.name,
        "objective": objective.kind,
        "group": {name: value for name, value in zip(DIMENSIONS, history.group, strict=True) if value},
        "where": dict(objective.where),
        "target": objective.target,
        "window_s": objective.window_s,
        "points": [
            {
                "at": point.at,
                "good": point.events.good,
                "bad": point.events.bad,
                "usd": point.events.cost_nanousd / 1e9 if objective.kind == "cost" else None,
                "burn": point.burn,
                "left": point.left,
            }
            for point in history.points
        ],
    }
