"""Tenants and keys in the database; the only queries there are about them.

Every write moves the version counter ``identity``, which running gateways poll, and stamps it on the row that it
writes, so that they read what has changed and no more. Methods block: call them from a thread.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Select, Text, cast, func, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import NullType

from ..errors import Conflict, NotFound
from ..store.database import Database
from ..store.tables import api_keys, tenants
from .key import Key, Role, Tenant

SUBJECT = "identity"
_STAMP = Database.version_of(SUBJECT)
_ROWS_AT_ONCE = 500
"""A million rows are read in half the time of 5,000 at once, because they stay in the processor's cache."""

_TENANT = select(tenants.c.id, tenants.c.name, tenants.c.created_at_s, tenants.c.disabled)
# Lists as their text, so that equal ones are decoded once; digests as the drivers give them, which is bytes already.
_KEY = select(
    api_keys.c.id,
    api_keys.c.tenant,
    api_keys.c.name,
    api_keys.c.role,
    type_coerce(api_keys.c.digest, NullType),
    api_keys.c.created_at_s,
    cast(api_keys.c.operations, Text),
    cast(api_keys.c.models, Text),
    api_keys.c.expires_at_s,
    api_keys.c.revoked_at_s,
    type_coerce(api_keys.c.previous_digest, NullType),
    api_keys.c.previous_until_s,
    api_keys.c.timeout_s,
)


class Changes(msgspec.Struct, frozen=True):
    """What was written after a version; ``newest`` is the latest version that any row carries."""

    keys: list[Key]
    tenants: list[Tenant]
    newest: int


class IdentityRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def changes(self, known: int) -> Changes:
        """Keys and tenants that were written after version ``known`` was current."""
        with self._database.read() as connection:
            newest = max(
                connection.execute(select(func.max(table.c.version))).scalar() or 0 for table in (api_keys, tenants)
            )
        return Changes(
            self._keys(_KEY.where(api_keys.c.version > known)),
            self._tenants(_TENANT.where(tenants.c.version > known)),
            newest,
        )

    def tenants(self) -> list[Tenant]:
        return self._tenants(_TENANT.order_by(tenants.c.id)) if self._database.exists else []

    def keys(self, tenant: str | None = None) -> list[Key]:
        """All keys, or one tenant's, oldest first."""
        query = _KEY.order_by(api_keys.c.created_at_s, api_keys.c.id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant == tenant)
        return self._keys(query) if self._database.exists else []

    def every_key(self) -> Iterator[list[Key]]:
        """All keys in no order, some at a time: as fast as they can be read."""
        return self._batches(_KEY) if self._database.exists else iter([])

    def keys_of_role(self, role: Role) -> list[Key]:
        return self._keys(_KEY.where(api_keys.c.role == role)) if self._database.exists else []

    def key(self, key_id: str, tenant: str | None = None) -> Key:
        """One key; with ``tenant``, another tenant's is as good as none: `NotFound`."""
        query = _KEY.where(api_keys.c.id == key_id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant == tenant)
        for key in self._keys(query) if self._database.exists else ():
            return key
        raise NotFound(f"there is no API key {key_id[:40]!r}")

    def add_tenant(self, tenant: Tenant) -> None:
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(tenants).values(**_fields(tenant), version=_STAMP))
        except IntegrityError as exc:
            raise Conflict(f"there is a tenant {tenant.id!r} already") from exc

    def set_tenant_disabled(self, tenant_id: str, disabled: bool) -> None:
        changes = {"disabled": disabled, "version": _STAMP}
        with self._database.write(SUBJECT) as connection:
            changed = connection.execute(update(tenants).where(tenants.c.id == tenant_id).values(**changes))
            if changed.rowcount == 0:
                raise NotFound(f"there is no tenant {tenant_id[:64]!r}")

    def add_key(self, key: Key) -> None:
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(api_keys).values(**_fields(key), version=_STAMP))
        except IntegrityError as exc:
            raise NotFound(f"there is no tenant {key.tenant[:64]!r}; create it first", param="tenant") from exc

    def change_key(self, key_id: str, **values: Any) -> None:
        with self._database.write(SUBJECT) as connection:
            changed = connection.execute(
                update(api_keys).where(api_keys.c.id == key_id).values(**values, version=_STAMP)
            )
            if changed.rowcount == 0:
                raise NotFound(f"there is no API key {key_id[:40]!r}")

    def _keys(self, query: Select[Any]) -> list[Key]:
        return list(chain.from_iterable(self._batches(query)))

    def _batches(self, query: Select[Any]) -> Iterator[list[Key]]:
        reader = _KeyReader()
        with self._database.read() as connection:
            streamed = connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
            yield from map(reader.read, streamed.partitions())

    def _tenants(self, query: Select[Any]) -> list[Tenant]:
        with self._database.read() as connection:
            return [Tenant(**row) for row in connection.execute(query).mappings()]


class _KeyReader:
    """Rows of `_KEY` to keys; equal tenants, roles and lists are one object in all of them."""

    def __init__(self) -> None:
        self._texts: dict[str, Any] = {}
        self._lists: dict[str, Any] = {}

    def read(self, rows: Iterable[Any]) -> list[Key]:
        """`msgspec.DecodeError` for a row whose lists are none."""
        texts, lists, keys = self._texts, self._lists, []
        for key_id, tenant, name, role, digest, made, ops, models, expires, revoked, previous, until, limit in rows:
            try:
                shared = texts[tenant], texts[role], lists[ops], lists[models]
            except KeyError:
                shared = self._share(tenant, role, ops, models)
            keys.append(
                Key(
                    id=key_id,
                    tenant=shared[0],
                    name=name,
                    role=shared[1],
                    digest=digest,
                    created_at_s=made,
                    operations=shared[2],
                    models=shared[3],
                    expires_at_s=expires,
                    revoked_at_s=revoked,
                    previous_digest=previous,
                    previous_until_s=until,
                    timeout_s=limit,
                )
            )
        return keys

    def _share(self, tenant: str, role: str, operations: str, models: str) -> tuple[Any, Any, Any, Any]:
        for text in (operations, models):
            self._lists[text] = msgspec.json.decode(text, type=tuple[str, ...])
        texts = self._texts
        tenant, role = texts.setdefault(tenant, tenant), texts.setdefault(role, role)
        return tenant, role, self._lists[operations], self._lists[models]


def _fields(value: Tenant | Key) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: list(field) if isinstance(field, tuple) else field for name, field in fields.items()}
