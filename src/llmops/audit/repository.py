"""The audit trail in the database. Rows are added and read; nothing here changes or removes one."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import insert, select

from ..store.database import Database
from ..store.tables import audit
from .entry import Actor, Entry, cut

SUBJECT = "audit"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to find; None: any. ``action`` may end in ``.*`` (all about keys: ``key.*``). Times: the end excluded."""

    tenant: str | None = None
    action: str | None = None
    object: str | None = None
    key_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class AuditRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entries: Sequence[Entry]) -> None:
        """All of them, or none."""
        with self._database.write(SUBJECT) as connection:
            connection.execute(insert(audit), [_row(each) for each in entries])

    def find(self, wanted: AuditFilter, limit: int, before_id: int | None = None) -> list[Entry]:
        """The latest first; ``before_id`` is the last one of the page before."""
        if not self._database.exists:
            return []
        columns, query = audit.c, select(audit)
        for name in ("tenant", "object", "key_id"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(columns[name] == cut(value))
        if wanted.action is not None:
            action = cut(wanted.action)
            about = action.removesuffix("*")
            is_group = action.endswith(".*")
            query = query.where(
                columns.action.startswith(about, autoescape=True) if is_group else columns.action == action
            )
        if wanted.since_ms is not None:
            query = query.where(columns.at_ms >= wanted.since_ms)
        if wanted.until_ms is not None:
            query = query.where(columns.at_ms < wanted.until_ms)
        if before_id is not None:
            query = query.where(columns.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.id.desc()).limit(limit)).mappings().all()
        return [_entry(row) for row in rows]


def _row(entry: Entry) -> dict[str, Any]:
    actor = entry.actor
    return {
        "at_ms": entry.at_ms,
        "tenant": entry.tenant,
        "key_id": actor.key_id,
        "actor": actor.name,
        "role": actor.role,
        "actor_tenant": actor.tenant,
        "action": entry.action,
        "object": entry.object,
        "before": _json(entry.before),
        "after": _json(entry.after),
        "reason": entry.reason,
    }


def _entry(row: Any) -> Entry:
    return Entry(
        id=row["id"],
        at_ms=row["at_ms"],
        tenant=row["tenant"],
        actor=Actor(row["actor"], row["role"], row["actor_tenant"], row["key_id"]),
        action=row["action"],
        object=row["object"],
        before=_decode(row["before"]) if row["before"] is not None else None,
        after=_decode(row["after"]) if row["after"] is not None else None,
        reason=row["reason"],
    )


def _json(values: Any) -> str | None:
    return None if values is None else msgspec.json.encode(values).decode()
