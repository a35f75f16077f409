"""Tenants and keys in the database; the only queries there are about them.

Every write moves the version counter ``identity``, which running gateways poll. Methods block: call them from a thread.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..errors import Conflict, NotFound
from ..store.database import Database
from ..store.tables import api_keys, tenants
from .key import Key, Tenant

SUBJECT = "identity"


class IdentityRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def tenants(self) -> list[Tenant]:
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            return [Tenant(**row) for row in connection.execute(select(tenants).order_by(tenants.c.id)).mappings()]

    def keys(self, tenant: str | None = None) -> list[Key]:
        """All keys, or one tenant's, oldest first."""
        if not self._database.exists:
            return []
        query = select(api_keys).order_by(api_keys.c.created_at_s, api_keys.c.id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant == tenant)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

    def key(self, key_id: str, tenant: str | None = None) -> Key:
        """One key; with ``tenant``, another tenant's is as good as none: `NotFound`."""
        query = select(api_keys).where(api_keys.c.id == key_id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant == tenant)
        if self._database.exists:
            with self._database.read() as connection:
                row = connection.execute(query).mappings().first()
            if row is not None:
                return _key(row)
        raise NotFound(f"there is no API key {key_id[:40]!r}")

    def add_tenant(self, tenant: Tenant) -> None:
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(tenants).values(**_fields(tenant)))
        except IntegrityError as exc:
            raise Conflict(f"there is a tenant {tenant.id!r} already") from exc

    def set_tenant_disabled(self, tenant_id: str, disabled: bool) -> None:
        with self._database.write(SUBJECT) as connection:
            changed = connection.execute(update(tenants).where(tenants.c.id == tenant_id).values(disabled=disabled))
            if changed.rowcount == 0:
                raise NotFound(f"there is no tenant {tenant_id[:64]!r}")

    def add_key(self, key: Key) -> None:
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(api_keys).values(**_fields(key)))
        except IntegrityError as exc:
            raise NotFound(f"there is no tenant {key.tenant[:64]!r}; create it first", param="tenant") from exc

    def change_key(self, key_id: str, **values: Any) -> None:
        with self._database.write(SUBJECT) as connection:
            changed = connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(**values))
            if changed.rowcount == 0:
                raise NotFound(f"there is no API key {key_id[:40]!r}")


def _fields(value: Tenant | Key) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: list(field) if isinstance(field, tuple) else field for name, field in fields.items()}


def _key(row: RowMapping) -> Key:
    fields = dict(row)
    for name in ("operations", "models"):
        stored: Sequence[Any] = fields[name]
        fields[name] = tuple(stored)
    return Key(**fields)
