"""Storing spans: rows, texts, their traces and the spool's position in one transaction, each span once.

Rows are written in the order of their keys, so that two writers can wait for each other and never both do. How many
rows get to each engine at once is `batch_writers`' business.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from ....errors import StoreUnavailable
from ....store.database import Database
from ....store.tables import span_spools
from ..batch import Batch, Kept
from ..records import Stored, day_rows, trace_rows
from .batch_writers import BatchWriter, PostgresWriter, SqliteWriter
from .partitions import Partitions

SUBJECT = "traces"
_WAL_PAGES = 8000
"""A checkpoint writes each changed page once, so rarer ones write less; 32 MB of log at most."""
_CACHE_KIB = 64_000
_NAMES_AT_ONCE = 500


class Position(NamedTuple):
    """How far a file has been read, and what became of its spans until there."""

    name: str
    read_bytes: int
    stored: int
    known: int
    damaged: int


class Unstorable(Exception):
    """The database refuses the data itself: it will refuse it every time."""


class SpanRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._embedded = database.folder is not None
        self._write: BatchWriter = SqliteWriter() if self._embedded else PostgresWriter()
        self._partitions = Partitions(database)

    def positions(self, names: Sequence[str]) -> list[Position]:
        """How far these files of a spool have been read, and what became of the spans in them."""
        if not names or not self._database.exists:
            return []
        query = select(*[span_spools.c[name] for name in Position._fields])
        found: list[Position] = []
        with self._database.read() as connection:
            for begin in range(0, len(names), _NAMES_AT_ONCE):
                wanted = span_spools.c.name.in_(names[begin : begin + _NAMES_AT_ONCE])
                found += [Position(*row) for row in connection.execute(query.where(wanted))]
        return found

    def store(self, batch: Batch, now_s: float) -> Kept:
        """Store a batch, once; `Unstorable` where the database refuses something in it."""
        found = [batch.spans[key] for key in sorted(batch.spans)]
        days = {each.row.day for each in found}
        self._partitions.ensure(days)
        try:
            return self._store(batch, found, now_s)
        except Unstorable:
            if self._embedded:
                raise
        self._partitions.forget()  # another process may have dropped one, for its age
        self._partitions.ensure(days)
        return self._store(batch, found, now_s)

    def _store(self, batch: Batch, found: list[Stored], now_s: float) -> Kept:
        try:
            with self._database.write(SUBJECT) as connection:
                if self._embedded:
                    connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
                    connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KIB}")
                new = self._write.spans(connection, found) if found else []
                if new:
                    self._add(connection, new)
                kept = Kept(len(new), len(found) - len(new) + batch.again)
                self._move(connection, batch, kept, now_s)
        except IntegrityError as exc:
            raise Unstorable(str(exc.orig)) from exc
        except StoreUnavailable as exc:
            if _is_about_data(exc.__cause__):
                raise Unstorable(str(exc)) from exc
            raise
        return kept

    def settle(self) -> bool:
        """Have on the disk what is committed; whether it is. A server sees to that with each commit, SQLite does not:
        its log is written at once and brought to the disk with a checkpoint, for which a reader may be in the way."""
        if not self._embedded:
            return True
        connection = self._database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            cursor.close()
        except sqlite3.Error as exc:
            raise StoreUnavailable(f"the database {self._database.shown_url} does not work: {exc}") from exc
        finally:
            connection.close()
        return not busy

    def forget_spools(self, names: Sequence[str], before_s: float | None = None) -> None:
        """Drop the positions of files that are gone, and those that nobody has moved since ``before_s``."""
        with self._database.write(SUBJECT) as connection:
            for name in names:
                connection.execute(span_spools.delete().where(span_spools.c.name == name))
            if before_s is not None:
                connection.execute(span_spools.delete().where(span_spools.c.updated_at_s < before_s))

    def _add(self, connection: Connection, new: list[Stored]) -> None:
        rows = [each.row for each in new]
        texts = [each.text for each in new if each.text is not None]
        if texts:
            self._write.texts(connection, texts)
        self._write.traces(connection, trace_rows(rows))
        self._write.days(connection, day_rows(rows, texts))

    def _move(self, connection: Connection, batch: Batch, kept: Kept, now_s: float) -> None:
        adding = _insert_for(self._embedded)(span_spools).values(
            name=batch.spool,
            read_bytes=batch.end,
            stored=kept.stored,
            known=kept.known,
            damaged=batch.damaged,
            updated_at_s=now_s,
        )
        connection.execute(
            adding.on_conflict_do_update(
                index_elements=["name"],
                set_={
                    "read_bytes": adding.excluded.read_bytes,
                    "updated_at_s": adding.excluded.updated_at_s,
                    **{name: span_spools.c[name] + adding.excluded[name] for name in ("stored", "known", "damaged")},
                },
            )
        )


def _insert_for(embedded: bool) -> Any:
    return sqlite.insert if embedded else postgresql.insert


def _is_about_data(cause: BaseException | None) -> bool:
    """Whether an error is the data's, also where the driver did not file it under data."""
    return isinstance(cause, DataError) or (
        isinstance(cause, DBAPIError) and isinstance(cause.orig, (OverflowError, UnicodeError))
    )
