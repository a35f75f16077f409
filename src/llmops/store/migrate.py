"""Bringing a database to this version's tables with Alembic; of two processes that start together, one does it.

A failed migration leaves the database as it was: both engines run the steps in one transaction. Within a process one
migration runs at a time, because Alembic's context is global.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine

_SCRIPTS = Path(__file__).with_name("migrations")
_POSTGRES_LOCK = 0x11A805
_one_at_a_time = threading.Lock()


class MigrationError(Exception):
    """The database's tables are not of a version that is known here."""


def upgrade(engine: Engine) -> None:
    """Run the missing migrations, if any; `MigrationError` for a database of a later version."""
    with _one_at_a_time, _alone(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _POSTGRES_LOCK})
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as exc:
            raise MigrationError(f"its tables are of a version that this one does not know ({exc})") from exc


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """SQLite has no advisory locks: a lock file beside the database serves instead."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        yield
        return
    with open(f"{engine.url.database}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
