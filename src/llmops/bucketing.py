"""Sticky chance: which of so many buckets a unit (a user, a session) falls into, the same in every process and after
every restart.

Nothing is remembered: the bucket is MurmurHash3 (x86, 32 bits) of the unit, seeded with that of a salt, so replicas
agree without asking each other, and two experiments with different salts are independent of each other. A share that
grows takes in new units and never gives one back, since a unit's bucket stays. Not covered: secrecy; whoever knows the
salt can choose a unit.
"""

from functools import lru_cache
from struct import unpack_from

BUCKETS = 2**32
"""How fine shares are: finer than any that can be told apart by counting."""


def murmur3_32(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32, without a sign (Appleby, public domain). Its numbers stand in the loop as they are: looking
    names up would be a quarter of the time."""
    length, found = len(data), seed
    for block in unpack_from(f"<{length >> 2}I", data):
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        found ^= (block << 15 | block >> 17) * 0x1B873593 & 0xFFFFFFFF
        found = (found << 13 | found >> 19) * 5 + 0xE6546B64 & 0xFFFFFFFF
    if length & 3:
        block = int.from_bytes(data[length & ~3 :], "little") * 0xCC9E2D51 & 0xFFFFFFFF
        found ^= (block << 15 | block >> 17) * 0x1B873593 & 0xFFFFFFFF
    found ^= length
    found = (found ^ found >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    found = (found ^ found >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return found ^ found >> 16


def bucket_of(salt: str, unit: str) -> int:
    """The unit's place in [0, `BUCKETS`). Texts that no encoding holds (half surrogates) have one as well."""
    return murmur3_32(unit.encode("utf-8", "surrogatepass"), _seed(salt))


@lru_cache(maxsize=4096)
def _seed(salt: str) -> int:
    return murmur3_32(salt.encode("utf-8", "surrogatepass"))


def threshold_of(share: float) -> int:
    """Units whose bucket is below it make up ``share`` (0 to 1) of all: none at 0, everybody at 1."""
    return round(min(max(share, 0.0), 1.0) * BUCKETS)
