"""Sticky chance: which of so many buckets a unit (a user, a session) falls into, the same in every process and after
every restart.

Nothing is remembered: the bucket is MurmurHash3 (x86, 32 bits) of the unit, seeded with that of a salt, so replicas
agree without asking each other, and two experiments with different salts are independent of each other. A share that
grows takes in new units and never gives one back, since a unit's bucket stays. Not covered: secrecy; whoever knows the
salt can choose a unit.
"""

from functools import lru_cache

import mmh3

BUCKETS = 2**32
"""How fine shares are: finer than any that can be told apart by counting."""


def bucket_of(salt: str, unit: str) -> int:
    """The unit's place in [0, `BUCKETS`). Texts that no encoding holds (half surrogates) have one as well."""
    return mmh3.hash(unit.encode("utf-8", "surrogatepass"), _seed(salt), False)


@lru_cache(maxsize=4096)
def _seed(salt: str) -> int:
    return mmh3.hash(salt.encode("utf-8", "surrogatepass"), 0, False)


def threshold_of(share: float) -> int:
    """Units whose bucket is below it make up ``share`` (0 to 1) of all: none at 0, everybody at 1."""
    return round(min(max(share, 0.0), 1.0) * BUCKETS)
