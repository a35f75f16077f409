"""Captured texts of calls: stored with the calls themselves, in the transaction of whoever stores these.

They are looked after as those of spans are: indexed, masked and removed with their day.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Text, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite

from ....store.tables import span_days, span_texts
from ..records import TextRow, day_rows
from ..words import folded
from .batch_writers import vector


def add_call_texts(connection: Connection, rows: Sequence[TextRow]) -> None:
    """Add texts that are not there yet: the caller knows that their calls are new."""
    if not rows:
        return
    is_server = connection.dialect.name == "postgresql"
    adding_texts = insert(span_texts)
    if is_server:
        adding_texts = adding_texts.values(words=vector(bindparam("folded", type_=Text())))
    connection.execute(adding_texts, [_values(row, with_words=is_server) for row in rows])
    upsert = postgresql.insert if is_server else sqlite.insert
    for day in day_rows([], list(rows)):
        adding = upsert(span_days).values(day=_day(day.day), spans=0, bytes=day.bytes, masked=False)
        connection.execute(
            adding.on_conflict_do_update(
                index_elements=["day"], set_={"bytes": span_days.c.bytes + adding.excluded.bytes, "masked": False}
            )
        )


def _values(row: TextRow, *, with_words: bool) -> dict[str, Any]:
    words = {"folded": folded(row.text)} if with_words else {}
    return {**row._asdict(), "day": _day(row.day), **words}


def _day(text: str) -> date:
    return date.fromisoformat(text)
