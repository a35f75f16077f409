"""One round over all rules: what they see, against what was known. Pure.

Alerts that are well and have not fired in the last hour are not kept, so there are as many as there are troubles and
not as many as there are tenants and models. Of one rule at most `MOST_ALERTS` are kept; what does not fit is counted.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ...alert_settings import SEVERITIES, AlertRuleSettings, Severity
from .alert import Alert, AlertEvent, Change, Reading, new_alert
from .life import MEMORY_S, Finding, Patience, end, step

MOST_ALERTS = 500
_LEAST_UNKNOWN_S = 900.0
_ABSENCE_IS_WELL = frozenset({"budget_used", "breaker_open", "drops", "slo_burn", "rollout"})
"""Kinds that see everything there is: what they do not see is not there any more."""


class Judgement(msgspec.Struct, frozen=True):
    """All alerts after the round, what has changed, and which are to be forgotten."""

    alerts: list[Alert]
    events: list[AlertEvent]
    forgotten: list[str]
    left_out: int = 0


def judge(
    rules: Sequence[AlertRuleSettings], readings: Mapping[str, Sequence[Reading]], known: Iterable[Alert], now_s: float
) -> Judgement:
    """``readings`` by rule; of a rule that could not be looked at this time there are none, and its alerts stay as they
    are."""
    alerts = {alert.fingerprint: alert for alert in known}
    found = Judgement([], [], [])
    left_out = 0
    seen: set[str] = set()
    for rule in rules:
        mine = {each: alert for each, alert in alerts.items() if alert.rule == rule.name}
        if rule.name not in readings:
            seen |= mine.keys()
            found.alerts.extend(mine.values())
            continue
        left_out += _judge_rule(rule, readings[rule.name], mine, found, seen, now_s)
    for each, alert in alerts.items():
        if each not in seen:
            _enter(found, *end(msgspec.structs.replace(alert, detail="the rule is gone"), now_s), now_s)
    return msgspec.structs.replace(found, left_out=left_out)


def _judge_rule(
    rule: AlertRuleSettings,
    readings: Sequence[Reading],
    known: Mapping[str, Alert],
    found: Judgement,
    seen: set[str],
    now_s: float,
) -> int:
    patience = Patience(rule.for_seconds, rule.clear_seconds, max(rule.window_seconds, _LEAST_UNKNOWN_S))
    kept, left_out = len(known), 0
    for severity, threshold in rule.levels.items():
        for reading in readings:
            blank = new_alert(rule.name, severity, reading.labels)
            alert = known.get(blank.fingerprint)
            finding = _finding(rule, reading, severity, threshold)
            if blank.fingerprint in seen or (alert is None and finding != "beyond"):
                continue
            if alert is None and kept >= MOST_ALERTS:
                left_out += 1
                continue
            kept += alert is None
            seen.add(blank.fingerprint)
            alert = alert or blank
            if reading.value is not None:
                alert = msgspec.structs.replace(alert, value=reading.value, threshold=threshold, detail=reading.detail)
            _enter(found, *step(alert, finding, patience, now_s), now_s)
    absent: Finding = "well" if rule.kind in _ABSENCE_IS_WELL else "unknown"
    for each, alert in known.items():
        if each not in seen and alert.severity in rule.levels:
            seen.add(each)
            _enter(found, *step(alert, absent, patience, now_s), now_s)
    return left_out


def _finding(rule: AlertRuleSettings, reading: Reading, severity: Severity, threshold: float | None) -> Finding:
    if reading.value is None:
        return "unknown"
    if reading.severity is not None:
        return "beyond" if SEVERITIES.index(severity) <= SEVERITIES.index(reading.severity) else "well"
    return "beyond" if threshold is None or rule.is_beyond(reading.value, threshold) else "well"


def _enter(found: Judgement, alert: Alert, change: Change | None, now_s: float) -> None:
    if change is not None:
        found.events.append(AlertEvent(alert=alert, change=change, at_s=now_s))
    if alert.state == "ok" and not alert.announced and all(now_s - at_s >= MEMORY_S for at_s in alert.fired_at_s):
        found.forgotten.append(alert.fingerprint)
    else:
        found.alerts.append(alert)
