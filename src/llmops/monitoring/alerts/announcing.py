"""Who is told of which alerts now. Pure: alerts, receivers, silences and the time go in, notices come out.

A receiver is told once that an alert fires, again after ``repeat_s`` while it goes on, and once that it is over if it
knew. It is not told while a silence holds, or while the same rule fires for the same labels with a worse severity.
A tenant's receiver is told of alerts that bear this tenant's label and of no others, whatever the rule says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from .alert import Alert
from .silence import Silence

Status = Literal["firing", "resolved"]


class Addressee(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known of a receiver here."""

    name: str
    tenant: str | None = None
    send_resolved: bool = True


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that one receiver is told of."""

    receiver: str
    status: Status
    alert: Alert


class Announcer(msgspec.Struct, frozen=True, kw_only=True):
    addressees: Mapping[str, Addressee]
    notify: Mapping[str, Sequence[str]]
    """The receivers of each rule; an empty list: all that are nobody's."""
    silences: Sequence[Silence]
    repeat_s: float

    def announce(self, alerts: Iterable[Alert], now_s: float) -> tuple[list[Alert], list[Notice]]:
        """The same alerts, now with who has been told, and what is to be sent."""
        alerts = list(alerts)
        worst = _worst(alerts)
        told: list[Alert] = []
        notices: list[Notice] = []
        for alert in alerts:
            if alert.state == "firing":
                inhibited = worst[_subject(alert)] > alert.rank
                due = [] if inhibited else [each.name for each in self._whom(alert) if self._is_due(alert, each, now_s)]
                notices += [Notice(receiver=name, status="firing", alert=alert) for name in due]
                told.append(_with(alert, {**alert.announced, **dict.fromkeys(due, now_s)}) if due else alert)
            elif alert.state == "ok" and alert.announced:
                notices += [
                    Notice(receiver=name, status="resolved", alert=alert)
                    for name in alert.announced
                    if name in self.addressees and self.addressees[name].send_resolved
                ]
                told.append(_with(alert, {}))
            else:
                told.append(alert)
        return told, notices

    def _whom(self, alert: Alert) -> Iterable[Addressee]:
        named = self.notify.get(alert.rule, ())
        for each in self.addressees.values():
            if each.name in named if named else each.tenant is None:
                if each.tenant in (None, alert.tenant):
                    yield each

    def _is_due(self, alert: Alert, addressee: Addressee, now_s: float) -> bool:
        if any(silence.holds_for(alert, addressee.tenant, now_s) for silence in self.silences):
            return False
        told_s = alert.announced.get(addressee.name)
        return told_s is None or now_s - told_s >= self.repeat_s


def _worst(alerts: Iterable[Alert]) -> dict[tuple[object, ...], int]:
    """The worst severity that fires, by rule and labels."""
    worst: dict[tuple[object, ...], int] = {}
    for alert in alerts:
        if alert.state == "firing":
            subject = _subject(alert)
            worst[subject] = max(worst.get(subject, 0), alert.rank)
    return worst


def _subject(alert: Alert) -> tuple[object, ...]:
    return alert.rule, *sorted(alert.labels.items())


def _with(alert: Alert, announced: dict[str, float]) -> Alert:
    return msgspec.structs.replace(alert, announced=announced)
