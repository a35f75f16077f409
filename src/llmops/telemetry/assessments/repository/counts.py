"""How many assessments of a name are good enough, by tenant: what an objective of quality counts."""

from typing import NamedTuple

from sqlalchemy import case, func, select

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
        columns = assessments.c
        good = func.sum(case((columns.value >= at_least, 1), else_=0))
        query = (
            select(columns.tenant, good, func.count())
            .where(
                columns.name == name,
                columns.value.is_not(None),
                columns.created_at_ms >= since_ms,
                columns.created_at_ms < until_ms,
            )
            .group_by(columns.tenant)
        )
        with self._database.read() as connection:
            return [Counted(tenant, int(enough), int(count)) for tenant, enough, count in connection.execute(query)]
