"""How many assessments of a name are good enough, by tenant: what an objective of quality counts."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, literal_column, select

from ....store.database import Database
from ....store.tables import assessments


class Counted(NamedTuple):
    """Of one tenant: assessments that are at least as high as asked for, and all."""

    tenant: str
    good: int
    all: int


class AssessmentCounts:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counted(self, name: str, at_least: float, since_ms: int, until_ms: int) -> list[Counted]:
        """Those made from one moment to another; labels and comments without a value do not count."""
        if not self._database.exists:
            return []
        query = _counted(at_least, assessments.c.tenant, _made(name, since_ms, until_ms))
        with self._database.read() as connection:
            return [Counted(tenant, int(enough), int(count)) for tenant, enough, count in connection.execute(query)]

    def counted_by_step(
        self, name: str, at_least: float, since_ms: int, until_ms: int, step_ms: int
    ) -> dict[int, list[Counted]]:
        """The same by steps, which begin at whole multiples of ``step_ms``."""
        found: dict[int, list[Counted]] = {}
        if not self._database.exists:
            return found
        # The length stands in the text: PostgreSQL would take two parameters for two different groups.
        begin = assessments.c.created_at_ms - assessments.c.created_at_ms % literal_column(str(int(step_ms)))
        query = _counted(at_least, assessments.c.tenant, _made(name, since_ms, until_ms), begin)
        with self._database.read() as connection:
            for tenant, enough, count, at_ms in connection.execute(query):
                found.setdefault(int(at_ms), []).append(Counted(tenant, int(enough), int(count)))
        return found


def _made(name: str, since_ms: int, until_ms: int) -> list[ColumnElement[bool]]:
    columns = assessments.c
    return [
        columns.name == name,
        columns.value.is_not(None),
        columns.created_at_ms >= since_ms,
        columns.created_at_ms < until_ms,
    ]


def _counted(
    at_least: float, tenant: ColumnElement[str], where: list[ColumnElement[bool]], *by: ColumnElement[int]
) -> Select[Any]:
    good = func.sum(case((assessments.c.value >= at_least, 1), else_=0))
    columns: list[ColumnElement[Any]] = [tenant, good, func.count(), *by]
    return select(*columns).where(*where).group_by(tenant, *by)
