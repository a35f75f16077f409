"""All keys in memory: a credential is judged without any I/O, from its text alone.

The ring is exchanged as a whole when the database has changed (`refresher`); a reader sees the old one or the new one.
Comparisons take the same time whether the id exists or not.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from ..errors import Forbidden, Unauthenticated
from ..name_pattern import name_matcher
from ..types import Operation
from .key import Key, Tenant
from .secret import Digester, parse

_NO_DIGEST = bytes(32)
_REFUSAL = "the API key is not valid; keys look like sk-<12 characters>-<48 characters>: was it copied whole?"


class Keyring:
    """Judges credentials. ``open`` while there is known to be no key at all: then this machine may call without one.
    Before keys have been loaded for the first time nobody may."""

    def __init__(self, pepper: bytes) -> None:
        self._digester = Digester(pepper)
        self._loaded = False
        self._keys: Mapping[str, Key] = {}
        self._disabled: frozenset[str] = frozenset()
        self._models: dict[tuple[str, ...], list[re.Pattern[str]]] = {}

    @property
    def open(self) -> bool:
        return self._loaded and not self._keys

    @property
    def count(self) -> int:
        """How many keys there are, in force or not."""
        return len(self._keys)

    def check_local(self, client_ip: str | None) -> None:
        """While ``open``: `Unauthenticated` for a caller on another machine. None is a caller without an address, such
        as one on a Unix socket."""
        if client_ip is not None and not _is_loopback(client_ip):
            raise Unauthenticated(
                "this gateway has no API keys yet and serves its own machine only; its operator makes the first one "
                "with `llmops keys create NAME`"
            )

    def replace(self, keys: Iterable[Key], tenants: Iterable[Tenant]) -> None:
        """Take the keys and tenants that there are now."""
        self._disabled = frozenset(tenant.id for tenant in tenants if tenant.disabled)
        self._models.clear()
        self._keys = {key.id: key for key in keys}
        self._loaded = True

    def identify(self, text: str | None, now_s: float) -> Key:
        """The key behind a credential; `Unauthenticated` when there is none, or not a valid one."""
        if not text:
            raise Unauthenticated("no API key was given; send it as 'Authorization: Bearer sk-…' or 'x-api-key: sk-…'")
        credential = parse(text)
        if credential is None:
            raise Unauthenticated(_REFUSAL)
        key = self._keys.get(credential.public_id)
        given = self._digester.digest(credential.secret)
        fits = hmac.compare_digest(given, key.digest if key is not None else _NO_DIGEST)
        fitted = hmac.compare_digest(given, (key.previous_digest if key is not None else None) or _NO_DIGEST)
        if key is None or not (fits or (fitted and now_s < (key.previous_until_s or 0.0))):
            raise Unauthenticated(_REFUSAL)
        state = key.state(now_s)
        if state != "active":
            raise Unauthenticated(f"the API key {key.id} is {state}; ask for a new one")
        if key.tenant in self._disabled:
            raise Unauthenticated(f"the tenant of the API key {key.id} is disabled")
        return key

    def check_call(self, key: Key, operation: Operation, model: str) -> None:
        """`Forbidden` when the key may not make this call."""
        if key.role != "caller":
            raise Forbidden(
                f"the API key {key.id} is for the control plane (role {key.role!r}); calls need a key with the "
                "role 'caller'"
            )
        if key.operations and operation not in key.operations:
            raise Forbidden(f"the API key {key.id} may not use {operation!r}; it may use {', '.join(key.operations)}")
        if not self.allows_model(key, model):
            raise Forbidden(
                f"the API key {key.id} may not use the model {model[:100]!r}; it may use {', '.join(key.models)}",
                param="model",
            )

    def allows_model(self, key: Key, model: str) -> bool:
        return not key.models or any(pattern.fullmatch(model) for pattern in self._patterns(key.models))

    def _patterns(self, models: tuple[str, ...]) -> list[re.Pattern[str]]:
        found = self._models.get(models)
        if found is None:
            found = self._models[models] = [name_matcher(model) for model in models]
        return found


@lru_cache(maxsize=1024)
def _is_loopback(client_ip: str) -> bool:
    try:
        address = ip_address(client_ip)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
