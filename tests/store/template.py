"""New SQLite databases of this process begin as a copy of one that was migrated once.

Migrations take a tenth of a second for each database, and most tests have one of their own and are about something
else. A copy is what the migrations made, except that its version counters begin at random, as theirs do. Tests of the
store itself run the migrations (`tests/store/conftest.py`); so does every process that a test starts.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from llmops.store.database import Database


class Template:
    """``wanted`` is whether an empty file is filled as it is connected to."""

    wanted = True


@contextmanager
def copies_of_one(folder: Path) -> Iterator[Template]:
    """While this is open, empty files are filled."""
    switch = Template()
    made = Database(f"sqlite:///{folder / 'template.db'}")
    made.ensure()
    made.close()
    with closing(sqlite3.connect(folder / "template.db", check_same_thread=False)) as template:

        def fill(connection: Any, _record: Any) -> None:
            if not switch.wanted or not isinstance(connection, sqlite3.Connection):
                return
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                template.backup(connection)
                connection.execute("UPDATE versions SET version = 1 + abs(random() % 4611686018427387904)")
                connection.commit()

        event.listen(Engine, "connect", fill)
        try:
            yield switch
        finally:
            event.remove(Engine, "connect", fill)
