"""JSON Web Tokens (RFC 7519, by the rules of RFC 8725) as credentials, beside API keys.

The text of a token chooses nothing but its issuer and a key among that issuer's: the algorithms are the issuer's own
list, and which algorithm fits which key is the library's knowledge (joserfc). A token that was found good is remembered
by the hash of all of it, until it expires, its issuer's keys change, or it is pushed out by others; whether its tenant
is known and enabled is asked every time. Not covered: encrypted tokens, revocation of single tokens (keep them short).
"""

import asyncio
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS, JWSAlgModel
from joserfc.util import urlsafe_b64decode

from ..clock import Clock
from ..errors import ConfigError, Unauthenticated
from ..jwt_settings import JwtIssuerSettings
from .claims import TokenIdentity, identity_of, read_part, refusal
from .issuer_keys import IssuerKeys
from .jwks import KeySet, PublicKey, UnusableKeys
from .keyring import Keyring

MAX_TOKEN_CHARS = 8192
_REMEMBERED = 4096
_FORMAT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_ALGORITHMS: dict[str, JWSAlgModel] = {model.name: model for model in JWS_ALGORITHMS}


class Good(msgspec.Struct, frozen=True):
    """A token that was found good, and the keys that it was checked with."""

    identity: TokenIdentity
    source: IssuerKeys
    keys: KeySet
    expires_at_s: float


class TokenVerifier:
    """Judges tokens. ``start`` it before calls come; ``identify`` may be called from any thread."""

    def __init__(self, sources: Sequence[IssuerKeys], keyring: Keyring, *, capacity: int = _REMEMBERED) -> None:
        """``capacity`` is how many good tokens are remembered."""
        self.sources = sources
        self._by_issuer = {source.issuer.issuer: source for source in sources}
        self._keyring = keyring
        self._capacity = capacity
        self._good: OrderedDict[bytes, Good] = OrderedDict()
        self._lock = threading.Lock()  # the control plane asks from threads of its own

    async def start(self) -> None:
        """Read all issuers' keys; one that does not answer is noted in ``problems`` and asked again."""
        await asyncio.gather(*(source.start() for source in self.sources))

    async def aclose(self) -> None:
        for source in self.sources:
            await source.aclose()

    def problems(self) -> list[str]:
        """Why tokens may be judged by keys that are out of date."""
        return [
            f"the keys of the token issuer {source.issuer.name} cannot be read: {source.failing}"
            for source in self.sources
            if source.failing is not None
        ]

    @property
    def remembered(self) -> int:
        """How many good tokens need not be judged again."""
        return len(self._good)

    def identify(self, text: str, now_s: float) -> TokenIdentity:
        """Whose token this is; `Unauthenticated` for one that is not good, `Forbidden` for one that may do nothing."""
        if len(text) > MAX_TOKEN_CHARS:
            raise refusal(f"it is longer than {MAX_TOKEN_CHARS} characters")
        digest = hashlib.sha256(text.encode()).digest()
        good = self._recall(digest, now_s)
        if good is None:
            good = self._judge(text, now_s)
            if now_s < good.expires_at_s:  # one that lives on by the leeway is judged every time
                self._remember(digest, good)
        self._keyring.check_tenant(good.identity.key.tenant)
        return good.identity

    def _recall(self, digest: bytes, now_s: float) -> Good | None:
        with self._lock:
            good = self._good.get(digest)
            if good is None:
                return None
            if now_s >= good.expires_at_s or good.keys is not good.source.current:
                del self._good[digest]
                return None
            self._good.move_to_end(digest)
            return good

    def _remember(self, digest: bytes, good: Good) -> None:
        with self._lock:
            self._good[digest] = good
            if len(self._good) > self._capacity:
                self._good.popitem(last=False)

    def _judge(self, text: str, now_s: float) -> Good:
        parts = _FORMAT.fullmatch(text)
        if parts is None:
            raise refusal("it is not a JSON Web Token, or was not copied whole")
        header, claims = read_part(parts[1]), read_part(parts[2])
        issued_by = claims.get("iss")
        source = self._by_issuer.get(issued_by) if isinstance(issued_by, str) else None
        if source is None:
            raise refusal("its issuer ('iss') is not one of those that are configured here")
        algorithm = _algorithm(header, source.issuer)
        keys = source.current
        key = self._key(header, algorithm, source, keys)
        _check_signature(text, parts[3], algorithm, key)
        identity = identity_of(claims, source.issuer, now_s)
        return Good(identity, source, keys, identity.key.expires_at_s or 0.0)

    @staticmethod
    def _key(header: dict[str, Any], algorithm: JWSAlgModel, source: IssuerKeys, keys: KeySet) -> PublicKey:
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise refusal("the key that it names ('kid') is not a text")
        key = keys.find(kid, algorithm.key_type)
        if key is not None:
            return key
        if kid is None and keys.count:
            raise refusal("it does not say which of its issuer's keys it is signed with ('kid')")
        source.ask()
        raise refusal(
            "the key that it is signed with is not among its issuer's keys; if the issuer has a new one, try again "
            "in a moment",
            retry_after_s=1.0,
        )


def load_sources(issuers: Sequence[JwtIssuerSettings], clock: Clock) -> list[IssuerKeys]:
    """The issuers' keys as far as they lie in files; `ConfigError` for a file that is of no use."""
    sources = [IssuerKeys(issuer, clock) for issuer in issuers]
    problems = []
    for source in sources:
        try:
            source.load_file()
        except UnusableKeys as exc:
            problems.append(f"auth.jwt: the keys of the issuer {source.issuer.name!r}: {exc.message}")
    if problems:
        raise ConfigError(problems)
    return sources


def _algorithm(header: dict[str, Any], issuer: JwtIssuerSettings) -> JWSAlgModel:
    """The algorithm that the header names, if it is one of the issuer's; and nothing else in the header matters."""
    if "crit" in header or "b64" in header:
        raise refusal("it demands an extension ('crit') that is not known here")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise refusal("its type ('typ') is not that of an access token")
    name = header.get("alg")
    if name not in issuer.algorithms:
        raise refusal(f"its issuer's tokens are signed with {' or '.join(issuer.algorithms)} ('alg'), this one is not")
    return _ALGORITHMS[name]


def _check_signature(text: str, signature: str, algorithm: JWSAlgModel, key: PublicKey) -> None:
    try:
        algorithm.check_key(key)  # its type, curve and purpose
        signed = text[: -len(signature) - 1].encode("ascii")
        if algorithm.verify(signed, urlsafe_b64decode(signature.encode("ascii")), key):
            return
    except (JoseError, ValueError) as exc:
        raise _bad_signature() from exc
    raise _bad_signature()


def _bad_signature() -> Unauthenticated:
    return refusal("its signature does not fit")
