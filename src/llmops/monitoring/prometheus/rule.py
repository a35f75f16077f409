"""Rules as values, and their form in a file that Prometheus loads."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..slo.burn import Severity


class Recording(msgspec.Struct, frozen=True):
    """A query whose answer is kept under a name of its own."""

    record: str
    expr: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A query whose answers are alerts. ``summary`` and ``description`` are Prometheus templates."""

    alert: str
    expr: str
    severity: Severity
    summary: str
    description: str
    for_s: float = 0
    labels: tuple[tuple[str, str], ...] = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are evaluated together, one after the other, so that a later one may use an earlier one."""

    name: str
    rules: Sequence[Recording | Alert]
    interval_s: float = 30


def as_file(groups: Sequence[Group]) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": group.name,
                "interval": duration(group.interval_s),
                "rules": [_written(rule) for rule in group.rules],
            }
            for group in groups
        ]
    }


def duration(seconds: float) -> str:
    """As Prometheus writes it: the largest unit that fits a whole number of times."""
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= length_s and seconds % length_s == 0:
            return f"{int(seconds // length_s)}{unit}"
    return f"{max(1, round(seconds * 1000))}ms"


def _written(rule: Recording | Alert) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.record, "expr": rule.expr}
    waiting = {"for": duration(rule.for_s)} if rule.for_s else {}
    return {
        "alert": rule.alert,
        "expr": rule.expr,
        **waiting,
        "labels": {"severity": rule.severity, **dict(rule.labels)},
        "annotations": {"summary": rule.summary, "description": rule.description},
    }
