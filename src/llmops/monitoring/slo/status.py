"""How objectives stand: for each, and for each of its groups, the budget, the burn rates and what of it is an alert.

Counts come from whoever keeps them (`Counts`); here they are only put together. The same figures are shown over HTTP
and in the shell, and decide the built-in alerts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from ...name_pattern import name_matcher
from ...telemetry.objectives import DIMENSIONS, Group, Objective
from .budget import Budget, budget_of
from .burn import BURN_ALERTS, WINDOWS_S, BurnAlert, Events, burn_rate, firing
from .objectives import allowance_of

_NO_GROUP: Group = ("", "", "", "")
_RECENT = "1h"
_MINUTE_S = 60
State = Literal["ok", "ticket", "page", "exhausted", "no_data"]


class Counts(Protocol):
    """Who knows how many events of an objective there were. Blocks: call it from a thread."""

    def events(self, objective: Objective, since_s: int, until_s: int) -> Mapping[Group, Events]:
        """By group, from one whole minute to another; groups without events may be left out."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One objective, or one group of it. ``burn`` by window; None where nothing happened in it."""

    objective: Objective
    group: Group
    events: Events
    budget: Budget
    burn: Mapping[str, float | None]
    windows: Mapping[str, Events] = {}
    alerts: Sequence[BurnAlert]

    @property
    def state(self) -> State:
        if self.alerts:
            return self.alerts[0].severity
        if self.budget.left <= 0:
            return "exhausted"
        return "ok" if self.events.all or self.events.cost_nanousd else "no_data"

    @property
    def ratio(self) -> float | None:
        """The share of good events in the window."""
        return self.events.good / self.events.all if self.events.all else None


def standings(objectives: Iterable[Objective], counts: Counts, now_s: float) -> list[Standing]:
    """Objectives in their order, groups by name. The minute under way is part of every window."""
    until_s = (int(now_s) // _MINUTE_S + 1) * _MINUTE_S
    found: list[Standing] = []
    for objective in objectives:
        whole = counts.events(objective, until_s - int(objective.window_s), until_s)
        windows = {name: counts.events(objective, until_s - length_s, until_s) for name, length_s in WINDOWS_S.items()}
        groups = sorted(set(whole).union(*windows.values())) or ([] if objective.per else [_NO_GROUP])
        found += [_standing(objective, group, whole.get(group, Events()), _of(group, windows)) for group in groups]
    return found


def _of(group: Group, windows: Mapping[str, Mapping[Group, Events]]) -> dict[str, Events]:
    return {name: by_group.get(group, Events()) for name, by_group in windows.items()}


def _standing(objective: Objective, group: Group, events: Events, windows: Mapping[str, Events]) -> Standing:
    allowance = allowance_of(objective)
    return Standing(
        objective=objective,
        group=group,
        events=events,
        budget=budget_of(events, windows[_RECENT], allowance, objective.window_s, WINDOWS_S[_RECENT]),
        burn={name: burn_rate(each, allowance, WINDOWS_S[name]) for name, each in windows.items()},
        windows=windows,
        alerts=firing(windows, allowance),
    )


def is_visible(objective: Objective, group: Group, tenant: str | None) -> bool:
    """Whether a tenant may see it: what is about its own calls and nobody else's. None is an operator."""
    return tenant is None or tenant in (group[DIMENSIONS.index("tenant")], objective.where.get("tenant"))


def is_about(objective: Objective, group: Group, tenant: str | None) -> bool:
    """Whether a view that is narrowed to a tenant shows it: it is about that tenant, or about everybody."""
    of = group[DIMENSIONS.index("tenant")]
    if tenant is None or of:
        return tenant in (None, of)
    return name_matcher(objective.where.get("tenant", "*")).fullmatch(tenant) is not None


def shown(standing: Standing) -> dict[str, Any]:
    """For programs."""
    objective, budget = standing.objective, standing.budget
    allowance = allowance_of(objective)
    return {
        "name": objective.name,
        "objective": objective.kind,
        "description": objective.description,
        "group": {name: value for name, value in zip(DIMENSIONS, standing.group, strict=True) if value},
        "where": dict(objective.where),
        "target": objective.target,
        "limit": objective.limit or None,
        "window_s": objective.window_s,
        "state": standing.state,
        "good": standing.events.good,
        "bad": standing.events.bad,
        "ratio": standing.ratio,
        "usd": standing.events.cost_nanousd / 1e9 if objective.kind == "cost" else None,
        "budget": {
            "allowed": budget.allowed,
            "used": budget.used,
            "left": budget.left,
            "exhausted_in_s": budget.exhausted_in_s,
        },
        "burn": dict(standing.burn),
        "windows": {name: {"good": each.good, "bad": each.bad} for name, each in standing.windows.items()},
        "guards": {"minimum_events": allowance.minimum_events, "minimum_bad_events": allowance.minimum_bad_events},
        "rules": [
            {"severity": each.severity, "rate": each.rate, "long": each.long, "short": each.short}
            for each in BURN_ALERTS
        ],
        "alerts": [
            {"severity": each.severity, "rate": each.rate, "long": each.long, "short": each.short}
            for each in standing.alerts
        ],
    }
