"""Objectives as rules: events, bad events and burn rate of every window, and the four alerts over them.

The rules name no objective: target and minimums are metrics of the gateway (``llmops_slo_target_ratio`` and its like),
so that an objective that is changed in the configuration needs no new rules. ``scale`` divides every length of time, so
that a test sees in seconds what takes hours.
"""

from ..slo.burn import BURN_ALERTS, WINDOWS_S, BurnAlert
from .rule import Alert, Group, Recording, duration

_BY = "slo, model, operation, release, tenant"
_MONTH = "30d"
_MONTH_S = 30 * 86_400
_MONTH_INTERVAL_S = 300


def slo_groups(scale: float = 1.0, interval_s: float = 30) -> list[Group]:
    recordings = [rule for name, length_s in WINDOWS_S.items() for rule in _window(name, length_s / scale)]
    month = [
        *_window(_MONTH, _MONTH_S / scale),
        Recording(f"slo:llmops_slo_budget_left:ratio_{_MONTH}", f"1 - {burn(_MONTH)}"),
    ]
    return [
        Group(name="llmops-slo", rules=recordings, interval_s=interval_s),
        Group(name="llmops-slo-budget", rules=month, interval_s=max(interval_s, _MONTH_INTERVAL_S / scale)),
        Group(name="llmops-slo-alerts", rules=[_alert(each) for each in BURN_ALERTS], interval_s=interval_s),
    ]


def events(window: str) -> str:
    return f"slo:llmops_slo_events:increase_{window}"


def bad_events(window: str) -> str:
    return f"slo:llmops_slo_bad_events:increase_{window}"


def burn(window: str) -> str:
    return f"slo:llmops_slo_burn:rate_{window}"


def _window(name: str, length_s: float) -> list[Recording]:
    over = duration(length_s)
    by_events = (
        f"({bad_events(name)} / ({events(name)} > 0))"
        " / on (slo) group_left () (1 - max by (slo) (llmops_slo_target_ratio))"
    )
    by_cost = (
        f"sum by ({_BY}) (rate(llmops_slo_cost_usd_total[{over}]))"
        " / on (slo) group_left () max by (slo) (llmops_slo_budget_usd_per_second)"
    )
    return [
        Recording(events(name), f"sum by ({_BY}) (increase(llmops_slo_events_total[{over}]))"),
        Recording(bad_events(name), f'sum by ({_BY}) (increase(llmops_slo_events_total{{verdict="bad"}}[{over}]))'),
        Recording(burn(name), f"{by_events}\nor\n{by_cost}"),
    ]


def _alert(alert: BurnAlert) -> Alert:
    """An increase is extrapolated to the window's edges, so whole events are what it rounds to."""
    at_least = "group_left () max by (slo) (llmops_slo_minimum{}_events)".format
    return Alert(
        alert="LLMErrorBudgetBurn",
        expr=(
            f"{burn(alert.long)} > {alert.rate:g}\n"
            f"and {burn(alert.short)} > {alert.rate:g}\n"
            f"and round({events(alert.long)}) >= on (slo) {at_least('')}\n"
            f"and round({bad_events(alert.long)}) >= on (slo) {at_least('_bad')}"
        ),
        severity=alert.severity,
        labels=(("long", alert.long), ("short", alert.short)),
        summary="{{ $labels.slo }} uses up its error budget",
        description=(
            f"The budget burns {{{{ $value | humanize }}}} times as fast as its window allows, over {alert.long} and "
            f"{alert.short} (alert from {alert.rate:g} on)."
            + "".join(
                f" {{{{ with $labels.{name} }}}}{name.capitalize()}: {{{{ . }}}}.{{{{ end }}}}"
                for name in ("model", "operation", "release", "tenant")
            )
        ),
    )
