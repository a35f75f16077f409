"""Tenants and keys, as everything but the database sees them."""

from typing import Literal

import msgspec

from ..types import Operation

Role = Literal["caller", "viewer", "editor", "admin"]
"""``caller`` makes calls on the data plane and nothing else; the others use the control plane, each more than the one
before: look at the own tenant, change it, administer all tenants."""

CONTROL_ROLES: tuple[Role, ...] = ("viewer", "editor", "admin")
DEFAULT_TENANT = "default"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays. A disabled tenant's keys are refused."""

    id: str
    name: str
    created_at_s: float
    disabled: bool = False


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A credential's owner, powers and life. Times are seconds since the epoch; empty ``operations`` or ``models``
    mean all of them. ``models`` may hold patterns with ``*``.

    After a rotation ``previous_digest`` still opens until ``previous_until_s``.
    """

    id: str
    tenant: str
    name: str
    role: Role
    digest: bytes
    created_at_s: float
    operations: tuple[Operation, ...] = ()
    models: tuple[str, ...] = ()
    expires_at_s: float | None = None
    revoked_at_s: float | None = None
    previous_digest: bytes | None = None
    previous_until_s: float | None = None

    def state(self, now_s: float) -> Literal["active", "expired", "revoked"]:
        if self.revoked_at_s is not None:  # whoever revoked it may have a clock that is ahead
            return "revoked"
        if self.expires_at_s is not None and now_s >= self.expires_at_s:
            return "expired"
        return "active"
