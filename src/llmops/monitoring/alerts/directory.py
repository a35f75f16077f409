"""Alerts as the shell and the control plane see them: what fires, what was, silences, receivers.

``tenant`` is whose view it is: a tenant sees what bears its label and its own silences, None sees all. Methods block:
call them from a thread.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ...alert_settings import AlertSettings
from ...clock import Clock
from ...errors import InvalidRequest, NotFound
from ...store.database import Database
from .alert import Alert
from .announcing import Notice
from .letter import Letter, describe, shown_time, write_letter
from .repository.letters import LetterRepository, Post
from .repository.state import AlertRepository
from .silence import Silence

_LONGEST_SILENCE_S = 366 * 86_400.0
_MOST_MATCHERS = 10
_MOST_CHARS = 256


class AlertDirectory:
    """``database`` stays the caller's, who closes it."""

    def __init__(self, database: Database, settings: Callable[[], AlertSettings], clock: Clock) -> None:
        self._alerts = AlertRepository(database)
        self._letters = LetterRepository(database)
        self._settings = settings
        self._clock = clock

    def current(self, tenant: str | None, *, states: Sequence[str] = ("firing", "pending")) -> list[dict[str, Any]]:
        """What fires or is about to, worst first."""
        now_s = self._clock.now_s()
        silences = self._alerts.silences(None, now_s)
        found = sorted(self._alerts.alerts(tenant, states=states), key=lambda each: (-each.rank, each.since_s))
        return [self._shown(alert, tenant, silences, now_s) for alert in found]

    def history(
        self,
        tenant: str | None,
        *,
        since_s: float | None = None,
        until_s: float | None = None,
        rule: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[dict[str, Any]]:
        """Changes of alerts, latest first."""
        rows = self._alerts.history(
            tenant, since_s=since_s, until_s=until_s, rule=rule, limit=limit, before_id=before_id
        )
        kinds = {rule.name: rule.kind for rule in self._settings().rules}
        return [{**row, "at": shown_time(row.pop("at_s")), "kind": kinds.get(row["rule"])} for row in rows]

    def silences(self, tenant: str | None, *, also_past: bool = False) -> list[dict[str, Any]]:
        now_s = self._clock.now_s()
        return [show_silence(each, now_s) for each in self._alerts.silences(tenant, now_s, also_past=also_past)]

    def silence(
        self, tenant: str | None, matchers: Mapping[str, str], *, seconds: float, created_by: str, reason: str
    ) -> dict[str, Any]:
        """Announce matching alerts to nobody for so long; `InvalidRequest` for what would match by accident."""
        if not 0 < seconds <= _LONGEST_SILENCE_S:
            raise InvalidRequest(f"a silence lasts up to 366 days, not {seconds:g} s", param="seconds")
        if not 0 < len(matchers) <= _MOST_MATCHERS:
            raise InvalidRequest('name what is silenced, such as rule=slow; "rule=*" is everything', param="matchers")
        for name, pattern in matchers.items():
            for part in (name, pattern):
                if not 0 < len(part) <= _MOST_CHARS or not part.isprintable():
                    raise InvalidRequest(f"{part[:40]!r} matches no label", param="matchers")
        if not reason.strip():
            raise InvalidRequest("say why, for whoever wonders later", param="reason")
        now_s = self._clock.now_s()
        silence = Silence(
            id=secrets.token_hex(6),
            matchers=dict(matchers),
            starts_at_s=now_s,
            until_s=now_s + seconds,
            created_by=created_by[:200],
            reason=reason.strip()[:2000],
            created_at_s=now_s,
            tenant=tenant,
        )
        self._alerts.add_silence(silence)
        return show_silence(silence, now_s)

    def unsilence(self, tenant: str | None, silence_id: str) -> dict[str, Any]:
        """End a silence; `NotFound` for one that is over, or is not the caller's."""
        now_s = self._clock.now_s()
        ended = self._alerts.end_silence(silence_id, tenant, now_s)
        if ended is None:
            raise NotFound(f"there is no silence {silence_id[:40]!r} that holds")
        return show_silence(ended, now_s)

    def receivers(self, tenant: str | None) -> list[dict[str, Any]]:
        """Who is told, without addresses, and how that goes."""
        post = self._letters.post()
        return [
            {
                "name": each.name,
                "kind": each.kind,
                "tenant": each.tenant,
                **msgspec.structs.asdict(post.get(each.name, Post())),
            }
            for each in self._settings().receivers
            if tenant in (None, each.tenant)
        ]

    def test_letter(self, receiver: str) -> Letter:
        """What `llmops alerts test` sends: an alert that is none."""
        settings, now_s = self._settings(), self._clock.now_s()
        labels = {each.name: each.tenant for each in settings.receivers if each.name == receiver}
        tenant = {"tenant": labels[receiver]} if labels.get(receiver) else {}
        alert = Alert(
            fingerprint="0" * 32,
            rule="test",
            severity="info",
            labels={"receiver": receiver, **{name: value for name, value in tenant.items() if value}},
            state="firing",
            since_s=now_s,
        )
        notice = Notice(receiver=receiver, status="firing", alert=alert)
        letter = write_letter(
            secrets.token_hex(16), receiver, [notice], (), link=settings.link, now_s=now_s, is_test=True
        )
        words = "a test: this receiver can be reached"
        entries = [msgspec.structs.replace(entry, summary=words, text=words) for entry in letter.entries]
        return msgspec.structs.replace(letter, entries=entries)

    def _shown(self, alert: Alert, tenant: str | None, silences: Sequence[Silence], now_s: float) -> dict[str, Any]:
        rule = next((rule for rule in self._settings().rules if rule.name == alert.rule), None)
        own = {each.name: each.tenant for each in self._settings().receivers}
        return {
            "fingerprint": alert.fingerprint,
            "rule": alert.rule,
            "kind": rule.kind if rule is not None else None,
            "severity": alert.severity,
            "state": alert.state,
            "labels": alert.labels,
            "since": shown_time(alert.since_s),
            "value": alert.value,
            "threshold": alert.threshold,
            "summary": describe(alert, rule) if rule is not None else alert.detail,
            "announced_to": [name for name in alert.announced if tenant is None or own.get(name) == tenant],
            "silenced_by": [each.id for each in silences if each.holds_for(alert, tenant, now_s)],
        }


def show_silence(silence: Silence, now_s: float) -> dict[str, Any]:
    return {
        "id": silence.id,
        "tenant": silence.tenant,
        "matchers": silence.matchers,
        "from": shown_time(silence.starts_at_s),
        "until": shown_time(silence.until_s),
        "active": silence.is_active(now_s),
        "created_by": silence.created_by,
        "reason": silence.reason,
    }
