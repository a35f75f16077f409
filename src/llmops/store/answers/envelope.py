"""An answer as it lies in Redis: what decides over it in front, then the bytes of whoever keeps it.

``heard`` is the newest word of invalidation known when its call began. ``expires_s`` stands beside Redis' own expiry,
which alone would go by another clock than the reader's. What is no envelope of this version reads as None.
"""

import struct
from typing import NamedTuple

import msgspec

from .labels import Labels

_HEAD = struct.Struct("<BQdI")
_FORMAT = 1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Labels).decode


class Envelope(NamedTuple):
    heard: int
    expires_s: float
    labels: bytes
    data: bytes


def seal(heard: int, expires_s: float, labels: Labels, data: bytes) -> bytes:
    packed = _encode(labels)
    return b"".join((_HEAD.pack(_FORMAT, heard, expires_s, len(packed)), packed, data))


def unseal(sealed: bytes) -> Envelope | None:
    if len(sealed) < _HEAD.size:
        return None
    version, heard, expires_s, length = _HEAD.unpack_from(sealed)
    begins = _HEAD.size + length
    if version != _FORMAT or begins > len(sealed):
        return None
    return Envelope(heard, expires_s, sealed[_HEAD.size : begins], sealed[begins:])


def labels_of(envelope: Envelope) -> Labels | None:
    """Decoded only where words of invalidation have to be compared with them."""
    try:
        return _decode(envelope.labels)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
