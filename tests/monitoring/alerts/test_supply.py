"""What a gateway's parts say to alerts: whose a budget's counter is, burns, losses, and how many alerts are kept."""

from collections.abc import Callable
from typing import Any

from llmops.alert_settings import AlertRuleSettings
from llmops.clock import ManualClock
from llmops.monitoring.alerts.alert import Reading
from llmops.monitoring.alerts.judgement import MOST_ALERTS, judge
from llmops.monitoring.alerts.seeing import Seeing
from llmops.monitoring.alerts.sources import Sources
from llmops.monitoring.alerts.supply import budget_uses, burns_of, lost_figures
from llmops.monitoring.slo.budget import Budget
from llmops.monitoring.slo.burn import BURN_ALERTS, Events
from llmops.monitoring.slo.status import Standing
from llmops.opening import build_rules
from llmops.settings import Settings
from llmops.spend.rule import SEPARATOR
from llmops.spend.rule_directory import RuleDirectory
from llmops.store.database import Database
from llmops.telemetry.figures import Figure
from llmops.telemetry.objectives import Objective


def test_a_budgets_counters_bear_their_tenant(settings: Callable[..., Settings], database: Database) -> None:
    built = settings(
        budgets=[
            {"name": "each", "usd": 10, "per": "tenant"},
            {"name": "people", "usd": 4, "per": "user"},
            {"name": "acmes", "usd": 100, "where": {"tenant": "acme"}},
            {"name": "keys", "usd": 100, "per": "key"},
        ]
    )
    counters = {"each": "acme", "people": "acme/alice", "acmes": None, "keys": "k1"}
    state = [
        (SEPARATOR.join([f"budget:{name}", *([value] if value else []), "usd/month"]), 3 * 10**9)
        for name, value in counters.items()
    ]
    rules = RuleDirectory(
        database, ManualClock(), is_tenant=lambda _: True, configured=lambda: build_rules(built), state=lambda: state
    )
    found = {use.labels["budget"]: use for use in budget_uses(rules)}
    assert {name: (use.labels.get("tenant"), use.share) for name, use in found.items()} == {
        "each": ("acme", 0.3),
        "people": ("acme", 0.75),
        "acmes": ("acme", 0.03),
        "keys": (None, 0.03),
    }
    assert found["each"].detail == "$3.00 of $10.00 per month"
    rule = AlertRuleSettings.model_validate({"name": "b", "kind": "budget_used", "threshold": 0.5})
    seen = Seeing(Sources(budgets=lambda: budget_uses(rules))).see(rule, [], 0)
    (alert,) = judge([rule], {"b": seen}, [], 0).alerts
    assert (alert.tenant, alert.labels["user"]) == ("acme", "acme/alice")


def test_a_fast_burn_is_critical_and_a_slow_one_a_warning() -> None:
    def standing(*alerts: int) -> Standing:
        return Standing(
            objective=Objective(name="up", kind="availability", target=0.99),
            group=("gpt", "", "", ""),
            events=Events(good=90, bad=10),
            budget=Budget(allowed=1, used=10, left=-9),
            burn={"5m": 20.0, "6h": 2.0},
            alerts=[BURN_ALERTS[index] for index in alerts],
        )

    rule = AlertRuleSettings(name="slo", kind="slo_burn")
    severities: dict[tuple[int, ...], Any] = {}
    for alerts in ((0, 3), (3,), ()):
        seen = Seeing(Sources(burns=lambda alerts=alerts: burns_of([standing(*alerts)]))).see(rule, [], 0)
        severities[alerts] = [
            (each.severity, each.value, each.labels) for each in judge([rule], {"slo": seen}, [], 0).alerts
        ]
    labels = {"model": "gpt", "slo": "up"}
    assert severities == {
        (0, 3): [("warning", 20.0, labels), ("critical", 20.0, labels)],
        (3,): [("warning", 2.0, labels)],
        (): [],
    }


def test_losses_are_found_among_the_metrics() -> None:
    figures = [Figure("llmops_spans_damaged_total", 3), Figure("llmops_spans_stored_total", 9)]
    assert lost_figures(figures) == {"spans damaged": 3}


def test_of_a_rule_that_tells_too_much_apart_so_many_alerts_are_kept() -> None:
    rule = AlertRuleSettings.model_validate({"name": "slow", "kind": "latency", "threshold": 1, "per": "tenant"})
    readings = [Reading(labels={"tenant": f"t{number}"}, value=2.0) for number in range(MOST_ALERTS + 7)]
    found = judge([rule], {"slow": readings}, [], 0)
    assert (len(found.alerts), found.left_out) == (MOST_ALERTS, 7)
