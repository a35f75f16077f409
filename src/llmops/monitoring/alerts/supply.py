"""What a gateway's own parts say, in the form in which rules ask for it: budgets, breakers, losses, burns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...alert_settings import Severity
from ...resilience.census import census
from ...resilience.fleet import Fleet
from ...spend.rule_directory import RuleDirectory
from ...store.database import Database
from ...telemetry.figures import Figure
from ...telemetry.objectives import DIMENSIONS
from ..slo.status import Standing
from .repository.figures import RollupFigures
from .repository.scores import ScoreMeans
from .sources import BudgetUse, Burn, Shift, Sources

_WITHIN_TENANT = ("user", "tag:")
_LOST = ("_dropped_total", "_damaged_total", "_given_up_total")
_SEVERITIES: Mapping[str, Severity] = {"page": "critical", "ticket": "warning"}


def build_sources(
    database: Database,
    rules: RuleDirectory,
    standings: Callable[[], Iterable[Standing]] | None = None,
    shifts: Callable[[], Sequence[Shift]] | None = None,
    rollouts: Callable[[], Sequence[Shift]] | None = None,
) -> Sources:
    """What a gateway knows. ``standings`` says how its objectives stand, ``shifts`` what has drifted."""
    return Sources(
        calls=RollupFigures(database),
        scores=ScoreMeans(database),
        budgets=lambda: budget_uses(rules),
        burns=(lambda: burns_of(standings())) if standings is not None else None,
        shifts=shifts,
        rollouts=rollouts,
    )


def lost_figures(figures: Iterable[Figure]) -> dict[str, int]:
    """What services count as lost, by the name of its metric without its frame, and its labels."""
    lost: dict[str, int] = {}
    for name, value, labels in figures:
        if name.endswith(_LOST):
            what = " ".join((name.removeprefix("llmops_").removesuffix("_total").replace("_", " "), *labels))
            lost[what] = lost.get(what, 0) + int(value)
    return lost


def budget_uses(rules: RuleDirectory) -> list[BudgetUse]:
    """Every budget's counters that anything has been used of; blocks."""
    return [use for rule in rules.shown("budget") for use in _uses(rule)]


def breaker_states(fleet: Fleet, now_s: Callable[[], float]) -> Mapping[str, str]:
    """The state of each deployment's breaker in this process."""
    return {name: health.state for name, health in census(fleet, now_s()).deployments.items()}


def burns_of(standings: Iterable[Standing]) -> Sequence[Burn]:
    """Objectives whose error budget is being burnt so fast that one of their alerts fires."""
    found = []
    for standing in standings:
        if not standing.alerts:
            continue
        worst = standing.alerts[0]
        group = {name: value for name, value in zip(DIMENSIONS, standing.group, strict=True) if value}
        found.append(
            Burn(
                labels={**dict(standing.objective.where), **group, "slo": standing.objective.name},
                rate=standing.burn.get(worst.short) or worst.rate,
                severity=_SEVERITIES[worst.severity],
                detail=f"more than {worst.rate:g} over {worst.long} and {worst.short}",
            )
        )
    return found


def _uses(rule: Mapping[str, Any]) -> Iterable[BudgetUse]:
    total = float(rule["usd"])
    for counter in rule["used"] or ():
        labels = {"budget": str(rule["name"] or rule["id"]), **_whose(rule, counter["of"])}
        used = float(counter["used_usd"])
        yield BudgetUse(
            labels=labels,
            share=used / total if total else float(used > 0),
            detail=f"${used:.2f} of ${total:.2f} per {rule['window']}",
        )


def _whose(rule: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """The counter's labels. Whose it is shows in its tenant, in what is counted within a tenant, or in the rule."""
    labels = dict(values)
    tenant = values.get("tenant") or rule["tenant"] or rule.get("where", {}).get("tenant")
    for name, value in values.items():
        if name.startswith(_WITHIN_TENANT) and tenant is None:
            tenant = value.partition("/")[0]
    return {**labels, "tenant": tenant} if tenant else labels
