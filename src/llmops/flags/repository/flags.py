"""Flags in the database; the only queries there are about them.

Every write moves the version counter ``flags``, which running gateways poll. A change names the revision that it was
made from, where its maker wants to be told of another's.
"""

from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, or_, select, update

from ...errors import Conflict, NotFound
from ...store.database import Database
from ...store.tables import flags
from ..flag import Flag

SUBJECT = "flags"
SHARED = "*"
"""The tenant of a shared row: no tenant can be called that."""
_MOST = 2000
"""Of a tenant's own, and of the shared."""
_flag = msgspec.json.Decoder(Flag).decode


class StoredFlag(msgspec.Struct, frozen=True, kw_only=True):
    """``tenant`` None: an administrator's, shared. ``revision`` counts its changes."""

    tenant: str | None
    flag: Flag
    revision: int
    changed_at_ms: int
    changed_by: str


class FlagRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def all(self, seer: str | None = None) -> list[StoredFlag]:
        """Of everybody, or what a tenant sees: its own and the shared."""
        query = select(flags).order_by(flags.c.key, flags.c.tenant)
        if seer is not None:
            query = query.where(or_(flags.c.tenant == seer, flags.c.tenant == SHARED))
        return self._read(query)

    def get(self, key: str, tenant: str | None) -> StoredFlag:
        """A tenant's own (None: the shared one); `NotFound` where there is none."""
        found = self._read(select(flags).where(flags.c.key == key, flags.c.tenant == (tenant or SHARED)))
        if not found:
            raise missing(key)
        return found[0]

    def put(
        self, flag: Flag, tenant: str | None, *, now_ms: int, by: str, revision: int | None = None
    ) -> tuple[StoredFlag | None, StoredFlag]:
        """The flag before and after. ``revision`` is the one that the change was made from (0: there was none);
        `Conflict` where there is another by now."""
        whose = tenant or SHARED
        with self._database.write(SUBJECT) as connection:  # one at a time, so that the look and the count hold
            query = select(flags).where(flags.c.key == flag.key, flags.c.tenant == whose)
            before = next((_stored(row) for row in connection.execute(query).mappings()), None)
            held = before.revision if before is not None else 0
            if revision is not None and revision != held:
                who = f" by {before.changed_by!r}" if before is not None else ""
                raise Conflict(f"the flag {flag.key!r} is at revision {held}{who}, not at {revision}; look again")
            values = {"body": msgspec.json.encode(flag).decode(), "revision": held + 1, "changed_at_ms": now_ms}
            values["changed_by"] = by.replace("\0", "\N{REPLACEMENT CHARACTER}")
            if before is not None:
                connection.execute(
                    update(flags).where(flags.c.key == flag.key, flags.c.tenant == whose).values(**values)
                )
            else:
                counted = select(func.count()).select_from(flags).where(flags.c.tenant == whose)
                if connection.execute(counted).scalar_one() >= _MOST:
                    raise Conflict(f"there are {_MOST} flags, which is the most; remove some")
                connection.execute(insert(flags).values(tenant=whose, key=flag.key, **values))
        after = StoredFlag(tenant=tenant, flag=flag, revision=held + 1, changed_at_ms=now_ms, changed_by=by)
        return before, after

    def remove(self, key: str, tenant: str | None) -> StoredFlag:
        """What was removed; `NotFound` where there is none."""
        whose = tenant or SHARED
        with self._database.write(SUBJECT) as connection:
            query = select(flags).where(flags.c.key == key, flags.c.tenant == whose)
            found = next((_stored(row) for row in connection.execute(query).mappings()), None)
            if found is None:
                raise missing(key)
            connection.execute(delete(flags).where(flags.c.key == key, flags.c.tenant == whose))
        return found

    def _read(self, query: Any) -> list[StoredFlag]:
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [_stored(row) for row in connection.execute(query).mappings()]


def _stored(row: Any) -> StoredFlag:
    return StoredFlag(
        tenant=None if row["tenant"] == SHARED else row["tenant"],
        flag=_flag(row["body"]),
        revision=row["revision"],
        changed_at_ms=row["changed_at_ms"],
        changed_by=row["changed_by"],
    )


def missing(key: str) -> NotFound:
    return NotFound(f"there is no flag {key[:100]!r} here")
