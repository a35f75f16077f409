"""The database engine: SQLite in WAL mode by default, PostgreSQL by URL, one meaning for both.

The hot path never waits on it: what calls need is kept in memory and refreshed when a version counter moves. Blocking
by nature, so it is used from threads. Nothing is created before the first write asks for it (`ensure`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, select, update
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from ..errors import ConfigError, StoreUnavailable
from .migrate import upgrade
from .tables import versions

_BUSY_MS = 5000


class Database:
    """One engine and its migrations. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as exc:
            raise ConfigError([f"database.url: {url!r}: is not a database URL, e.g. sqlite:///runs/llmops.db"]) from exc
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite":
            raise ConfigError([f"database.url: {parsed.get_backend_name()!r}: must be sqlite or postgresql"])
        self._file = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
        self.shown_url = parsed.render_as_string(hide_password=True)
        self._engine = create_engine(parsed, pool_pre_ping=self._file is None)
        if self._file is not None:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._ready = False

    @property
    def exists(self) -> bool:
        """Whether there may be something to read: an embedded database is a file, a server always may."""
        return self._file is None or self._file.exists()

    def ensure(self) -> None:
        """Create the database where it is a file, and bring its tables to this version's state."""
        if self._ready:
            return
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with _translated(self.shown_url):
            upgrade(self._engine)
        self._ready = True

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries; `StoreUnavailable` when the database does not answer."""
        self.ensure()
        with _translated(self.shown_url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, subject: str) -> Iterator[Connection]:
        """A transaction that also moves the version counter of ``subject``, so that caches notice."""
        self.ensure()
        with _translated(self.shown_url), self._engine.begin() as connection:
            yield connection
            connection.execute(
                update(versions).where(versions.c.subject == subject).values(version=versions.c.version + 1)
            )

    def version(self, subject: str) -> int:
        """How often ``subject`` has been written; 0 for a database that does not exist yet."""
        if not self.exists:
            return 0
        with self.read() as connection:
            found = connection.execute(select(versions.c.version).where(versions.c.subject == subject)).scalar()
        return int(found or 0)

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        return self._engine


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise  # about the data, not the database: the domain knows what it means
    except SQLAlchemyError as exc:
        cause = exc.__cause__ or exc
        raise StoreUnavailable(f"the database {url} does not work: {str(cause).splitlines()[0]}") from exc


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own idea of transactions leaves table changes out
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
