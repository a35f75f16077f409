"""Storing spans: rows, texts, their traces and the spool's position in one transaction, each span once.

Nearly always all spans of a batch are new, so they are inserted as if they were, and only where some were not it is
done again with care. As with calls, PostgreSQL gets a batch as one JSON document and SQLite one prepared statement with
many rows. Rows are written in the order of their keys, so that two writers can wait for each other and never both do.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import (
    JSON,
    Connection,
    LargeBinary,
    Table,
    Text,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from ....errors import StoreUnavailable
from ....store.database import Database
from ....store.tables import span_days, span_spools, span_texts, spans, traces
from ..batch import Batch, Kept, key_of
from ..records import DayRow, SpanRow, Stored, TextRow, TraceRow, day_rows, trace_rows
from .partitions import Partitions

SUBJECT = "traces"
_TEXT_COLUMNS = TextRow._fields
_FIRST_KNOWN = ("service", "session", "user", "release_id")
_SUMS = ("spans", "errors", "input_tokens", "output_tokens", "cost_nanousd")
_WAL_PAGES = 8000
"""A checkpoint writes each changed page once, so rarer ones write less; 32 MB of log at most."""
_CACHE_KIB = 64_000
_NAMES_AT_ONCE = 500
_encode = msgspec.json.Encoder().encode


class Position(NamedTuple):
    """How far a file has been read, and what became of its spans until there."""

    name: str
    read_bytes: int
    stored: int
    known: int
    damaged: int


class Unstorable(Exception):
    """The database refuses the data itself: it will refuse it every time."""


class _Writer(Protocol):
    def spans(self, connection: Connection, found: list[Stored]) -> list[Stored]: ...
    def texts(self, connection: Connection, rows: list[TextRow]) -> None: ...
    def traces(self, connection: Connection, rows: list[TraceRow]) -> None: ...
    def days(self, connection: Connection, rows: list[DayRow]) -> None: ...


class SpanRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._embedded = database.folder is not None
        self._write: _Writer = _SqliteWriter() if self._embedded else _PostgresWriter()
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

    def add_texts(self, rows: Sequence[TextRow]) -> None:
        """Store texts that are not of spans; they go with their day, as spans do."""
        with self._database.write(SUBJECT) as connection:
            self._write.texts(connection, list(rows))
            self._write.days(connection, day_rows([], list(rows)))

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


class _SqliteWriter:
    """Its statements are compiled once, and rows handed to the driver as it takes them quickest: plain tuples, no
    ``bytes``, and ``''`` for None, which the statement takes back. That saves a third of the driver's time."""

    def __init__(self) -> None:
        dialect = sqlite.dialect(paramstyle="qmark")
        given = {
            each.name: func.nullif(bindparam(each.name), literal_column("''"))
            for each in spans.columns
            if each.nullable
        }
        adding = sqlite.insert(spans).values({each.name: bindparam(each.name) for each in spans.columns} | given)
        self._spans = str(adding.on_conflict_do_nothing().compile(dialect=dialect))
        self._texts = str(insert(span_texts).compile(dialect=dialect, column_keys=list(_TEXT_COLUMNS)))
        self._traces = str(_upserted(sqlite.insert(traces), func.max, func.min).compile(dialect=dialect))
        self._days = str(_day_sums(sqlite.insert(span_days)).compile(dialect=dialect))
        keys = func.json_each(bindparam("keys", type_=Text())).table_valued("value")
        wanted = select(*[func.json_extract(keys.c.value, f"$[{place}]") for place in range(4)])
        key = (spans.c.trace_id, spans.c.span_id, spans.c.tenant, spans.c.day)
        joined = wanted.subquery()
        self._known = select(*key).join(
            joined,
            (key[0] == joined.c[0])
            & (key[1] == joined.c[1])
            & (key[2] == joined.c[2])
            & (sql_cast(key[3], Text()) == joined.c[3]),
        )

    def spans(self, connection: Connection, found: list[Stored]) -> list[Stored]:
        """Insert the spans that are not there; returns them. SQLite has one writer at a time, and this is it."""
        rows = [_quick(each.row) for each in found]
        attempt = connection.begin_nested()
        if connection.exec_driver_sql(self._spans, rows).rowcount == len(rows):
            attempt.commit()
            return found
        attempt.rollback()
        keys = _encode([key_of(each.row) for each in found]).decode()
        known = {(*row[:3], str(row[3])) for row in connection.execute(self._known, {"keys": keys})}
        new = [each for each in found if key_of(each.row) not in known]
        if new:
            connection.exec_driver_sql(self._spans, [_quick(each.row) for each in new])
        return new

    def texts(self, connection: Connection, rows: list[TextRow]) -> None:
        connection.exec_driver_sql(self._texts, [tuple(row) for row in rows])

    def traces(self, connection: Connection, rows: list[TraceRow]) -> None:
        connection.exec_driver_sql(self._traces, [tuple(row) for row in rows])

    def days(self, connection: Connection, rows: list[DayRow]) -> None:
        connection.exec_driver_sql(self._days, [(*row, False) for row in rows])


class _PostgresWriter:
    def __init__(self) -> None:
        adding = postgresql.insert(spans).from_select([each.name for each in spans.columns], _rows_of(spans))
        key = (spans.c.trace_id, spans.c.span_id, spans.c.tenant, spans.c.day)
        self._spans = adding.on_conflict_do_nothing().returning(*key)
        self._texts = postgresql.insert(span_texts).from_select(list(_TEXT_COLUMNS), _rows_of(span_texts, "id"))
        self._traces = _upserted(
            postgresql.insert(traces).from_select([each.name for each in traces.columns], _rows_of(traces)),
            func.greatest,
            func.least,
        )
        self._days = _day_sums(
            postgresql.insert(span_days).from_select([each.name for each in span_days.columns], _rows_of(span_days))
        )

    def spans(self, connection: Connection, found: list[Stored]) -> list[Stored]:
        rows = _document(SpanRow._fields, [each.row for each in found])
        stored = connection.execute(self._spans, {"rows": rows}).all()
        if len(stored) == len(found):
            return found
        keys = {(*row[:3], str(row[3])) for row in stored}
        return [each for each in found if key_of(each.row) in keys]

    def texts(self, connection: Connection, rows: list[TextRow]) -> None:
        connection.execute(self._texts, {"rows": _document(_TEXT_COLUMNS, rows)})

    def traces(self, connection: Connection, rows: list[TraceRow]) -> None:
        connection.execute(self._traces, {"rows": _document(TraceRow._fields, rows)})

    def days(self, connection: Connection, rows: list[DayRow]) -> None:
        named = [{**row._asdict(), "masked": False} for row in rows]
        connection.execute(self._days, {"rows": _encode(named).decode()})


def _quick(row: SpanRow) -> tuple[Any, ...]:
    *values, rest = ["" if value is None else value for value in row]
    return (*values, bytearray(rest))


def _document(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    return _encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _rows_of(table: Table, *without: str) -> Any:
    """``SELECT`` of the rows in the parameter ``rows``, a JSON list of objects, by PostgreSQL. Bytes come as base64."""
    wanted = [each for each in table.columns if each.name not in without]
    document = sql_cast(bindparam("rows", type_=Text()), JSON)
    columns = [column(each.name, Text() if isinstance(each.type, LargeBinary) else each.type) for each in wanted]
    rows = func.json_to_recordset(document).table_valued(*columns).render_derived(with_types=True)
    return select(
        *[
            func.decode(rows.c[each.name], literal_column("'base64'"))
            if isinstance(each.type, LargeBinary)
            else rows.c[each.name]
            for each in wanted
        ]
    )


def _upserted(adding: Any, greatest: Any, least: Any) -> Any:
    """What is known of a trace with what new spans say. The root names it, whenever it comes."""
    new = adding.excluded
    set_: dict[str, Any] = {name: traces.c[name] + new[name] for name in _SUMS}
    set_ |= {name: func.coalesce(traces.c[name], new[name]) for name in _FIRST_KNOWN}
    set_["name"] = func.coalesce(traces.c.name, new.name)
    set_["day"] = greatest(traces.c.day, new.day)
    set_["started_us"] = least(traces.c.started_us, new.started_us)
    set_["ended_us"] = greatest(traces.c.ended_us, new.ended_us)
    return adding.on_conflict_do_update(index_elements=["tenant", "trace_id"], set_=set_)


def _day_sums(adding: Any) -> Any:
    new = adding.excluded
    return adding.on_conflict_do_update(
        index_elements=["day"], set_={"spans": span_days.c.spans + new.spans, "bytes": span_days.c.bytes + new.bytes}
    )


def _insert_for(embedded: bool) -> Any:
    return sqlite.insert if embedded else postgresql.insert


def _is_about_data(cause: BaseException | None) -> bool:
    """Whether an error is the data's, also where the driver did not file it under data."""
    return isinstance(cause, DataError) or (
        isinstance(cause, DBAPIError) and isinstance(cause.orig, (OverflowError, UnicodeError))
    )
