"""How far gateways that lag have brought their calls into the database: evidence does not pass by what is to come.

Only who lags has a row, and renews it; one that is not renewed is of a process that is gone.
"""

from sqlalchemy import delete, func, insert, select

from ...store.database import Database
from ...store.tables import rollout_readings

SUBJECT = "rollout_evidence"
_STALE_MS = 30_000
_columns = rollout_readings.c


class Readings:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, process: str, now_ms: int, until_ms: int) -> None:
        """This process's calls that ended later than ``until_ms`` are still to come."""
        with self._database.write(SUBJECT) as connection:
            connection.execute(delete(rollout_readings).where(_columns.process == process))
            connection.execute(insert(rollout_readings).values(process=process, at_ms=now_ms, until_ms=until_ms))

    def forget(self, process: str) -> None:
        """It has caught up, or ends."""
        with self._database.write(SUBJECT) as connection:
            connection.execute(delete(rollout_readings).where(_columns.process == process))

    def least(self, now_ms: int) -> int | None:
        """Up to when the calls of all are here; None: nobody lags."""
        query = select(func.min(_columns.until_ms)).where(_columns.at_ms > now_ms - _STALE_MS)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else int(found)
