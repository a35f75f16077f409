"""An issuer's public keys (JSON Web Key Set, RFC 7517; or one PEM key): what its tokens may be signed with.

A set is read as a whole and never changes. Only public keys for signatures count: shared secrets, keys for encryption,
RSA below 2048 bits and whatever is not understood are left out, and of a private key that somebody published by mistake
nothing but its public half is taken. Which key checks a token is the token's ``kid``'s choice among these, and nothing
in a token (``jwk``, ``jku``, ``x5u``) can add one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ..errors import LLMOpsError

PublicKey = RSAKey | ECKey | OKPKey
_KINDS: Mapping[str, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PUBLIC_MEMBERS = ("kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e")
_MAX_KEYS = 100
_RSA_BITS = range(2048, 8193)
_DECODER: "msgspec.json.Decoder[dict[str, Any]]" = msgspec.json.Decoder(dict[str, Any])


class UnusableKeys(LLMOpsError):
    """What should hold an issuer's keys does not. Never reaches a caller: the keys known before stay in force."""


class KeySet:
    """Keys by name and type. A lone key without a name (as every PEM key is) checks tokens of any name."""

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        found = list(keys)
        # The same name may stand for keys of several types (RFC 7517, 4.5). Of two with one name and type the first
        # counts: which one a token means cannot be known.
        self._named: dict[tuple[str, str], PublicKey] = {}
        for key in found:
            if key.kid is not None:
                self._named.setdefault((key.kid, key.key_type), key)
        self._lone = found[0] if len(found) == 1 else None
        self.count = len(found)

    def find(self, kid: str | None, key_type: str) -> PublicKey | None:
        """The key for a token that names ``kid``, or for one that names none where there is only one key."""
        lone = self._lone
        if lone is not None and (kid is None or lone.kid is None):
            return lone if lone.key_type == key_type else None
        return self._named.get((kid, key_type)) if kid is not None else None


def read_jwks(raw: bytes) -> KeySet:
    """The usable keys of a JWKS document; `UnusableKeys` when it is none or has none."""
    try:
        listed = _DECODER.decode(raw).get("keys")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UnusableKeys(f"is not a JWKS document, a JSON object with 'keys': {str(exc)[:200]}") from exc
    if not isinstance(listed, list):
        raise UnusableKeys("is not a JWKS document: 'keys' is not a list")
    if len(listed) > _MAX_KEYS:
        raise UnusableKeys(f"holds {len(listed)} keys; at most {_MAX_KEYS} are accepted")
    keys = [key for each in listed if (key := _public_key(each)) is not None]
    if not keys:
        raise UnusableKeys(
            f"holds no public key for signatures (RSA of 2048 bits or more, EC, Ed25519) among {len(listed)}"
        )
    return KeySet(keys)


def read_pem(raw: bytes) -> KeySet:
    """The one key of a PEM file (a public key or a certificate); `UnusableKeys` for anything else."""
    if b"PRIVATE KEY" in raw:
        raise UnusableKeys("holds a private key, which does not belong here; give the public key")
    if b"-----BEGIN " not in raw:
        raise UnusableKeys("is not a PEM file; it begins with -----BEGIN PUBLIC KEY-----")
    for kind in _KINDS.values():
        try:
            native = kind.binding.import_from_bytes(raw)
        except JoseError:  # a key of another type
            continue
        except Exception as exc:  # a border: the library has many ways to choke on a file
            raise UnusableKeys(f"is not a public key: {exc}") from exc
        if not _strong(native):
            raise UnusableKeys(f"holds an RSA key of {native.key_size} bits; {_RSA_BITS[0]} are the least")
        return KeySet([kind.import_key(native)])
    raise UnusableKeys("holds a key of an unknown type; RSA, EC and Ed25519 are accepted")


def _public_key(data: Any) -> PublicKey | None:
    """A key of a set; None for one that cannot check a signature here (RFC 7517, 5: ignore what is not understood)."""
    kind = _KINDS.get(str(data.get("kty"))) if isinstance(data, dict) else None
    if kind is None or data.get("use", "sig") != "sig":
        return None
    public = {name: data[name] for name in _PUBLIC_MEMBERS if data.get(name) is not None}
    try:
        if "verify" not in public.get("key_ops", ["verify"]):
            return None
        kind.validate_dict_key(public)
        return kind.import_key(public) if _strong(kind.binding.import_from_dict(public)) else None
    except Exception:  # noqa: BLE001 - a border: one broken key of a set must not take the others with it
        return None


def _strong(native: Any) -> bool:
    """Looked at before the library warns about it. Huge keys would make every check slow."""
    return not hasattr(native, "public_numbers") or hasattr(native, "curve") or native.key_size in _RSA_BITS
