"""Tenants and keys, as everything but the database sees them."""

import re
from typing import Literal

import msgspec

from ..types import Operation

Role = Literal["caller", "viewer", "editor", "admin"]
"""``caller`` makes calls on the data plane and nothing else; the others use the control plane, each more than the one
before: look at the own tenant, change it, administer all tenants."""

CONTROL_ROLES: tuple[Role, ...] = ("viewer", "editor", "admin")
DEFAULT_TENANT = "default"
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
TOKEN_PREFIX = "eyJ"
"""How every JSON Web Token begins, and no API key: the base64 of ``{"``, its header's first characters."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays. A disabled tenant's keys are refused."""

    id: str
    name: str
    created_at_s: float
    disabled: bool = False


class Key(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # a million of them must not slow the collector
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
    timeout_s: float | None = None
    """What a call of this key may take in total, unless its caller asks for less."""

    @property
    def shown(self) -> str:
        """The key in a sentence. One that stands for tokens has the id ``jwt:<issuer's name>`` and no secret."""
        return f"the API key {self.id}" if self.digest else f"the token of {self.name}"

    def state(self, now_s: float) -> Literal["active", "expired", "revoked"]:
        if self.revoked_at_s is not None:  # whoever revoked it may have a clock that is ahead
            return "revoked"
        if self.expires_at_s is not None and now_s >= self.expires_at_s:
            return "expired"
        return "active"
