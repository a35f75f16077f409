"""Reading prompts: folders, versions a page at a time, labels and their moves, comments.

Lists are read along indexes and in pages, so that a page costs the same of ten prompts and of ten thousand.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from ...store.database import Database
from ...store.tables import prompt_comments, prompt_labels, prompt_moves, prompt_versions, prompts
from ..prompt import SHARED, Kind, Selector, Version
from .rows import known_row, labels_of, missing, number_of, prompt_row, version_of, versions_query

_tags = msgspec.json.Decoder(list[str]).decode
_MOST_FOLDERS = 1000
_BEHIND = "0"
"""The character after ``/``: names below a folder end before it."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt in a list."""

    name: str
    tenant: str
    is_shared: bool
    kind: Kind
    tags: list[str]
    versions: int
    labels: dict[str, int]
    updated_at_ms: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list: everything but what it says."""

    number: int
    digest: str
    author: str
    comment: str
    created_at_ms: int
    labels: list[str]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    number: int
    moved_at_ms: int
    moved_by: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """``before`` None: the label was new; ``number`` None: it was taken away."""

    label: str
    before: int | None
    number: int | None
    is_rollback: bool
    at_ms: int
    who: str
    reason: str


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    number: int
    at_ms: int
    author: str
    text: str


class PromptReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        return self._database

    def summaries(
        self, tenants: Sequence[str] | None, *, folder: str | None = None, search: str = "", after: str = "", limit: int
    ) -> list[Summary]:
        """Prompts of these tenants (None: of all) in the order of their names, of one folder alone unless that is None;
        ``after`` is a name, or with several tenants ``name@tenant``."""
        if not self._database.exists:
            return []
        columns, query = prompts.c, select(prompts).where(prompts.c.archived_at_ms.is_(None))
        if tenants is not None:
            query = query.where(columns.tenant.in_(list(tenants)))
        if folder is not None:
            query = query.where(columns.folder == folder)
        if search:
            query = query.where(columns.name.contains(search, autoescape=True))
        if after:
            name, _, tenant = after.partition("@")
            query = query.where(
                (columns.name > name) | ((columns.name == name) & (columns.tenant > tenant))
                if tenant
                else columns.name > name
            )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.name, columns.tenant).limit(limit)).all()
            labels = labels_of(connection, [row.id for row in rows])
        return [_summary(row, labels.get(row.id, {})) for row in rows]

    def folders(self, tenants: Sequence[str] | None, folder: str = "") -> list[str]:
        """The folders directly in one, as whole paths."""
        if not self._database.exists:
            return []
        columns = prompts.c
        query = select(columns.folder).distinct().where(columns.archived_at_ms.is_(None), columns.folder != "")
        if tenants is not None:
            query = query.where(columns.tenant.in_(list(tenants)))
        if folder:
            query = query.where(columns.folder > f"{folder}/", columns.folder < folder + _BEHIND)
        depth = folder.count("/") + 1 if folder else 0
        with self._database.read() as connection:
            found = {"/".join(each.split("/")[: depth + 1]) for (each,) in connection.execute(query)}
        return sorted(found)[:_MOST_FOLDERS]

    def version(self, tenant: str, name: str, selector: Selector) -> Version:
        """One version of exactly this tenant's prompt."""
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            number = number_of(connection, row, selector)
            if number is None:
                raise missing(name, selector)
            return self._versions(connection, row.id, [number])[0]

    def visible(self, tenant: str, name: str, selector: Selector) -> Version | None:
        """A version of the tenant's own prompt, or else of the shared one of that name; None where there is none."""
        if not self._database.exists:
            return None
        with self._database.read() as connection:
            row = prompt_row(connection, tenant, name)
            if row is None and tenant != SHARED:
                row = prompt_row(connection, SHARED, name)
            number = number_of(connection, row, selector) if row is not None else None
            if row is None or number is None:
                return None
            return self._versions(connection, row.id, [number])[0]

    def owner(self, tenant: str, name: str) -> str:
        """Whose prompt of that name the tenant sees: its own, or the shared one. `NotFound` where there is none."""
        if self._database.exists:
            with self._database.read() as connection:
                for each in (tenant, SHARED):
                    if prompt_row(connection, each, name) is not None:
                        return each
        raise missing(name)

    def summary(self, tenant: str, name: str) -> Summary:
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            return _summary(row, labels_of(connection, [row.id]).get(row.id, {}))

    def newest(self, tenant: str) -> list[Version]:
        """The newest version of every prompt of a tenant's own."""
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            query = versions_query().where(
                prompts.c.tenant == tenant,
                prompts.c.archived_at_ms.is_(None),
                prompt_versions.c.number == prompts.c.last_number,
            )
            return [version_of(row, {}) for row in connection.execute(query.order_by(prompts.c.name))]

    def headers(self, tenant: str, name: str, *, before: int | None = None, limit: int = 50) -> list[Header]:
        """Versions, the newest first; ``before`` is the last one of the page before."""
        columns = prompt_versions.c
        shown = (columns.number, columns.digest, columns.author, columns.comment, columns.created_at_ms)
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            query = select(*shown).where(columns.prompt_id == row.id).order_by(columns.number.desc()).limit(limit)
            found = connection.execute(query if before is None else query.where(columns.number < before)).all()
            labels = labels_of(connection, [row.id]).get(row.id, {})
        return [
            Header(**each._mapping, labels=[label for label, number in labels.items() if number == each.number])
            for each in found
        ]

    def labels(self, tenant: str, name: str) -> list[Label]:
        columns = prompt_labels.c
        shown = (columns.label, columns.number, columns.moved_at_ms, columns.moved_by)
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            found = connection.execute(select(*shown).where(columns.prompt_id == row.id).order_by(columns.label)).all()
        return [Label(**each._mapping) for each in found]

    def moves(self, tenant: str, name: str, *, label: str | None = None, limit: int = 100) -> list[Move]:
        """What labels have pointed to, the latest first."""
        columns = prompt_moves.c
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            query = select(prompt_moves).where(columns.prompt_id == row.id).order_by(columns.id.desc()).limit(limit)
            found = connection.execute(query if label is None else query.where(columns.label == label)).mappings().all()
        return [Move(**{name: each[name] for name in Move.__struct_fields__}) for each in found]

    def comments(self, tenant: str, name: str, number: int | None = None, *, limit: int = 200) -> list[Comment]:
        """The latest ones, the oldest of them first."""
        columns = prompt_comments.c
        with self._database.read() as connection:
            row = known_row(connection, tenant, name)
            query = select(prompt_comments).where(columns.prompt_id == row.id).order_by(columns.id.desc()).limit(limit)
            query = query if number is None else query.where(columns.number == number)
            found = connection.execute(query).mappings().all()
        shown = Comment.__struct_fields__
        return [Comment(**{name: each[name] for name in shown}) for each in reversed(found)]

    @staticmethod
    def _versions(connection: Connection, prompt_id: int, numbers: Sequence[int]) -> list[Version]:
        labels = labels_of(connection, [prompt_id]).get(prompt_id, {})
        rows = connection.execute(versions_query(prompt_id, numbers)).all()
        return [version_of(row, labels) for row in rows]


def _summary(row: Any, labels: dict[str, int]) -> Summary:
    return Summary(
        name=row.name,
        tenant=row.tenant,
        is_shared=row.tenant == SHARED,
        kind=row.kind,
        tags=_tags(row.tags),
        versions=row.last_number,
        labels=labels,
        updated_at_ms=row.updated_at_ms,
    )
