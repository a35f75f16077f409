"""Making, rotating and revoking keys, and making tenants: the rules around the repository.

Methods block on the database: call them from a thread. A secret leaves here once, in the credential that is returned.
"""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from ..clock import Clock
from ..errors import Conflict, InvalidRequest, NotFound
from ..types import Operation
from .key import DEFAULT_TENANT, TENANT_ID, Key, Role, Tenant
from .repository import IdentityRepository
from .secret import Credential, Digester, is_public_id, mint

_MAX_NAME_CHARS = 200
_MAX_LIFE_S = 100 * 365.25 * 86400
_MAX_GRACE_S = 30 * 86400
_MAX_TIMEOUT_S = 3600.0


class KeyRegistry:
    def __init__(self, repository: IdentityRepository, pepper: bytes, clock: Clock) -> None:
        self._repository = repository
        self._digester = Digester(pepper)
        self._clock = clock

    def create_tenant(self, tenant_id: str, name: str | None = None) -> Tenant:
        """A new tenant; its id is lower case letters, digits, ``-`` and ``_``."""
        if not TENANT_ID.fullmatch(tenant_id):
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
        timeout_s: float | None = None,
    ) -> tuple[Key, Credential]:
        """A new key and its credential, which is shown this once. The default tenant is made when it is missing."""
        now_s, name = self._clock.now_s(), _sound_name(name)
        if expires_at_s is not None and not now_s < expires_at_s <= now_s + _MAX_LIFE_S:
            raise InvalidRequest("a key's expiry lies in the future, by at most 100 years", param="expires_at")
        if timeout_s is not None and not 0 < timeout_s <= _MAX_TIMEOUT_S:
            raise InvalidRequest(
                f"the time of a key's calls is more than 0 and at most {_MAX_TIMEOUT_S:g} seconds, not {timeout_s:g}",
                param="timeout_seconds",
            )
        for model in models:
            if not 0 < len(model) <= _MAX_NAME_CHARS or not model.isprintable():
                raise InvalidRequest(
                    f"a model's name is 1 to {_MAX_NAME_CHARS} printable characters; {model[:80]!r} is not",
                    param="models",
                )
        self._check_tenant(tenant)
        if tenant == DEFAULT_TENANT and all(each.id != tenant for each in self._repository.tenants()):
            with suppress(Conflict):  # somebody else makes the first key at this moment
                self.create_tenant(DEFAULT_TENANT)
        credential = mint()
        key = Key(
            id=credential.public_id,
            tenant=tenant,
            name=name,
            role=role,
            digest=self._digester.digest(credential.secret),
            created_at_s=now_s,
            operations=tuple(operations),
            models=tuple(models),
            expires_at_s=expires_at_s,
            timeout_s=timeout_s,
        )
        self._repository.add_key(key)
        return key, credential

    def rotate(self, key_id: str, grace_s: float, *, tenant: str | None = None) -> tuple[Key, Credential]:
        """A new secret for a key; the old one works for ``grace_s`` more seconds, and one before that no more."""
        if not 0 <= grace_s <= _MAX_GRACE_S:
            raise InvalidRequest(
                f"the grace period is 0 to {_MAX_GRACE_S} seconds, not {grace_s}", param="grace_seconds"
            )
        key = self._active(key_id, tenant)
        credential = mint(key.id)
        changes = {
            "digest": self._digester.digest(credential.secret),
            "previous_digest": key.digest,
            "previous_until_s": self._clock.now_s() + grace_s,
        }
        self._repository.change_key(key.id, **changes)
        return msgspec.structs.replace(key, **changes), credential

    def revoke(self, key_id: str, *, tenant: str | None = None) -> Key:
        """End a key for good; doing it again changes nothing."""
        key = self.key(key_id, tenant)
        if key.revoked_at_s is not None:
            return key
        now_s = self._clock.now_s()
        self._repository.change_key(key.id, revoked_at_s=now_s)
        return msgspec.structs.replace(key, revoked_at_s=now_s)

    def set_disabled(self, tenant_id: str, disabled: bool) -> Tenant:
        """Refuse a tenant's keys from now on, or take them again."""
        self._check_tenant(tenant_id)
        self._repository.set_tenant_disabled(tenant_id, disabled)
        return next(tenant for tenant in self._repository.tenants() if tenant.id == tenant_id)

    def key(self, key_id: str, tenant: str | None = None) -> Key:
        """One key; `NotFound` when there is none, or, with ``tenant``, when it is another tenant's."""
        if not is_public_id(key_id):
            raise NotFound(f"there is no API key {key_id[:40]!r}; its id is the part between the first two dashes")
        return self._repository.key(key_id, tenant)

    def keys(self, tenant: str | None = None) -> list[Key]:
        """All keys, or one tenant's, oldest first."""
        return self._repository.keys(tenant) if tenant is None or TENANT_ID.fullmatch(tenant) else []

    def has_active(self, role: Role) -> bool:
        """Whether there is a key of that role that is in force."""
        now_s = self._clock.now_s()
        return any(key.state(now_s) == "active" for key in self._repository.keys_of_role(role))

    def tenants(self) -> list[Tenant]:
        return self._repository.tenants()

    def has_tenant(self, tenant_id: str) -> bool:
        """Whether there is such a tenant, or will be without anybody's doing."""
        return tenant_id == DEFAULT_TENANT or any(tenant.id == tenant_id for tenant in self._repository.tenants())

    def _active(self, key_id: str, tenant: str | None) -> Key:
        key = self.key(key_id, tenant)
        state = key.state(self._clock.now_s())
        if state != "active":
            raise InvalidRequest(f"the API key {key.id} is {state} and cannot be rotated; create a new one")
        return key

    @staticmethod
    def _check_tenant(tenant: str) -> None:
        """What cannot be a tenant's id is not looked for."""
        if not TENANT_ID.fullmatch(tenant):
            raise NotFound(f"there is no tenant {tenant[:64]!r}", param="tenant")


def _sound_name(name: str) -> str:
    if not 0 < len(name) <= _MAX_NAME_CHARS or not name.isprintable():
        raise InvalidRequest(
            f"a name is 1 to {_MAX_NAME_CHARS} printable characters; {name[:80]!r} is not", param="name"
        )
    return name
