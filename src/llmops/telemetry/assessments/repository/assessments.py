"""Storing assessments, each id of a tenant once, and finding them again.

A row carries the version of its last write (`Database.write`): versions become visible in their order, so whoever has
seen one has missed none before it. That is what exports follow.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from ....store.database import Database
from ....store.tables import assessments
from ..assessment import Assessment

SUBJECT = "assessments"
_FIELDS = Assessment.__struct_fields__
_AT_ONCE = 500
"""In one transaction, and so of one version."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to find; None: any. Times are of when it was made, the end excluded."""

    tenant: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    session: str | None = None
    name: str | None = None
    source: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Figures(msgspec.Struct, frozen=True):
    """Of the values under one name."""

    name: str
    count: int
    mean: float | None


class AssessmentRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database, *, on_stored: Callable[[Sequence[Assessment]], None] | None = None) -> None:
        """``on_stored`` hears of what was stored here, in the thread that stored it."""
        self._database = database
        self._on_stored = on_stored
        self._insert = postgresql.insert if database.folder is None else sqlite.insert

    def store(self, found: Sequence[Assessment]) -> None:
        """Store these; what is there under the same ids is replaced. Of two of one id the last counts."""
        unique = sorted(
            {(each.tenant, each.id): each for each in found}.values(), key=lambda each: (each.tenant, each.id)
        )
        for begin in range(0, len(unique), _AT_ONCE):
            version = Database.version_of(SUBJECT)
            with self._database.write(SUBJECT) as connection:
                for each in unique[begin : begin + _AT_ONCE]:
                    values = {**msgspec.structs.asdict(each), "version": version}
                    adding = self._insert(assessments).values(values)
                    new = {name: value for name, value in values.items() if name not in ("tenant", "id")}
                    connection.execute(adding.on_conflict_do_update(index_elements=["tenant", "id"], set_=new))
        if self._on_stored is not None:
            self._on_stored(unique)

    def remove(self, tenant: str, ids: Sequence[str]) -> None:
        """Remove these. What was exported already stays where it is: other tools are not told."""
        with self._database.write(SUBJECT) as connection:
            mine = (assessments.c.tenant == tenant, assessments.c.id.in_(list(ids)))
            connection.execute(delete(assessments).where(*mine))

    def find(self, wanted: Wanted, limit: int, before: tuple[int, str, str] | None = None) -> list[Assessment]:
        """The newest first; ``before`` is time, tenant and id of the last one of the page before."""
        if not self._database.exists:
            return []
        query = _restricted(_all(), wanted)
        order = (assessments.c.created_at_ms, assessments.c.tenant, assessments.c.id)
        if before is not None:
            query = query.where(tuple_(*order) < before)
        query = query.order_by(*[column.desc() for column in order]).limit(limit)
        with self._database.read() as connection:
            return [Assessment(**row) for row in connection.execute(query).mappings()]

    def figures(self, wanted: Wanted) -> list[Figures]:
        """How many there are under each name, and the mean of their values."""
        if not self._database.exists:
            return []
        columns = assessments.c
        query = _restricted(select(columns.name, func.count(), func.avg(columns.value)), wanted)
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(columns.name).order_by(columns.name)).all()
        return [Figures(name, int(count), float(mean) if mean is not None else None) for name, count, mean in rows]

    def after(self, version: int, limit: int) -> tuple[list[Assessment], int]:
        """Those written after a version, in that order, and the version of the last: whole versions only."""
        if not self._database.exists:
            return [], version
        columns = assessments.c
        query = select(columns.version, *[columns[name] for name in _FIELDS]).where(columns.version > version)
        query = query.order_by(columns.version, columns.tenant, columns.id).limit(max(limit, 2 * _AT_ONCE))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return [], version
        last = rows[-1][0]
        if len(rows) == max(limit, 2 * _AT_ONCE):
            rows = [row for row in rows if row[0] < last]
            last = rows[-1][0]
        return [Assessment(**dict(zip(_FIELDS, row[1:], strict=True))) for row in rows], last

    def count_after(self, version: int) -> int:
        if not self._database.exists:
            return 0
        query = select(func.count()).select_from(assessments).where(assessments.c.version > version)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def version(self) -> int:
        """Where the counter stands."""
        return self._database.version(SUBJECT)


def _all() -> Select[Any]:
    return select(*[assessments.c[name] for name in _FIELDS])


def narrowed(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What is wanted, as conditions."""
    columns = assessments.c
    conditions: list[ColumnElement[bool]] = [
        columns[name] == value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name in ("tenant", "trace_id", "span_id", "session", "name", "source")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since_ms is not None:
        conditions.append(columns.created_at_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        conditions.append(columns.created_at_ms < wanted.until_ms)
    return conditions


def _restricted(query: Select[Any], wanted: Wanted) -> Select[Any]:
    return query.where(*narrowed(wanted))
