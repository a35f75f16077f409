"""Who may use what is not a call: the control plane, the model list, the metrics.

While there is no key, whoever calls from this machine is its administrator. From the first key on everything needs one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..clock import Clock
from ..errors import Forbidden
from ..identity.key import CONTROL_ROLES, TOKEN_PREFIX, Key, Role
from ..identity.keyring import Keyring
from .asgi import Scope
from .data_plane import basic_credential_of, credential_of

if TYPE_CHECKING:
    from ..identity.jwt import TokenVerifier


class Caller(msgspec.Struct, frozen=True):
    """Whoever asks. ``tenant`` None sees all tenants."""

    role: Role
    tenant: str | None
    key: Key | None = None

    def may_touch(self, role: Role) -> bool:
        """Whether this caller may make or end keys of that role: never one that is more than itself."""
        return role == "caller" or CONTROL_ROLES.index(role) <= CONTROL_ROLES.index(self.role)


class Access:
    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        tokens: "TokenVerifier | None" = None,
        *,
        address_of: Callable[[Scope, dict[bytes, bytes]], str | None],
    ) -> None:
        self._address_of = address_of
        self._keyring = keyring
        self._tokens = tokens
        self._clock = clock

    def caller(self, scope: Scope, least: Role) -> Caller:
        """The caller of a request that needs the role ``least``; `Unauthenticated` or `Forbidden` otherwise."""
        key = self.any_key(scope)
        if key is None:
            return Caller("admin", None)
        if key.role not in CONTROL_ROLES or CONTROL_ROLES.index(key.role) < CONTROL_ROLES.index(least):
            raise Forbidden(f"this needs the role {least!r}; {key.shown} has the role {key.role!r}")
        return Caller(key.role, None if key.role == "admin" else key.tenant, key)

    def any_key(self, scope: Scope) -> Key | None:
        """The key of a request that needs one of any role, or what stands for its token; None for this machine's own
        while there are no keys."""
        headers = dict(scope["headers"])
        if self._keyring.open:
            self._keyring.check_local(self._address_of(scope, headers))
            return None
        credential, now_s = credential_of(headers) or basic_credential_of(headers), self._clock.now_s()
        if self._tokens is not None and credential is not None and credential.startswith(TOKEN_PREFIX):
            return self._tokens.identify(credential, now_s).key
        return self._keyring.identify(credential, now_s)

    def visible_models(self, key: Key | None, names: list[str]) -> list[str]:
        """The model names that a key may use."""
        if key is None or not key.models:
            return names
        return [name for name in names if self._keyring.allows_model(key, name)]
