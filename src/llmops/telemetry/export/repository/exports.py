"""How far each export has come and what became of everything before, in one row: both move together or not at all.

``place`` is the folder of the log that it is about: several gateways on one database have logs of their own.
"""

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ....store.database import Database
from ....store.tables import exports
from ..counts import Status

SUBJECT = "exports"


class Progress(msgspec.Struct, kw_only=True):
    """Positions by source, then by file."""

    positions: dict[str, dict[str, int]]
    status: Status


class ExportRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = postgresql.insert if database.folder is None else sqlite.insert

    def find(self, name: str, place: str) -> Progress | None:
        if not self._database.exists:
            return None
        query = select(exports.c.positions, exports.c.status).where(exports.c.name == name, exports.c.place == place)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        positions = msgspec.json.decode(row[0], type=dict[str, dict[str, int]])
        return Progress(positions=positions, status=msgspec.json.decode(row[1], type=Status))

    def save(self, place: str, progress: Progress, now_s: float) -> None:
        values = {
            "positions": msgspec.json.encode(progress.positions).decode(),
            "status": msgspec.json.encode(progress.status).decode(),
            "updated_at_s": now_s,
        }
        adding = self._insert(exports).values(name=progress.status.name, place=place, **values)
        with self._database.write(SUBJECT) as connection:
            connection.execute(adding.on_conflict_do_update(index_elements=["name", "place"], set_=values))

    def all(self) -> list[tuple[str, Status, float]]:
        """Place, status and when that was, of all exports there ever were."""
        if not self._database.exists:
            return []
        query = select(exports.c.place, exports.c.status, exports.c.updated_at_s).order_by(
            exports.c.name, exports.c.place
        )
        with self._database.read() as connection:
            return [
                (place, msgspec.json.decode(status, type=Status), at) for place, status, at in connection.execute(query)
            ]

    def forget(self, name: str) -> int:
        """Remove what is known of an export; the next one of that name begins anew."""
        with self._database.write(SUBJECT) as connection:
            return connection.execute(delete(exports).where(exports.c.name == name)).rowcount
