"""Alerts as values: what a rule has found, the state of one alert, and how alerts are told apart.

An alert is one rule, one severity and one set of labels; its fingerprint is a digest of the three, so that every
process and every restart calls it the same. ``tenant`` among the labels decides who may see it; without it, operators
only.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from ...alert_settings import SEVERITIES, Severity

State = Literal["ok", "pending", "firing"]
Change = Literal["pending", "calmed", "firing", "resolved"]
Labels = Mapping[str, str]
_MOST_LABEL_CHARS = 256


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule sees now for one set of labels. ``value`` None: too little is known to judge. ``severity``: of a
    verdict that was made elsewhere, how bad it is."""

    labels: dict[str, str]
    value: float | None
    detail: str = ""
    severity: Severity | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one alert. It is in this state since ``since_s``; ``clear_since_s`` and ``unknown_since_s`` tell
    since when a firing one has looked well, or like nothing. ``fired_at_s`` of the last hour; ``announced``: which
    receivers know that it fires, and since when.
    """

    fingerprint: str
    rule: str
    severity: Severity
    labels: dict[str, str]
    state: State = "ok"
    since_s: float = 0.0
    clear_since_s: float | None = None
    unknown_since_s: float | None = None
    fired_at_s: tuple[float, ...] = ()
    value: float | None = None
    threshold: float | None = None
    detail: str = ""
    announced: dict[str, float] = {}

    @property
    def tenant(self) -> str | None:
        return self.labels.get("tenant")

    @property
    def rank(self) -> int:
        return SEVERITIES.index(self.severity)


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an alert, for the history."""

    alert: Alert
    change: Change
    at_s: float


def fingerprint(rule: str, severity: str, labels: Labels) -> str:
    raw = msgspec.json.encode([rule, severity, sorted(labels.items())])
    return hashlib.sha256(raw).hexdigest()[:32]


def new_alert(rule: str, severity: Severity, labels: Labels) -> Alert:
    """One that nothing is known of yet. Labels hold what callers say of themselves: they are cut, not trusted."""
    bounded = {name[:_MOST_LABEL_CHARS]: value[:_MOST_LABEL_CHARS] for name, value in sorted(labels.items())}
    return Alert(fingerprint=fingerprint(rule, severity, bounded), rule=rule, severity=severity, labels=bounded)
