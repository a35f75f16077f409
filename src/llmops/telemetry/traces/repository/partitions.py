"""PostgreSQL's partitions of `spans`, one a day: made before the first span of the day, dropped with its last.

SQLite has none, and then nothing is done. Of two writers that make the same partition, one finds it there.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import text

from ....errors import StoreUnavailable
from ....store.database import Database

_ATTEMPTS = 3


class Partitions:
    """Remembers which days have one, and is wrong about it only until `forget`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._present: set[str] = set()

    def ensure(self, days: Iterable[str]) -> None:
        """Make the partitions of these days that are not there."""
        if self._database.folder is not None:
            return
        for day in sorted(set(days) - self._present):
            self._make(day)
            self._present.add(day)

    def drop(self, day: str) -> None:
        """Drop a day with everything in it, which takes no longer for a billion spans."""
        self._present.discard(day)
        with self._database.write("traces") as connection:
            connection.execute(text(f"DROP TABLE IF EXISTS {_name(day)}"))

    def forget(self) -> None:
        """Somebody else may have dropped one."""
        self._present.clear()

    def _make(self, day: str) -> None:
        following = date.fromisoformat(day) + timedelta(days=1)
        statement = text(
            f"CREATE TABLE IF NOT EXISTS {_name(day)} PARTITION OF spans "
            f"FOR VALUES FROM ('{date.fromisoformat(day)}') TO ('{following}')"
        )
        for attempt in range(_ATTEMPTS):
            try:
                with self._database.write("traces") as connection:
                    connection.execute(statement)
            except StoreUnavailable:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return


def _name(day: str) -> str:
    """``date`` refuses what is none, so nothing else gets into the statement."""
    return f"spans_{date.fromisoformat(day):%Y%m%d}"
