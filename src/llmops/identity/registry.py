"""Making, rotating and revoking keys, and making tenants: the rules around the repository.

Methods block on the database: call them from a thread. A secret leaves here once, in the credential that is returned.
"""

import re
from collections.abc import Sequence

import msgspec

from ..clock import Clock
from ..errors import InvalidRequest
from ..types import Operation
from .key import DEFAULT_TENANT, Key, Role, Tenant
from .repository import IdentityRepository
from .secret import Credential, digest, mint

_TENANT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_NAME_CHARS = 200


class KeyRegistry:
    def __init__(self, repository: IdentityRepository, pepper: bytes, clock: Clock) -> None:
        self._repository = repository
        self._pepper = pepper
        self._clock = clock

    def create_tenant(self, tenant_id: str, name: str | None = None) -> Tenant:
        """A new tenant; its id is lower case letters, digits, ``-`` and ``_``."""
        if not _TENANT_ID.fullmatch(tenant_id):
            raise InvalidRequest(
                f"a tenant's id has 1 to 64 of a-z, 0-9, '-' and '_', and begins with one of the first two; "
                f"{tenant_id[:80]!r} does not",
                param="id",
            )
        tenant = Tenant(id=tenant_id, name=_sound_name(name or tenant_id), created_at_s=self._clock.now_s())
        self._repository.add_tenant(tenant)
        return tenant

    def create_key(
        self,
        *,
        name: str,
        tenant: str = DEFAULT_TENANT,
        role: Role = "caller",
        operations: Sequence[Operation] = (),
        models: Sequence[str] = (),
        expires_at_s: float | None = None,
    ) -> tuple[Key, Credential]:
        """A new key and its credential, which is shown this once. The default tenant is made when it is missing."""
        now_s = self._clock.now_s()
        if expires_at_s is not None and expires_at_s <= now_s:
            raise InvalidRequest("the expiry lies in the past", param="expires_at")
        if any(not model or len(model) > _MAX_NAME_CHARS for model in models):
            raise InvalidRequest("a model's name is 1 to 200 characters long", param="models")
        if tenant == DEFAULT_TENANT and all(each.id != tenant for each in self._repository.tenants()):
            self.create_tenant(DEFAULT_TENANT)
        credential = mint()
        key = Key(
            id=credential.public_id,
            tenant=tenant,
            name=_sound_name(name),
            role=role,
            digest=digest(self._pepper, credential.secret),
            created_at_s=now_s,
            operations=tuple(operations),
            models=tuple(models),
            expires_at_s=expires_at_s,
        )
        self._repository.add_key(key)
        return key, credential

    def rotate(self, key_id: str, grace_s: float, *, tenant: str | None = None) -> tuple[Key, Credential]:
        """A new secret for a key; the old one works for ``grace_s`` more seconds."""
        key = self._active(key_id, tenant)
        credential = mint(key.id)
        changes = {
            "digest": digest(self._pepper, credential.secret),
            "previous_digest": key.digest,
            "previous_until_s": self._clock.now_s() + grace_s,
        }
        self._repository.change_key(key.id, **changes)
        return msgspec.structs.replace(key, **changes), credential

    def revoke(self, key_id: str, *, tenant: str | None = None) -> Key:
        """End a key for good; doing it again changes nothing."""
        key = self._repository.key(key_id, tenant)
        if key.revoked_at_s is not None:
            return key
        now_s = self._clock.now_s()
        self._repository.change_key(key.id, revoked_at_s=now_s)
        return msgspec.structs.replace(key, revoked_at_s=now_s)

    def set_disabled(self, tenant_id: str, disabled: bool) -> Tenant:
        """Refuse a tenant's keys from now on, or take them again."""
        self._repository.set_tenant_disabled(tenant_id, disabled)
        return next(tenant for tenant in self._repository.tenants() if tenant.id == tenant_id)

    def key(self, key_id: str, tenant: str | None = None) -> Key:
        """One key; `NotFound` when there is none, or, with ``tenant``, when it is another tenant's."""
        return self._repository.key(key_id, tenant)

    def keys(self, tenant: str | None = None) -> list[Key]:
        return self._repository.keys(tenant)

    def tenants(self) -> list[Tenant]:
        return self._repository.tenants()

    def _active(self, key_id: str, tenant: str | None) -> Key:
        key = self._repository.key(key_id, tenant)
        state = key.state(self._clock.now_s())
        if state != "active":
            raise InvalidRequest(f"the API key {key.id} is {state} and cannot be rotated; create a new one")
        return key


def _sound_name(name: str) -> str:
    if not 0 < len(name) <= _MAX_NAME_CHARS or not name.isprintable():
        raise InvalidRequest(
            f"a name is 1 to {_MAX_NAME_CHARS} printable characters; {name[:80]!r} is not", param="name"
        )
    return name
