"""All keys in memory: a credential is judged without any I/O, from its text alone.

The ring changes from another thread while it is read (`refresher`): key by key with what has changed in the database,
or as a whole. A reader sees each key as it was or as it is. Comparisons are as many whether the id exists or not.

A credential that was found valid is remembered, so that its next use costs one hash instead of a full judgement. What
is remembered is a BLAKE2b of the whole text under a key that this process has drawn at random. Why the look-up, which
is no comparison in constant time, gives nothing away: nobody outside can say which hash a text has, so how nearly it
resembles one that is remembered tells nothing about how nearly the texts do, and only the whole valid text finds it.
What does not fit is never remembered. Whoever has a valid credential may learn that it was used lately, and no more.
Ends that lie in the future (expiry, the old secret's grace) are looked at on each use; any change of any key or tenant
makes the ring forget everything.
"""

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from ..errors import Forbidden, Unauthenticated
from ..name_pattern import name_matcher
from ..types import Operation
from .key import Key, Tenant
from .secret import TEXT_CHARS, Credential, Digester, parse

_NO_DIGEST = bytes(32)
_MAX_PATTERNS = 10_000
_SHARDS = 256
"""Keys lie in many dictionaries: one of a million stops the whole process for 60 ms when it grows, 140 when it goes."""
_MAX_VERIFIED = 20_000
"""How many valid credentials are remembered: some 4 MB."""
_REFUSAL = "the API key is not valid; keys look like sk-<12 characters>-<48 characters>: was it copied whole?"


class Keyring:
    """Judges credentials. ``open`` while there is known to be no key at all: then this machine may call without one.
    Before keys have been loaded for the first time nobody may, and never where ``may_open`` is false because there are
    other ways to say who one is."""

    def __init__(self, pepper: bytes, *, may_open: bool = True, remembered: int = _MAX_VERIFIED) -> None:
        self._may_open = may_open
        self._digester = Digester(pepper)
        self._loaded = False
        self._shards: list[dict[str, Key]] = [{} for _ in range(_SHARDS)]
        self._count = 0
        self._seal = hashlib.blake2b(key=secrets.token_bytes(64), digest_size=32)
        self._max_verified = remembered
        self._verified: dict[bytes, tuple[Key, float]] = {}
        """Exchanged, not emptied, when something changes: a judgement under way then writes into the old one."""
        self._disabled: frozenset[str] = frozenset()
        self._tenants: frozenset[str] = frozenset()
        self._models: dict[tuple[str, ...], list[re.Pattern[str]]] = {}

    @property
    def open(self) -> bool:
        return self._may_open and self._loaded and not self._count

    @property
    def count(self) -> int:
        """How many keys there are, in force or not."""
        return self._count

    @property
    def remembered(self) -> int:
        """How many credentials need no full judgement the next time."""
        return len(self._verified)

    def check_local(self, client_ip: str | None) -> None:
        """While ``open``: `Unauthenticated` for a caller on another machine. None is a caller without an address, such
        as one on a Unix socket."""
        if client_ip is not None and not _is_loopback(client_ip):
            raise Unauthenticated(
                "this gateway has no API keys yet and serves its own machine only; its operator makes the first one "
                "with `llmops keys create NAME`"
            )

    def replace(self, keys: Iterable[Key], tenants: Iterable[Tenant]) -> None:
        """Take the keys and tenants that there are now, and no others."""
        tenants = list(tenants)
        self._tenants = frozenset(tenant.id for tenant in tenants)
        self._disabled = frozenset(tenant.id for tenant in tenants if tenant.disabled)
        shards: list[dict[str, Key]] = [{} for _ in range(_SHARDS)]
        for key in keys:
            key_id = key.id
            shards[hash(key_id) % _SHARDS][key_id] = key
        for number, shard in enumerate(shards):
            self._shards[number] = shard
        self._forget()
        self._loaded = True

    def update(self, keys: Iterable[Key], tenants: Iterable[Tenant]) -> None:
        """Take keys and tenants that are new or have changed; the others stay."""
        tenants = list(tenants)
        if tenants:
            changed = {tenant.id for tenant in tenants}
            self._tenants |= changed
            self._disabled = self._disabled - changed | {tenant.id for tenant in tenants if tenant.disabled}
        for key in keys:
            self._shards[hash(key.id) % _SHARDS][key.id] = key
        self._forget()

    def _forget(self) -> None:
        """Let what has changed take effect."""
        self._count = sum(map(len, self._shards))
        self._verified = {}

    def identify(self, text: str | None, now_s: float) -> Key:
        """The key behind a credential; `Unauthenticated` when there is none, or not a valid one."""
        if not text:
            raise Unauthenticated("no API key was given; send it as 'Authorization: Bearer sk-…' or 'x-api-key: sk-…'")
        if len(text) != TEXT_CHARS or not text.isascii():
            raise Unauthenticated(_REFUSAL)
        seal = self._seal.copy()
        seal.update(text.encode())
        tag = seal.digest()
        verified = self._verified  # before the key is looked up: see there
        found = verified.get(tag)
        if found is not None and now_s < found[1]:
            return found[0]
        credential = parse(text)
        if credential is None:
            raise Unauthenticated(_REFUSAL)
        key, until_s = self._judge(credential, now_s)
        if len(verified) >= self._max_verified:
            verified.clear()
        verified[tag] = key, until_s
        return key

    def _judge(self, credential: Credential, now_s: float) -> tuple[Key, float]:
        """The key, and until when this answer holds if nothing changes."""
        key = self._shards[hash(credential.public_id) % _SHARDS].get(credential.public_id)
        given = self._digester.digest(credential.secret)
        fits = hmac.compare_digest(given, key.digest if key is not None else _NO_DIGEST)
        fitted = hmac.compare_digest(given, (key.previous_digest if key is not None else None) or _NO_DIGEST)
        grace_until_s = math.inf if fits else (key.previous_until_s if key is not None and fitted else None) or 0.0
        if key is None or now_s >= grace_until_s:
            raise Unauthenticated(_REFUSAL)
        state = key.state(now_s)
        if state != "active":
            raise Unauthenticated(f"the API key {key.id} is {state}; ask for a new one")
        if key.tenant in self._disabled:
            raise Unauthenticated(f"the tenant of the API key {key.id} is disabled")
        return key, min(grace_until_s, math.inf if key.expires_at_s is None else key.expires_at_s)

    def check_tenant(self, tenant: str) -> None:
        """`Unauthenticated` for a tenant that is not known here, or disabled: what its tokens meet. Their claim has the
        form of an id, so it may be repeated."""
        if tenant not in self._tenants:
            raise Unauthenticated(
                f"the token's tenant {tenant!r} is not known here; an operator makes it with `llmops tenants create`"
            )
        if tenant in self._disabled:
            raise Unauthenticated(f"the token's tenant {tenant!r} is disabled")

    def check_call(self, key: Key, operation: Operation, model: str) -> None:
        """`Forbidden` when the key may not make this call."""
        if key.role != "caller":
            raise Forbidden(
                f"{key.shown} is for the control plane (role {key.role!r}); calls need a key with the role 'caller'"
            )
        if key.operations and operation not in key.operations:
            raise Forbidden(f"{key.shown} may not use {operation!r}; it may use {', '.join(key.operations)}")
        if not self.allows_model(key, model):
            raise Forbidden(
                f"{key.shown} may not use the model {model[:100]!r}; it may use {', '.join(key.models)}", param="model"
            )

    def allows_model(self, key: Key, model: str) -> bool:
        return not key.models or any(pattern.fullmatch(model) for pattern in self._patterns(key.models))

    def _patterns(self, models: tuple[str, ...]) -> list[re.Pattern[str]]:
        found = self._models.get(models)
        if found is None:
            if len(self._models) >= _MAX_PATTERNS:  # tokens bring lists of their own
                self._models.clear()
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
