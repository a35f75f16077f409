"""How far minutes are summed up into hours and days, and since when minutes, hours and calls are kept.

Hours and days hold exactly the calls before ``folded``, minutes those of all times. All who write move the version
counter of the subject ``usage`` first, which is locked until they are done, so that nobody writes by an old mark.
"""

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from ....store.tables import rollup_marks


class Marks(msgspec.Struct, frozen=True):
    """Seconds since the epoch. ``minutes`` is the begin of an hour, ``hours`` and ``calls`` are that of a day."""

    folded: int = 0
    minutes: int = 0
    hours: int = 0
    calls: int = 0


def read_marks(connection: Connection) -> Marks:
    return Marks(**{name: at_s for name, at_s in connection.execute(select(rollup_marks.c.name, rollup_marks.c.at_s))})


def set_mark(connection: Connection, name: str, at_s: int) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    marking = insert(rollup_marks).values(name=name, at_s=at_s)
    connection.execute(
        marking.on_conflict_do_update(index_elements=[rollup_marks.c.name], set_={"at_s": marking.excluded.at_s})
    )
