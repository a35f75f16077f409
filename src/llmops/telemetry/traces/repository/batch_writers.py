"""How each engine takes many rows at once: the fastest way of each, and neither builds SQL from values.

Nearly always all spans of a batch are new, so they are inserted as if they were, and only where some were not it is
done again with care. As with calls, PostgreSQL gets a batch as one JSON document and SQLite one prepared statement with
many rows.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    JSON,
    ColumnElement,
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

from ....store.tables import span_days, span_texts, spans, traces
from ..batch import key_of
from ..records import DayRow, SpanRow, Stored, TextRow, TraceRow
from ..words import folded

_TEXT_COLUMNS = TextRow._fields
_FIRST_KNOWN = ("service", "session", "user", "release_id")
_SUMS = ("spans", "errors", "input_tokens", "output_tokens", "cost_nanousd")
_encode = msgspec.json.Encoder().encode


class BatchWriter(Protocol):
    """``spans`` returns those that were new."""

    def spans(self, connection: Connection, found: list[Stored]) -> list[Stored]: ...
    def texts(self, connection: Connection, rows: list[TextRow]) -> None: ...
    def traces(self, connection: Connection, rows: list[TraceRow]) -> None: ...
    def days(self, connection: Connection, rows: list[DayRow]) -> None: ...


class SqliteWriter:
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


class PostgresWriter:
    def __init__(self) -> None:
        adding = postgresql.insert(spans).from_select([each.name for each in spans.columns], _rows_of(spans))
        key = (spans.c.trace_id, spans.c.span_id, spans.c.tenant, spans.c.day)
        self._spans = adding.on_conflict_do_nothing().returning(*key)
        self._texts = postgresql.insert(span_texts).from_select([*_TEXT_COLUMNS, "words"], _text_rows())
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
        named = [{**row._asdict(), "folded": folded(row.text)} for row in rows]
        connection.execute(self._texts, {"rows": _encode(named).decode()})

    def traces(self, connection: Connection, rows: list[TraceRow]) -> None:
        connection.execute(self._traces, {"rows": _document(TraceRow._fields, rows)})

    def days(self, connection: Connection, rows: list[DayRow]) -> None:
        named = [{**row._asdict(), "masked": False} for row in rows]
        connection.execute(self._days, {"rows": _encode(named).decode()})


def _quick(row: SpanRow) -> tuple[Any, ...]:
    return (*["" if value is None else value for value in row[:-1]], bytearray(row.rest))


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


def vector(words: ColumnElement[str]) -> Any:
    """Words with spaces between them as PostgreSQL's index takes them: as they are, read by none of its parsers."""
    return func.array_to_tsvector(func.string_to_array(words, literal_column("' '")))


def _text_rows() -> Any:
    """``SELECT`` of the texts in the parameter ``rows``, with their words."""
    columns = [column(name, span_texts.c[name].type) for name in _TEXT_COLUMNS]
    document = sql_cast(bindparam("rows", type_=Text()), JSON)
    rows = func.json_to_recordset(document).table_valued(*columns, column("folded", Text()))
    rows = rows.render_derived(with_types=True)
    return select(*[rows.c[name] for name in _TEXT_COLUMNS], vector(rows.c.folded))


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
