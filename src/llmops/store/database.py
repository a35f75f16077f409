"""The database engine: SQLite in WAL mode by default, PostgreSQL by URL, one meaning for both.

The hot path never waits on it: what calls need is kept in memory and refreshed when a version counter moves. Blocking
by nature, so it is used from threads. A file is not created before the first write asks for it (`ensure`), and one that
vanishes under a running process is not made anew: that would turn a lost database into an empty one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, ScalarSelect, create_engine, event, select, update
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from ..errors import ConfigError, StoreUnavailable
from ..settings import masked_url
from .migrate import MigrationError, upgrade
from .tables import versions

_BUSY_MS = 5000
_CACHE_KIB = 16_000
"""Pages that a connection to a file may keep: with SQLite's own 2 MB a batch of calls is written to disk in parts, and
its indexes are read again. Taken as it is used."""
_CONNECT_S = 5
_SILENCE_MS = 10_000
"""How long a server that has gone away without a word is waited for."""


class Database:
    """One engine and its migrations. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        embedded = parsed.drivername == "sqlite"
        self._file = Path(parsed.database) if embedded and parsed.database else None
        self.shown_url = masked_url(url)
        waits = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": _SILENCE_MS}
        self._engine = create_engine(
            parsed,
            pool_pre_ping=not embedded,
            pool_use_lifo=True,  # the same few connections: each keeps pages of its own
            hide_parameters=True,
            connect_args={} if embedded else {name: wait for name, wait in waits.items() if name not in parsed.query},
        )
        if embedded:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._preparing = threading.Lock()
        self._prepared: tuple[int, int] | None = None
        """The file (device and inode) whose tables are known to be this version's."""

    @property
    def folder(self) -> Path | None:
        """Where an embedded database lies; None for a server."""
        return self._file.parent if self._file is not None else None

    @property
    def exists(self) -> bool:
        """Whether there may be something to read: an embedded database is a file, a server always may.

        `StoreUnavailable` when the file has been there and is no more.
        """
        found = self._identity()
        if found is None and self._prepared is not None:
            raise StoreUnavailable(
                f"the file of the database {self.shown_url} is gone; restore it, or stop the gateway to begin anew"
            )
        return found is not None

    def ensure(self) -> None:
        """Create the database where it is a file, and bring its tables to this version's state."""
        with self._preparing:
            if self.exists and self._identity() == self._prepared:
                return
            self._engine.dispose()  # connections to a file that another has taken the place of
            with _translated(self.shown_url):
                if self._file is not None:
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                upgrade(self._engine)
            self._prepared = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        if self._file is None:
            return 0, 0
        with _translated(self.shown_url):
            try:
                found = self._file.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_dev, found.st_ino

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries; `StoreUnavailable` when the database does not answer."""
        self.ensure()
        with _translated(self.shown_url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, subject: str) -> Iterator[Connection]:
        """A transaction that also moves the version counter of ``subject``, so that caches notice.

        The counter moves first: its row is locked until the end, so versions become visible in the order of their
        numbers, and whoever has seen one has missed none before it. Rows are stamped with it through `version_of`.
        """
        self.ensure()
        with _translated(self.shown_url), self._engine.begin() as connection:
            connection.execute(
                update(versions).where(versions.c.subject == subject).values(version=versions.c.version + 1)
            )
            yield connection

    def version(self, subject: str) -> int:
        """A number that moves with every write of ``subject``; 0 for a database that does not exist yet.

        It begins at random, so that another database in this one's place is not taken for the same.
        """
        if not self.exists:
            return 0
        with self.read() as connection:
            found = connection.execute(select(versions.c.version).where(versions.c.subject == subject)).scalar()
        return int(found or 0)

    @staticmethod
    def version_of(subject: str) -> ScalarSelect[int]:
        """The counter of ``subject`` as a value within a query."""
        return select(versions.c.version).where(versions.c.subject == subject).scalar_subquery()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        return self._engine


def _parse(url: str) -> URL:
    """The address for the drivers that we ship; `ConfigError`, without a password in it, for what cannot be one."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:
        raise ConfigError(
            ["database.url: is not a database URL; write sqlite:///runs/llmops.db or postgresql://user@host/name"]
        ) from exc
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ConfigError([f"database.url: {backend!r}: must be sqlite or postgresql"])
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.database in (None, "", ":memory:"):
        raise ConfigError([f"database.url: {url!r}: names no file; write sqlite:///runs/llmops.db"])
    return parsed.set(drivername="sqlite")


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise  # about the data, not the database: the domain knows what it means
    except (SQLAlchemyError, MigrationError, OSError) as exc:
        cause = exc.__cause__ if isinstance(exc, SQLAlchemyError) and exc.__cause__ else exc
        said = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise StoreUnavailable(f"the database {url} does not work: {said}") from exc


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own idea of transactions leaves table changes out
    cursor = connection.cursor()
    pragmas = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL")
    for pragma in (*pragmas, f"busy_timeout={_BUSY_MS}", f"cache_size=-{_CACHE_KIB}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
