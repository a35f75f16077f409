"""What gates decided, in the database: each decision whole, as JSON, beside what it is looked up by.

A record here is also how often a version of a dataset has decided, whether or not the dataset itself is stored.
"""

from typing import Any

import msgspec
from sqlalchemy import func, insert, select

from ...store.database import Database
from ...store.tables import eval_decisions
from .runs import SUBJECT


class DecisionRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer.

    Decisions come and go as plain JSON objects: the gate is built on this package, not the other way round.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, decision: dict[str, Any]) -> None:
        row = {
            name: decision[name] for name in ("id", "tenant", "gate", "verdict", "dataset", "dataset_version", "at_ms")
        }
        row["baseline_run"] = (decision.get("baseline") or {}).get("run_id")
        row["candidate_run"] = (decision.get("candidate") or {}).get("run_id")
        with self._database.write(SUBJECT) as connection:
            connection.execute(insert(eval_decisions).values(**row, decision=msgspec.json.encode(decision).decode()))

    def uses(self, tenant: str, dataset: str, version: str) -> int:
        """How many decisions this version has made."""
        if not self._database.exists:
            return 0
        columns = eval_decisions.c
        query = select(func.count()).where(
            columns.tenant == tenant, columns.dataset == dataset, columns.dataset_version == version
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def get(self, decision_id: str, tenant: str | None = None) -> dict[str, Any] | None:
        columns = eval_decisions.c
        query = select(columns.decision).where(columns.id == decision_id)
        if tenant is not None:
            query = query.where(columns.tenant == tenant)
        if not self._database.exists:
            return None
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return msgspec.json.decode(found, type=dict[str, Any]) if found is not None else None

    def find(self, *, tenant: str | None = None, gate: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """The newest first."""
        if not self._database.exists:
            return []
        columns = eval_decisions.c
        query = select(columns.decision).order_by(columns.at_ms.desc(), columns.id.desc()).limit(limit)
        for name, value in (("tenant", tenant), ("gate", gate)):
            if value is not None:
                query = query.where(columns[name] == value)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [msgspec.json.decode(row.decision, type=dict[str, Any]) for row in rows]
