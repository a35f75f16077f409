"""Sticky chance: which of so many buckets a unit (a user, a session) falls into, the same in every process and after
every restart.

Nothing is remembered: the bucket is MurmurHash3 (x86, 32 bits) of a salt and the unit, so replicas agree without asking
each other, and two experiments with different salts are independent of each other. A share that grows takes in new
units and never gives one back, since a unit's bucket stays. Not covered: secrecy; whoever knows the salt can choose a
unit.
"""

from struct import unpack_from

_MASK = 0xFFFFFFFF
_C1, _C2 = 0xCC9E2D51, 0x1B873593
_SEPARATOR = "\x1f"
BUCKETS = 2**32
"""How fine shares are: finer than any that can be told apart by counting."""


def murmur3_32(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32, without a sign (Appleby, public domain)."""
    length = len(data)
    blocks = length >> 2
    found = seed & _MASK
    for block in unpack_from(f"<{blocks}I", data):
        block = (block * _C1) & _MASK
        block = ((block << 15 | block >> 17) * _C2) & _MASK
        found ^= block
        found = ((found << 13 | found >> 19) * 5 + 0xE6546B64) & _MASK
    if length & 3:
        block = (int.from_bytes(data[blocks << 2 :], "little") * _C1) & _MASK
        found ^= ((block << 15 | block >> 17) * _C2) & _MASK
    found ^= length
    found = ((found ^ found >> 16) * 0x85EBCA6B) & _MASK
    found = ((found ^ found >> 13) * 0xC2B2AE35) & _MASK
    return found ^ found >> 16


def bucket_of(salt: str, unit: str) -> int:
    """The unit's place in [0, `BUCKETS`). Texts that no encoding holds (half surrogates) have one as well."""
    return murmur3_32(f"{salt}{_SEPARATOR}{unit}".encode("utf-8", "surrogatepass"))


def threshold_of(share: float) -> int:
    """Units whose bucket is below it make up ``share`` (0 to 1) of all: none at 0, everybody at 1."""
    return round(min(max(share, 0.0), 1.0) * BUCKETS)
