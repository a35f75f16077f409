"""Promotions in the database: they are added and read, and never changed or removed."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Select, insert, select
from sqlalchemy.exc import IntegrityError

from ...errors import Conflict
from ...store.database import Database
from ...store.tables import eval_baselines
from ..baselines import Baseline
from .runs import SUBJECT

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Baseline).decode


class BaselineRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def promote(self, tenant: str, name: str, make: Callable[[int, str], Baseline]) -> Baseline:
        """Add the record that ``make`` builds from its number and the hash of the one before. `Conflict` where another
        one was promoted in the same moment."""
        last = self.current(tenant, name)
        record = make(last.number + 1 if last is not None else 1, last.hash if last is not None else "").sealed()
        row = {"tenant": tenant, "name": name, "number": record.number, "run_id": record.run_id, "at_ms": record.at_ms}
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(eval_baselines).values(**row, record=_encode(record).decode()))
        except IntegrityError as exc:
            raise Conflict(f"baseline {name!r}: another run was promoted in this moment; look at it first") from exc
        return record

    def current(self, tenant: str, name: str) -> Baseline | None:
        """The newest."""
        records = self.history(tenant, name)
        return records[-1] if records else None

    def history(self, tenant: str, name: str) -> list[Baseline]:
        """All promotions of a name, the oldest first."""
        columns = eval_baselines.c
        query = select(columns.record).where(columns.tenant == tenant, columns.name == name).order_by(columns.number)
        return self._records(query)

    def all_current(self, tenant: str | None = None) -> list[Baseline]:
        """The newest of each name."""
        columns = eval_baselines.c
        query = select(columns.record).order_by(columns.tenant, columns.name, columns.number)
        if tenant is not None:
            query = query.where(columns.tenant == tenant)
        return list({(each.tenant, each.name): each for each in self._records(query)}.values())

    def _records(self, query: Select[tuple[str]]) -> list[Baseline]:
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [_decode(row.record) for row in connection.execute(query)]
