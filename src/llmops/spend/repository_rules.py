"""Limits and budgets in the database; the only queries there are about them.

Every write moves the version counter ``rules``, which running gateways poll. There are few rules, so whoever notices
reads them all. Methods block: call them from a thread.
"""

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from ..errors import Conflict, NotFound
from ..store.database import Database
from ..store.tables import spend_rules
from .stored_rule import Kind, StoredRule

SUBJECT = "rules"
_RULE = select(
    spend_rules.c.id, spend_rules.c.kind, spend_rules.c.tenant, spend_rules.c.settings, spend_rules.c.created_at_s
).order_by(spend_rules.c.created_at_s, spend_rules.c.id)


@dataclass(frozen=True)
class Room:
    """How many rules there may be: each new kind of caller is compared with all of them, while it waits."""

    of_all: int = 2000
    of_a_tenant: int = 50


_ROOM = Room()


class RuleRepository:
    def __init__(self, database: Database, room: Room = _ROOM) -> None:
        self._database = database
        self._room = room

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def rules(self) -> list[StoredRule]:
        """All rules, oldest first."""
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [StoredRule(**row) for row in connection.execute(_RULE).mappings()]

    def rule(self, kind: Kind, rule_id: str) -> StoredRule:
        """One rule; `NotFound` where there is none."""
        if self._database.exists:
            with self._database.read() as connection:
                query = _RULE.where(spend_rules.c.kind == kind, spend_rules.c.id == rule_id)
                for row in connection.execute(query).mappings():
                    return StoredRule(**row)
        raise missing(kind, rule_id)

    def add(self, rule: StoredRule) -> None:
        """`Conflict` when there are too many already."""
        counted = select(func.count()).select_from(spend_rules)
        with self._database.write(SUBJECT) as connection:  # one at a time, so that the count holds
            if connection.execute(counted).scalar_one() >= self._room.of_all:
                raise Conflict(f"there are {self._room.of_all} limits and budgets, which is the most; remove some")
            if rule.tenant is not None:
                owned = connection.execute(counted.where(spend_rules.c.tenant == rule.tenant)).scalar_one()
                if owned >= self._room.of_a_tenant:
                    raise Conflict(
                        f"the tenant {rule.tenant!r} has {owned} limits and budgets of its own, which is the most; "
                        "remove some"
                    )
            connection.execute(
                insert(spend_rules).values(
                    id=rule.id,
                    kind=rule.kind,
                    tenant=rule.tenant,
                    settings=rule.settings,
                    created_at_s=rule.created_at_s,
                )
            )

    def remove(self, kind: Kind, rule_id: str) -> None:
        """`NotFound` where there is none, or none any more."""
        with self._database.write(SUBJECT) as connection:
            gone = connection.execute(
                delete(spend_rules).where(spend_rules.c.kind == kind, spend_rules.c.id == rule_id)
            )
            if gone.rowcount == 0:
                raise missing(kind, rule_id)


def missing(kind: Kind, rule_id: str) -> NotFound:
    return NotFound(
        f"there is no {kind} {rule_id[:100]!r} in the database; those of the configuration are changed in its file"
    )
