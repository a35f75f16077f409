"""What a receiver is told, as a value: a letter with an entry for each alert, in words that are the same everywhere.

Words are made when the letter is, so that it says the same however late it is sent. They hold names, labels and
numbers: no text of a call, no address, no secret. Labels may hold what a caller made up; whoever renders a letter
escapes them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from ...alert_settings import AlertRuleSettings, RuleKind
from .alert import Alert
from .announcing import Notice, Status

MOST_ENTRIES = 50
"""In one letter; those beyond are counted."""
_WORDS: dict[RuleKind, str] = {
    "latency": "the {quantile} latency is {value}, the limit {threshold}",
    "success_rate": "{value} of the calls succeed, the limit is {threshold}",
    "budget_used": "{value} of the budget is used, the limit is {threshold}",
    "quality": "the mean of the score is {value}, the limit {threshold}",
    "spend_anomaly": "an hour's spend is {value} deviations above the usual, the limit {threshold}",
    "breaker_open": "no calls are sent there",
    "drops": "{value} were lost, the limit is {threshold}",
    "drift": "calls have shifted by {value}, the limit is {threshold}",
    "rollout": "a rollout went back, or waits for a human",
    "slo_burn": "the error budget burns {value} times as fast as it may",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a letter. ``ends_at`` of one that is over."""

    status: Status
    fingerprint: str
    rule: str
    severity: str
    labels: dict[str, str]
    value: float | None
    threshold: float | None
    starts_at: str
    ends_at: str | None
    summary: str
    text: str
    """The rule's own message, or the summary again."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is the same at each attempt to deliver it, so that a receiver can tell a repetition."""

    id: str
    receiver: str
    written_at: str
    entries: list[Entry]
    left_out: int = 0
    link: str | None = None
    is_test: bool = False

    @property
    def status(self) -> Status:
        return "firing" if any(entry.status == "firing" for entry in self.entries) else "resolved"

    @property
    def title(self) -> str:
        rules = ", ".join(dict.fromkeys(entry.rule for entry in self.entries))
        test = "TEST " if self.is_test else ""
        return f"[{test}{self.status.upper()}:{len(self.entries) + self.left_out}] {rules}"


def write_letter(
    letter_id: str,
    receiver: str,
    notices: Sequence[Notice],
    rules: Sequence[AlertRuleSettings],
    *,
    link: str | None,
    now_s: float,
    is_test: bool = False,
) -> Letter:
    known = {rule.name: rule for rule in rules}
    entries = [_entry(notice, known.get(notice.alert.rule), link, now_s) for notice in notices[:MOST_ENTRIES]]
    return Letter(
        id=letter_id,
        receiver=receiver,
        written_at=shown_time(now_s),
        entries=entries,
        left_out=max(0, len(notices) - MOST_ENTRIES),
        link=link,
        is_test=is_test,
    )


def shown_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def shown_labels(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items()) or "everything"


def shown_value(value: float | None, kind: RuleKind | None) -> str:
    """A number with its unit."""
    if value is None:
        return "unknown"
    if kind == "latency":
        return f"{value:.3g} s"
    if kind in ("success_rate", "budget_used"):
        return f"{100 * value:.4g} %"
    return f"{value:.4g}" if value < 1e9 else f"{value:.3e}"


def _entry(notice: Notice, rule: AlertRuleSettings | None, link: str | None, now_s: float) -> Entry:
    alert = notice.alert
    started_s = alert.fired_at_s[-1] if alert.fired_at_s else alert.since_s
    summary = _summary(notice, rule)
    text = summary
    if rule is not None and rule.message is not None:
        kind = rule.kind
        text = rule.message.format(
            rule=alert.rule,
            severity=alert.severity,
            status=notice.status,
            value=shown_value(alert.value, kind),
            threshold=shown_value(alert.threshold, kind),
            labels=shown_labels(alert.labels),
            summary=summary,
            detail=alert.detail,
            since=shown_time(started_s),
            link=link or "",
        )
    return Entry(
        status=notice.status,
        fingerprint=alert.fingerprint,
        rule=alert.rule,
        severity=alert.severity,
        labels=alert.labels,
        value=alert.value,
        threshold=alert.threshold,
        starts_at=shown_time(started_s),
        ends_at=shown_time(now_s) if notice.status == "resolved" else None,
        summary=summary,
        text=text,
    )


def _summary(notice: Notice, rule: AlertRuleSettings | None) -> str:
    alert = notice.alert
    whom = shown_labels(alert.labels)
    if rule is None or alert.detail == "the rule is gone":
        return f"{alert.rule} ({whom}): the rule is gone"
    words = describe(alert, rule)
    return f"{alert.rule} ({whom}): {'over; last, ' if notice.status == 'resolved' else ''}{words}"


def describe(alert: Alert, rule: AlertRuleSettings) -> str:
    """What is the matter, in a few words."""
    words = _WORDS[rule.kind].format(
        quantile=f"p{100 * rule.quantile:g}",
        value=shown_value(alert.value, rule.kind),
        threshold=shown_value(alert.threshold, rule.kind),
    )
    return f"{words} ({alert.detail})" if alert.detail else words
