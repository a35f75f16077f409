"""Bringing a database to this version's tables with Alembic; of two processes that start together, one does it.

A failed migration leaves the database as it was: both engines run the steps in one transaction. Within a process one
migration runs at a time, because Alembic's context is global. A database that is up to date is known by the number in
it, and Alembic, which is slow to load, is not asked.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).with_name("migrations")
_POSTGRES_LOCK = 0x11A805
_one_at_a_time = threading.Lock()


class MigrationError(Exception):
    """The database's tables are not of a version that is known here."""


def upgrade(engine: Engine) -> None:
    """Run the missing migrations, if any; `MigrationError` for a database of a later version."""
    if _is_current(engine):
        return
    from alembic import command
    from alembic.util import CommandError

    with _one_at_a_time, _alone(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _POSTGRES_LOCK})
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as exc:
            raise MigrationError(f"its tables are of a version that this one does not know ({exc})") from exc


def _is_current(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and engine.url.database and not Path(engine.url.database).exists():
        return False
    try:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except ProgrammingError:
        return False  # no such table
    except OperationalError:
        if engine.dialect.name == "sqlite":
            return False  # the same, in its words; what else may be wrong the migration says
        raise
    return list(found) == [_newest()]


@cache
def _newest() -> str:
    """Migrations are one line of numbers, with which their files' names begin."""
    return max(path.name.partition("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*_*.py"))


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

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
