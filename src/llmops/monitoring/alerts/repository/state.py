"""Alerts, their history and silences in the database. Methods block: call them from a thread.

A round is one transaction (`round`): who holds the lease, what was known, what is known now, and the letters that
follow from it. So a round that dies has not happened, and of two processes that both think it is their turn the second
finds what the first has left.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import eq, ge, lt
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from ....store.database import Database
from ....store.tables import alert_events, alerts, leases, silences
from ..alert import Alert, AlertEvent
from ..silence import Silence
from .letters import forget_letters, keep_letters

SUBJECT = "alerts"
_LEASE = "alerts"
_decode = msgspec.json.Decoder(Alert).decode
_labels = msgspec.json.Decoder(dict[str, str]).decode


class Round:
    """What is known within the transaction of a round."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(self) -> dict[str, Alert]:
        rows = self._connection.execute(select(alerts.c.record)).scalars()
        return {alert.fingerprint: alert for alert in map(_decode, rows)}

    def silences(self, now_s: float) -> list[Silence]:
        query = select(silences).where(silences.c.until_s > now_s, silences.c.starts_at_s <= now_s)
        return [_silence(row) for row in self._connection.execute(query).mappings()]

    def keep(self, before: Mapping[str, Alert], now: Iterable[Alert], forgotten: Sequence[str]) -> None:
        for alert in now:
            if before.get(alert.fingerprint) == alert:
                continue
            values = {"state": alert.state, "record": msgspec.json.encode(alert).decode()}
            if alert.fingerprint in before:
                changed = update(alerts).where(alerts.c.fingerprint == alert.fingerprint)
                self._connection.execute(changed.values(**values))
            else:
                whose = {"fingerprint": alert.fingerprint, "rule": alert.rule, "tenant": alert.tenant}
                self._connection.execute(insert(alerts).values(**whose, **values))
        for each in forgotten:
            if each in before:
                self._connection.execute(delete(alerts).where(alerts.c.fingerprint == each))

    def note(self, events: Iterable[AlertEvent]) -> None:
        rows = [_event_row(event) for event in events]
        if rows:
            self._connection.execute(insert(alert_events), rows)

    def write_letters(self, letters: Mapping[str, tuple[str, str]], now_s: float, max_waiting: int) -> int:
        """Have letters (receiver and text by id) delivered; returns how many older ones were given up for them."""
        return keep_letters(self._connection, letters, now_s, max_waiting)


class AlertRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def exists(self) -> bool:
        return self._database.exists

    @contextmanager
    def round(self, holder: str, now_s: float, lease_s: float) -> Iterator[Round | None]:
        """A transaction for the one whose turn it is; None for all others."""
        with self._database.write(SUBJECT) as connection:
            yield Round(connection) if _take_lease(connection, holder, now_s, lease_s) else None

    def is_turn(self, holder: str, now_s: float) -> bool:
        """Whether nobody else holds the lease."""
        with self._database.read() as connection:
            row = connection.execute(select(leases).where(leases.c.name == _LEASE)).first()
        return row is None or bool(row.holder == holder or row.until_s <= now_s)

    def give_up_lease(self, holder: str) -> None:
        with self._database.write(SUBJECT) as connection:
            connection.execute(delete(leases).where(leases.c.name == _LEASE, leases.c.holder == holder))

    def alerts(self, tenant: str | None = None, *, states: Sequence[str] = ("firing", "pending")) -> list[Alert]:
        query = select(alerts.c.record).where(alerts.c.state.in_(states))
        if tenant is not None:
            query = query.where(alerts.c.tenant == tenant)
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [_decode(record) for record in connection.execute(query).scalars()]

    def history(
        self,
        tenant: str | None = None,
        *,
        since_s: float | None = None,
        until_s: float | None = None,
        rule: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[dict[str, Any]]:
        """Changes, latest first. ``before_id`` goes on where a page has ended."""
        columns = alert_events.c
        query = select(alert_events).order_by(columns.id.desc()).limit(limit)
        given: list[tuple[Any, Callable[[Any, Any], Any], Any]] = [
            (columns.tenant, eq, tenant),
            (columns.at_s, ge, since_s),
            (columns.at_s, lt, until_s),
            (columns.rule, eq, rule),
            (columns.id, lt, before_id),
        ]
        for column, compare, bound in given:
            if bound is not None:
                query = query.where(compare(column, bound))
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [{**row, "labels": _labels(row["labels"])} for row in rows]

    def forget(self, before_s: float) -> None:
        """Let go of history, silences and letters that ended before that."""
        with self._database.write(SUBJECT) as connection:
            connection.execute(delete(alert_events).where(alert_events.c.at_s < before_s))
            connection.execute(delete(silences).where(silences.c.until_s < before_s))
            forget_letters(connection, before_s)

    # --- silences ---

    def silences(self, tenant: str | None, now_s: float, *, also_past: bool = False) -> list[Silence]:
        """Those that hold or will, and those that are over; a tenant's own alone."""
        query = select(silences).order_by(silences.c.created_at_s.desc())
        if not also_past:
            query = query.where(silences.c.until_s > now_s)
        if tenant is not None:
            query = query.where(silences.c.tenant == tenant)
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [_silence(row) for row in connection.execute(query).mappings()]

    def add_silence(self, silence: Silence) -> None:
        values = msgspec.structs.asdict(silence) | {"matchers": msgspec.json.encode(silence.matchers).decode()}
        with self._database.write(SUBJECT) as connection:
            connection.execute(insert(silences).values(**values))

    def end_silence(self, silence_id: str, tenant: str | None, now_s: float) -> Silence | None:
        """End one that is not over; None where there is none, or where it is another tenant's."""
        mine = silences.c.id == silence_id
        if tenant is not None:
            mine = mine & (silences.c.tenant == tenant)
        if not self._database.exists:
            return None
        with self._database.write(SUBJECT) as connection:
            ended = update(silences).where(mine, silences.c.until_s > now_s).values(until_s=now_s)
            if not connection.execute(ended).rowcount:
                return None
            return _silence(connection.execute(select(silences).where(silences.c.id == silence_id)).mappings().one())


def _take_lease(connection: Connection, holder: str, now_s: float, lease_s: float) -> bool:
    row = connection.execute(select(leases).where(leases.c.name == _LEASE)).first()
    values = {"holder": holder, "until_s": now_s + lease_s}
    if row is None:
        connection.execute(insert(leases).values(name=_LEASE, **values))
        return True
    if row.holder != holder and row.until_s > now_s:
        return False
    connection.execute(update(leases).where(leases.c.name == _LEASE).values(**values))
    return True


def _event_row(event: AlertEvent) -> dict[str, Any]:
    alert = event.alert
    return {
        "at_s": event.at_s,
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "severity": alert.severity,
        "tenant": alert.tenant,
        "labels": msgspec.json.encode(alert.labels).decode(),
        "change": event.change,
        "value": alert.value,
        "threshold": alert.threshold,
        "detail": alert.detail,
    }


def _silence(row: Mapping[Any, Any]) -> Silence:
    return Silence(**{**row, "matchers": _labels(row["matchers"])})
