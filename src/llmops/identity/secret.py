"""API keys as text: ``sk-<public id>-<secret>``, and the digest that stands for the secret in the database.

The public id finds the key, the secret (48 characters of 62, some 285 bits) proves it. A random secret of that size
needs no slow hash: HMAC-SHA256 under an installation's pepper keeps a stolen database useless and costs a microsecond.
"""

import hashlib
import os
import re
import secrets
import string
from pathlib import Path

import msgspec

from ..secret_file import SECRET_BYTES, load_or_make

PREFIX = "sk"
_ID_ALPHABET = string.ascii_lowercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits
_ID_CHARS, _SECRET_CHARS = 12, 48
TEXT_CHARS = len(PREFIX) + 1 + _ID_CHARS + 1 + _SECRET_CHARS
_ID = re.compile(rf"[a-z0-9]{{{_ID_CHARS}}}")
_FORMAT = re.compile(rf"{PREFIX}-({_ID.pattern})-([A-Za-z0-9]{{{_SECRET_CHARS}}})")
_BLOCK_BYTES = 64
PEPPER_VARIABLE = "LLMOPS_KEY_PEPPER"


class Credential(msgspec.Struct, frozen=True):
    """A key's two parts. The text is shown to its owner once and stored nowhere."""

    public_id: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}-{self.public_id}-{self.secret}"

    def __repr__(self) -> str:
        return f"Credential({self.public_id!r}, **********)"


def mint(public_id: str | None = None) -> Credential:
    """A new credential from the system's entropy; with ``public_id``, a new secret for a key that exists."""
    if public_id is None:
        public_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_CHARS))
    return Credential(public_id, "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_CHARS)))


def parse(text: str) -> Credential | None:
    """The parts of a key's text; None for anything that is not one."""
    found = _FORMAT.fullmatch(text)
    return Credential(found[1], found[2]) if found else None


def is_public_id(text: str) -> bool:
    """Whether a key can have this id."""
    return _ID.fullmatch(text) is not None


class Digester:
    """HMAC-SHA256 (RFC 2104) of secrets under one pepper, whose two padded blocks are hashed once and for all.

    The library's one-shot ``hmac.digest`` gives the same and costs a call several microseconds more.
    """

    def __init__(self, pepper: bytes) -> None:
        block = pepper if len(pepper) <= _BLOCK_BYTES else hashlib.sha256(pepper).digest()
        block = block.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, secret: str) -> bytes:
        """What is stored for a secret: 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(secret.encode())
        outer.update(inner.digest())
        return outer.digest()


def load_pepper(directory: Path) -> bytes:
    """The pepper from ``LLMOPS_KEY_PEPPER`` (at least 32 characters) or from ``directory/.pepper``, made when missing.

    `ValueError` when the variable is too short, `OSError` when the file cannot be read or made.
    """
    given = os.environ.get(PEPPER_VARIABLE, "")
    if not given:
        return load_or_make(directory / ".pepper")
    if len(given) < SECRET_BYTES:
        raise ValueError(f"{PEPPER_VARIABLE} must have at least {SECRET_BYTES} characters")
    return given.encode()
