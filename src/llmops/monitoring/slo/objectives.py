"""The configuration's objectives as values, and what each of them allows."""

from collections.abc import Sequence

from ...slo_settings import SLOSettings
from ...telemetry.objectives import JSON_VALID, Objective
from .burn import Allowance

_DAY_S = 86_400.0


def objectives_of(settings: Sequence[SLOSettings]) -> list[Objective]:
    """In their order."""
    return [
        Objective(
            name=each.name,
            kind=each.objective,
            target=each.target,
            limit=each.threshold_seconds or each.usd or each.at_least or 0.0,
            score=each.score or JSON_VALID,
            window_s=each.window_days * _DAY_S,
            per=tuple(each.per),
            where={name: pattern for name, pattern in each.where.items()},
            minimum_events=each.minimum_events,
            minimum_bad_events=each.minimum_bad_events,
            description=each.description,
        )
        for each in settings
    ]


def allowance_of(objective: Objective) -> Allowance:
    if objective.target is None:
        return Allowance(
            usd_per_s=objective.limit / objective.window_s,
            minimum_events=objective.minimum_events,
            minimum_bad_events=0,
        )
    return Allowance(
        bad_ratio=1 - objective.target,
        minimum_events=objective.minimum_events,
        minimum_bad_events=objective.minimum_bad_events,
    )
