"""Releases, pointers and verdicts in the database; the only queries that write them.

Every write moves the version counter ``releases``, which running gateways poll. A release's row is written once. A
pointer moves in one transaction with its history, and only if it still stands where its mover believes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update

from ...errors import Conflict, NotFound
from ...store.database import Database
from ...store.tables import release_moves, release_pointers, release_verdicts, releases
from ..bundle import canonical
from ..release import Change, Move, Pointer, Release, Verdict
from .rows import SHARED, move_of, pointer_of, release_of, storable, stored_tenant, tenant_of, verdict_of

SUBJECT = "releases"
_MOST = 10_000
"""Releases of a tenant."""

MayServe = Callable[[Release, str | None], None]
"""Raises `Conflict` for a release that may not take traffic, by the gate's latest verdict."""


class ReleaseRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer.

    ``tenant`` None of a row is shared; ``seer`` is who looks: a tenant sees its own and shared ones, None all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def add(self, release: Release) -> bool:
        """Whether it was new; one with this content is there once, as it was first made."""
        tenant, counted = stored_tenant(release.tenant), select(func.count()).select_from(releases)
        with self._database.write(SUBJECT) as connection:  # one at a time, so that the look and the count hold
            known = select(releases.c.id).where(releases.c.tenant == tenant, releases.c.id == release.id)
            if connection.execute(known).first() is not None:
                return False
            if connection.execute(counted.where(releases.c.tenant == tenant)).scalar_one() >= _MOST:
                raise Conflict(f"there are {_MOST} releases, which is the most")
            row = {
                "tenant": tenant,
                "id": release.id,
                "name": release.bundle.name,
                "bundle": canonical(release.bundle).decode(),
                "parent": release.parent,
                "created_at_ms": release.created_at_ms,
                "created_by": storable(release.created_by),
                "reason": storable(release.reason),
            }
            connection.execute(insert(releases).values(row))
        return True

    def get(self, release_id: str, seer: str | None) -> Release:
        """The seer's own goes before a shared one; `NotFound` where it sees none."""
        found = self._select(select(releases).where(releases.c.id == release_id).order_by(releases.c.tenant), seer)
        if not found:
            raise missing(release_id)
        own = [each for each in found if each.tenant == seer]
        return own[0] if own else found[0]

    def find(
        self, seer: str | None, *, name: str | None = None, limit: int = 100, before_ms: int | None = None
    ) -> list[Release]:
        """The newest first."""
        query = select(releases).order_by(releases.c.created_at_ms.desc(), releases.c.id).limit(limit)
        if name is not None:
            query = query.where(releases.c.name == name)
        if before_ms is not None:
            query = query.where(releases.c.created_at_ms < before_ms)
        return self._select(query, seer)

    def pointers(self, seer: str | None = None) -> list[Pointer]:
        if not self._database.exists:
            return []
        query = _seen(select(release_pointers), release_pointers, seer)
        with self._database.read() as connection:
            return [pointer_of(row) for row in connection.execute(query).mappings()]

    def point(
        self,
        release: Release,
        change: Change,
        check: MayServe,
        *,
        now_ms: int,
        by: str,
        reason: str,
        expected: str | None = None,
    ) -> Move:
        """Make it the live one of its name. ``expected`` is the release that the mover believes to be live; `Conflict`
        where another one is by now, where this one is already, and what ``check`` raises."""
        tenant, name = stored_tenant(release.tenant), release.bundle.name
        with self._database.write(SUBJECT) as connection:
            check(release, _latest(connection, tenant, release.id))
            held = connection.execute(
                select(release_pointers).where(release_pointers.c.tenant == tenant, release_pointers.c.name == name)
            ).mappings()
            pointer = next((pointer_of(row) for row in held), None)
            before = pointer.release_id if pointer is not None else None
            if expected is not None and before != expected:
                moved = f" since {pointer.by!r} moved it" if pointer is not None else ""
                raise Conflict(f"{name!r} is at {before or 'no release'}{moved}, not at {expected}; look again")
            if before == release.id:
                raise Conflict(f"{release.id} is the live release of {name!r} already")
            values = {"release_id": release.id, "since_ms": now_ms, "by": storable(by)}
            if pointer is None:
                connection.execute(insert(release_pointers).values(tenant=tenant, name=name, moves=1, **values))
            else:
                connection.execute(
                    update(release_pointers)
                    .where(release_pointers.c.tenant == tenant, release_pointers.c.name == name)
                    .values(moves=release_pointers.c.moves + 1, **values)
                )
            row = {"before": before, "after": release.id, "change": change, "at_ms": now_ms, "by": storable(by)}
            row |= {"tenant": tenant, "name": name, "reason": storable(reason)}
            connection.execute(insert(release_moves).values(row))
        return move_of(row)

    def moves(self, tenant: str | None, name: str, limit: int = 100) -> list[Move]:
        """How a name's pointer moved, the latest first."""
        if not self._database.exists:
            return []
        columns = release_moves.c
        query = select(release_moves).where(columns.tenant == stored_tenant(tenant), columns.name == name)
        with self._database.read() as connection:
            return [
                move_of(row) for row in connection.execute(query.order_by(columns.id.desc()).limit(limit)).mappings()
            ]

    def judge(self, release: Release, verdict: Verdict) -> None:
        """Add what the gate says of a release."""
        row = {"tenant": stored_tenant(release.tenant), "release_id": release.id, "verdict": verdict.verdict}
        row |= {"run_ids": msgspec.json.encode(verdict.run_ids).decode(), "at_ms": verdict.at_ms}  # type: ignore[dict-item]
        row |= {"by": storable(verdict.by), "reason": storable(verdict.reason)}
        with self._database.write(SUBJECT) as connection:
            connection.execute(insert(release_verdicts).values(row))

    def verdicts(self, release: Release, limit: int = 100) -> list[Verdict]:
        """The latest first."""
        columns = release_verdicts.c
        query = select(release_verdicts).where(
            columns.tenant == stored_tenant(release.tenant), columns.release_id == release.id
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.id.desc()).limit(limit)).mappings()
            return [verdict_of(row) for row in rows]

    def latest_verdicts(self) -> dict[tuple[str | None, str], str]:
        """By tenant and release, of those that have one."""
        if not self._database.exists:
            return {}
        columns = release_verdicts.c
        last = select(func.max(columns.id)).group_by(columns.tenant, columns.release_id)
        query = select(columns.tenant, columns.release_id, columns.verdict).where(columns.id.in_(last))
        with self._database.read() as connection:
            return {(tenant_of(tenant), found): verdict for tenant, found, verdict in connection.execute(query)}

    def ids(self, limit: int) -> list[tuple[str | None, str]]:
        """Tenant and id of every live release and of the newest others, so many."""
        if not self._database.exists:
            return []
        live = select(release_pointers.c.tenant, release_pointers.c.release_id)
        newest = select(releases.c.tenant, releases.c.id).order_by(releases.c.created_at_ms.desc()).limit(limit)
        with self._database.read() as connection:
            found = {(tenant_of(tenant), each): None for tenant, each in connection.execute(live)}
            found |= {(tenant_of(tenant), each): None for tenant, each in connection.execute(newest)}
        return list(found)

    def read(self, wanted: Sequence[tuple[str | None, str]]) -> list[Release]:
        """These releases, as far as they are there."""
        found: list[Release] = []
        keys = {(stored_tenant(tenant), each) for tenant, each in wanted}
        ids = sorted({each for _tenant, each in keys})
        with self._database.read() as connection:
            for begin in range(0, len(ids), 500):
                rows = connection.execute(
                    select(releases).where(releases.c.id.in_(ids[begin : begin + 500]))
                ).mappings()
                found += [release_of(row) for row in rows if (row["tenant"], row["id"]) in keys]
        return found

    def _select(self, query: Any, seer: str | None) -> list[Release]:
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [release_of(row) for row in connection.execute(_seen(query, releases, seer)).mappings()]


def _seen(query: Any, table: Any, seer: str | None) -> Any:
    return query if seer is None else query.where(or_(table.c.tenant == seer, table.c.tenant == SHARED))


def _latest(connection: Connection, tenant: str, release_id: str) -> str | None:
    columns = release_verdicts.c
    query = select(columns.verdict).where(columns.tenant == tenant, columns.release_id == release_id)
    found: str | None = connection.execute(query.order_by(columns.id.desc()).limit(1)).scalar()
    return found


def missing(release_id: str) -> NotFound:
    return NotFound(f"there is no release {release_id[:40]!r} here; `llmops release list` shows those that there are")
