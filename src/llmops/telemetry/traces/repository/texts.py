"""Captured text, to be searched by its words: that of spans, and of calls whose capture is on.

Words are those of `words_of`, on both engines. PostgreSQL has them with each row. SQLite's index costs more than
everything else about a span, so it follows behind: rows are stored at once, and indexed when there is nothing to store.
`unindexed` says how far behind it is. That index holds words only, and what is to be taken out has to be told again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, bindparam, func, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import TSQUERY

from ....store.database import Database
from ....store.tables import span_texts
from ..words import folded, words_of

_SUBJECT = "traces"
_MAX_WORDS = 20
_INDEX = "INSERT INTO span_texts_fts (rowid, text, tenant) VALUES (?, ?, ?)"
_UNINDEX = "INSERT INTO span_texts_fts (span_texts_fts, rowid, text, tenant) VALUES ('delete', ?, ?, ?)"
_INDEXED = (span_texts.c.id, span_texts.c.text, span_texts.c.tenant)
_SEARCH = text(
    "SELECT t.id, t.trace_id, t.span_id FROM span_texts_fts f JOIN span_texts t ON t.id = f.rowid "
    "WHERE span_texts_fts MATCH :words AND f.rowid < :before AND t.tenant = coalesce(:tenant, t.tenant) "
    "ORDER BY f.rowid DESC LIMIT :limit"
)
_LAST_ID = 2**62


class Found(NamedTuple):
    id: int
    trace_id: str
    span_id: str


class TextIndex:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._embedded = database.folder is not None

    @property
    def unindexed(self) -> int:
        """How many texts cannot be found yet."""
        if not self._embedded or not self._database.exists:
            return 0
        with self._database.read() as connection:
            after = self._indexed_up_to(connection)
            return connection.execute(select(func.count()).where(span_texts.c.id > after)).scalar_one()

    def index_some(self, limit: int) -> int:
        """Index the next texts, so many at most; returns how many."""
        if not self._embedded or not self._database.exists:
            return 0
        with self._database.read() as connection:  # most of the time there is nothing to do, and no need for a lock
            after = self._indexed_up_to(connection)
            if connection.execute(select(span_texts.c.id).where(span_texts.c.id > after).limit(1)).first() is None:
                return 0
        with self._database.write(_SUBJECT) as connection:
            after = self._indexed_up_to(connection)
            query = select(*_INDEXED).where(span_texts.c.id > after).order_by(span_texts.c.id).limit(limit)
            rows = connection.execute(query).all()
            if not rows:
                return 0
            connection.exec_driver_sql(_INDEX, _as_indexed(rows))
            connection.execute(text("UPDATE span_texts_indexed SET up_to_id = :up_to"), {"up_to": rows[-1].id})
            return len(rows)

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        """Remove texts, also from the index, within the transaction of whoever removes more than them."""
        if not ids:
            return
        chosen = span_texts.c.id.in_(ids)
        if self._embedded:
            query = select(*_INDEXED).where(chosen, span_texts.c.id <= self._indexed_up_to(connection))
            if rows := connection.execute(query).all():
                connection.exec_driver_sql(_UNINDEX, _as_indexed(rows))
        connection.execute(span_texts.delete().where(chosen))

    def search(self, words: str, *, tenant: str | None, limit: int, before_id: int | None = None) -> list[Found]:
        """The newest texts in which all of these words are; None asks for all tenants' texts."""
        wanted = words_of(words)[:_MAX_WORDS]
        if not wanted or not self._database.exists:
            return []
        before = _LAST_ID if before_id is None else before_id
        if self._embedded:
            return self._search_sqlite(wanted, tenant, limit, before)
        asked = sql_cast(bindparam("words", type_=Text()), TSQUERY)
        query = (
            select(span_texts.c.id, span_texts.c.trace_id, span_texts.c.span_id)
            .where(span_texts.c.words.op("@@")(asked), span_texts.c.id < before)
            .order_by(span_texts.c.id.desc())
            .limit(limit)
        )
        if tenant is not None:
            query = query.where(span_texts.c.tenant == tenant)
        all_of = " & ".join(f"'{word}'" for word in wanted)  # letters and digits only
        with self._database.read() as connection:
            return [Found(*row) for row in connection.execute(query, {"words": all_of})]

    def _search_sqlite(self, wanted: Sequence[str], tenant: str | None, limit: int, before: int) -> list[Found]:
        # The tenant's own words narrow the search down; whose a text is decides the comparison that follows.
        narrowed = [f'text:"{word}"' for word in wanted] + [f'tenant:"{word}"' for word in words_of(tenant or "")]
        asked = {"words": " ".join(narrowed), "before": before, "tenant": tenant, "limit": limit}
        with self._database.read() as connection:
            rows = connection.execute(_SEARCH, asked).all()
        return [Found(*row) for row in rows]

    @staticmethod
    def _indexed_up_to(connection: Connection) -> int:
        return int(connection.execute(text("SELECT up_to_id FROM span_texts_indexed")).scalar_one())


def _as_indexed(rows: Sequence[Any]) -> list[tuple[int, str, str]]:
    return [(id_, folded(said), folded(tenant)) for id_, said, tenant in rows]
