"""Storing calls: rows, their sums and the log's position in one transaction, each call once, whoever else stores it.

A batch reaches PostgreSQL as one JSON document that the server takes apart, and SQLite as one prepared statement with
many rows: the fastest way of each, and neither builds SQL from values. Both skip calls that are there already. Rows are
written in the order of their keys, so that two writers can wait for each other and never both do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Connection,
    Integer,
    Table,
    Text,
    bindparam,
    case,
    column,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from ....store.counted import COUNTED
from ....store.database import Database
from ....store.tables import calls, log_files, usage_days
from ....telemetry.rollups.repository.folding import FoldingRepository
from ....telemetry.rollups.repository.marks import read_marks
from ....telemetry.rollups.repository.writer import RollupWriter
from ....telemetry.rollups.rollup import CALL_FIELDS
from ....telemetry.traces.repository.call_texts import add_call_texts
from ..captured import text_rows
from ..log_follower import Chunk
from ..records import CallRow, UsageRow, group_id, summed_up

SUBJECT = "usage"
_IDS_AT_ONCE = 500
_CACHE_KIB = 16_000
_REBUILT_AT_ONCE = 20_000
_SUMS = tuple(UsageRow.__struct_fields__[7:])
_encode = msgspec.json.Encoder().encode


class Moved(Exception):
    """Somebody else has stored lines of this file: look up its position again."""


class CallRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer.
    ``keeps_texts`` is asked at each batch: whether captured texts are stored as well."""

    def __init__(self, database: Database, keeps_texts: Callable[[], bool] = lambda: True) -> None:
        self._database = database
        self._keeps_texts = keeps_texts
        self._embedded = database.folder is not None
        self._write = _SqliteWriter() if self._embedded else _PostgresWriter()
        self._rollups = RollupWriter(embedded=database.folder is not None)
        self._folding = FoldingRepository(database)

    def positions(self, file_ids: Sequence[int]) -> dict[int, int]:
        """How far these files of the log have been read, where they have been."""
        found: dict[int, int] = {}
        if not self._database.exists:
            return found
        with self._database.read() as connection:
            for begin in range(0, len(file_ids), _IDS_AT_ONCE):
                query = select(log_files.c.id, log_files.c.read_bytes)
                query = query.where(log_files.c.id.in_(file_ids[begin : begin + _IDS_AT_ONCE]))
                found.update({file_id: read for file_id, read in connection.execute(query)})
        return found

    def store(
        self, chunk: Chunk, rows: Sequence[CallRow], unreadable: int = 0, texts: Mapping[str, str] | None = None
    ) -> int:
        """Store a chunk's rows, the ``texts`` of new ones by request id, and that it has been read; returns how many
        were new. Raises `Moved`."""
        rows = sorted(rows, key=lambda row: row.request_id)
        with self._database.write(SUBJECT) as connection:
            if self._embedded:  # what a batch changes of the indexes has to fit
                connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KIB}")
            self._move(connection, chunk, len(rows), unreadable)
            if not rows:
                return 0
            new = self._write.calls(connection, rows)
            if sums := summed_up(new):
                self._write.usage(connection, sums)
            self._rollups.add(connection, new)
            if texts and self._keeps_texts():
                add_call_texts(connection, text_rows(texts, new))
        self._rollups.committed()
        return len(new)

    def replace(self, rows: Sequence[CallRow]) -> None:
        """Put these rows in the place of what is stored under their ids, if anything; `rebuild_usage` afterwards."""
        with self._database.write(SUBJECT) as connection:
            ids = [row.request_id for row in rows]
            for begin in range(0, len(ids), _IDS_AT_ONCE):
                connection.execute(delete(calls).where(calls.c.request_id.in_(ids[begin : begin + _IDS_AT_ONCE])))
            self._write.calls(connection, sorted(rows, key=lambda row: row.request_id))

    def rebuild_usage(self) -> int:
        """Make the sums by day, and the rollups, anew from the calls; returns how many calls the sums hold.

        The sums of days whose calls are no longer kept stay as they are.
        """
        with self._database.write(SUBJECT) as connection:
            if connection.dialect.name == "postgresql":  # SQLite's write transaction keeps everybody else out already
                connection.execute(text("LOCK TABLE calls, usage_days IN EXCLUSIVE MODE"))
            kept_from = day_of(read_marks(connection).calls)
            connection.execute(delete(usage_days).where(usage_days.c.day >= kept_from))
            counted = 0
            for sums in _summed_anew(connection, kept_from):
                self._write.usage(connection, sums)
                counted += sum(row.calls for row in sums)
            self._folding.rebuild(connection, _kept(connection, kept_from))
        return counted

    @staticmethod
    def _move(connection: Connection, chunk: Chunk, records: int, unreadable: int) -> None:
        part = chunk.part
        if chunk.known == 0:
            first = (
                _insert_for(connection)(log_files)
                .values(id=part.id, name=part.name[:256], read_bytes=chunk.end, records=records, unreadable=unreadable)
                .on_conflict_do_nothing()
                .returning(log_files.c.id)
            )
            if connection.execute(first).first() is not None:
                return
        moved = connection.execute(
            update(log_files)
            .where(log_files.c.id == part.id, log_files.c.read_bytes == chunk.known)
            .values(
                name=part.name[:256],
                read_bytes=chunk.end,
                records=log_files.c.records + records,
                unreadable=log_files.c.unreadable + unreadable,
            )
        )
        if moved.rowcount != 1:
            raise Moved


class _PostgresWriter:
    def __init__(self) -> None:
        self._calls: ReturningInsert[Any] = (
            postgresql.insert(calls)
            .from_select(list(CallRow.__struct_fields__), _rows_of(calls))
            .on_conflict_do_nothing()
            .returning(calls.c.request_id)
        )
        adding = postgresql.insert(usage_days).from_select(list(UsageRow.__struct_fields__), _rows_of(usage_days))
        self._usage = adding.on_conflict_do_update(
            index_elements=list(usage_days.primary_key),
            set_={name: usage_days.c[name] + adding.excluded[name] for name in _SUMS},
        )

    def calls(self, connection: Connection, rows: Sequence[CallRow]) -> Sequence[CallRow]:
        """Insert the rows; returns the new ones."""
        stored = connection.execute(self._calls, {"rows": _encode(rows).decode()}).scalars().all()
        return _only(rows, stored)

    def usage(self, connection: Connection, sums: Sequence[UsageRow]) -> None:
        connection.execute(self._usage, {"rows": _encode(sums).decode()})


class _SqliteWriter:
    """Its statements are compiled once, and rows handed to the driver as they are."""

    def __init__(self) -> None:
        dialect = sqlite.dialect(paramstyle="qmark")
        self._calls = str(insert(calls).compile(dialect=dialect))
        adding = sqlite.insert(usage_days)
        added = adding.on_conflict_do_update(
            index_elements=list(usage_days.primary_key),
            set_={name: usage_days.c[name] + adding.excluded[name] for name in _SUMS},
        )
        self._usage = str(added.compile(dialect=dialect))
        ids = func.json_each(bindparam("ids", type_=Text())).table_valued("value")
        self._known = select(calls.c.request_id).where(calls.c.request_id.in_(select(ids.c.value)))

    def calls(self, connection: Connection, rows: Sequence[CallRow]) -> Sequence[CallRow]:
        """Insert the rows that are not there; returns them. Nobody can insert between the look and the insertion: the
        transaction has written already, and SQLite has one writer at a time."""
        ids = _encode([row.request_id for row in rows]).decode()
        known = set(connection.execute(self._known, {"ids": ids}).scalars())
        new: dict[str, CallRow] = {}
        for row in rows:
            if row.request_id not in known:
                new.setdefault(row.request_id, row)
        if new:
            connection.exec_driver_sql(self._calls, [msgspec.structs.astuple(row) for row in new.values()])
        return list(new.values())

    def usage(self, connection: Connection, sums: Sequence[UsageRow]) -> None:
        connection.exec_driver_sql(self._usage, [msgspec.structs.astuple(row) for row in sums])


def _rows_of(table: Table) -> Any:
    """``SELECT`` of the rows in the parameter ``rows``, a JSON list of objects, by PostgreSQL."""
    document = sql_cast(bindparam("rows", type_=Text()), JSON)
    columns = [column(each.name, each.type) for each in table.columns]
    rows = func.json_to_recordset(document).table_valued(*columns).render_derived(with_types=True)
    return select(*[rows.c[each.name] for each in table.columns])


def _only(rows: Sequence[CallRow], stored: Sequence[str]) -> Sequence[CallRow]:
    """Of the rows those with these ids; of several with one id the first, which is the one that was inserted."""
    if len(stored) == len(rows):
        return rows
    wanted, found = set(stored), []
    for row in rows:
        if row.request_id in wanted:
            wanted.remove(row.request_id)
            found.append(row)
    return found


def _insert_for(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def day_of(at_s: int) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()


def _kept(connection: Connection, kept_from: date) -> Iterator[Sequence[Any]]:
    """All calls in the order of time."""
    query = select(*(calls.c[name] for name in CALL_FIELDS)).where(calls.c.day >= kept_from)
    query = query.order_by(calls.c.started_at_ms)
    yield from connection.execute(query, execution_options={"yield_per": _REBUILT_AT_ONCE}).partitions()


def _summed_anew(connection: Connection, kept_from: date) -> Iterator[list[UsageRow]]:
    groups = (calls.c.day, calls.c.tenant, calls.c.key_id, calls.c.user, calls.c.model, calls.c.tags)
    query = (
        select(
            *groups,
            func.count(case((COUNTED, 1))),
            func.count(case((COUNTED, calls.c.error_type))),
            func.count() - func.count(calls.c.cost_nanousd),
            *(func.sum(calls.c[name]) for name in _SUMS[3:8]),
            func.coalesce(func.sum(calls.c.cost_nanousd), 0),
            func.sum(sql_cast(calls.c.cached, Integer)),
            func.sum(calls.c.saved_nanousd),
        )
        .where(calls.c.tenant.is_not(None), calls.c.day >= kept_from)
        .group_by(*groups)
    )
    for rows in connection.execute(query, execution_options={"yield_per": 5000}).partitions():
        yield [
            UsageRow(str(day), tenant, group_id(key_id, user, model, tags), key_id, user, model, tags, *map(int, sums))
            for day, tenant, key_id, user, model, tags, *sums in rows
        ]
