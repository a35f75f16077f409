"""Captured text, to be searched by its words: that of spans, and of calls whose capture is on.

PostgreSQL's index is up to date with each row. SQLite's costs more than everything else about a span, so it follows
behind: rows are stored at once, and indexed when there is nothing to store. `unindexed` says how far behind it is.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Text, bindparam, func, select, text

from ....store.database import Database
from ....store.tables import span_texts

_SUBJECT = "traces"
_WORD = re.compile(r"\w+")
_MAX_WORDS = 20
_INDEX = text(
    "INSERT INTO span_texts_fts (rowid, text, tenant) SELECT id, text, tenant FROM span_texts "
    "WHERE id > :after AND id <= :up_to"
)
_UNINDEX = text(
    "INSERT INTO span_texts_fts (span_texts_fts, rowid, text, tenant) SELECT 'delete', id, text, tenant "
    "FROM span_texts WHERE id IN (SELECT value FROM json_each(:ids)) "
    "AND id <= (SELECT up_to_id FROM span_texts_indexed)"
)
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
            next_ids = select(span_texts.c.id).where(span_texts.c.id > after).order_by(span_texts.c.id).limit(limit)
            ids = connection.execute(next_ids).scalars().all()
            if not ids:
                return 0
            connection.execute(_INDEX, {"after": after, "up_to": ids[-1]})
            connection.execute(text("UPDATE span_texts_indexed SET up_to_id = :up_to"), {"up_to": ids[-1]})
            return len(ids)

    def remove(self, connection: Connection, ids: Sequence[int]) -> None:
        """Remove texts, also from the index, within the transaction of whoever removes more than them."""
        if not ids:
            return
        document = "[" + ",".join(map(str, ids)) + "]"
        if self._embedded:
            connection.execute(_UNINDEX, {"ids": document})
        connection.execute(span_texts.delete().where(span_texts.c.id.in_(ids)))

    def search(self, words: str, *, tenant: str | None, limit: int, before_id: int | None = None) -> list[Found]:
        """The newest texts in which all of these words are; None asks for all tenants' texts."""
        wanted = _WORD.findall(words)[:_MAX_WORDS]
        if not wanted or not self._database.exists:
            return []
        before = _LAST_ID if before_id is None else before_id
        if self._embedded:
            return self._search_sqlite(wanted, tenant, limit, before)
        query = (
            select(span_texts.c.id, span_texts.c.trace_id, span_texts.c.span_id)
            .where(
                func.to_tsvector(text("'simple'"), span_texts.c.text).op("@@")(
                    func.plainto_tsquery(text("'simple'"), bindparam("words", type_=Text()))
                ),
                span_texts.c.id < before,
            )
            .order_by(span_texts.c.id.desc())
            .limit(limit)
        )
        if tenant is not None:
            query = query.where(span_texts.c.tenant == tenant)
        with self._database.read() as connection:
            return [Found(*row) for row in connection.execute(query, {"words": " ".join(wanted)})]

    def _search_sqlite(self, wanted: Sequence[str], tenant: str | None, limit: int, before: int) -> list[Found]:
        # The tenant's own words narrow the search down; whose a text is decides the comparison that follows.
        narrowed = " ".join(f'text:"{word}"' for word in wanted)
        owner = _WORD.findall(tenant or "")
        if owner:
            narrowed += "".join(f' tenant:"{word}"' for part in owner for word in part.split("_") if word)
        with self._database.read() as connection:
            rows = connection.execute(
                _SEARCH, {"words": narrowed, "before": before, "tenant": tenant, "limit": limit}
            ).all()
        return [Found(*row) for row in rows]

    @staticmethod
    def _indexed_up_to(connection: Connection) -> int:
        return int(connection.execute(text("SELECT up_to_id FROM span_texts_indexed")).scalar_one())
