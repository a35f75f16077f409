"""Histograms of durations whose sum is the histogram of all: exponential buckets of base 2^(1/8), in microseconds.

Bucket ``i`` counts durations from 2^(i/8) up to 2^((i+1)/8) µs; bucket 0 also what is shorter, and the last, from 71
minutes on, what is longer. A quantile is its bucket's geometric middle, at most 4.5 % from the exact one.

A histogram is one whole number with a lane of 40 bits for each bucket: adding numbers adds histograms, in C, and what
was added can be subtracted. A lane overflows at 10^12 durations in one bucket; nobody has counted so far.
"""

import math
from collections.abc import Sequence

BUCKETS = 256
LANE_BITS = 40
RELATIVE_ERROR = 2 ** (1 / 16) - 1
"""4.43 %: how far a quantile may be from the duration that has its rank, above 1 µs and below 71 minutes."""
_LANE_BYTES = LANE_BITS // 8

ONE: Sequence[int] = tuple(1 << LANE_BITS * bucket for bucket in range(BUCKETS))
"""The histogram of one duration, by its bucket."""


def bucket_of(duration_us: int) -> int:
    if duration_us <= 1:
        return 0
    return min(int(8 * math.log2(duration_us)), BUCKETS - 1)


def upper_us(bucket: int) -> float:
    """What durations in this bucket are shorter than; infinite for the last."""
    return math.inf if bucket == BUCKETS - 1 else 2.0 ** ((bucket + 1) / 8)


def packed(histogram: int) -> bytes | None:
    """A form to be stored: the first bucket that counts anything, and the lanes from there on; None for nothing."""
    if not histogram:
        return None
    first = ((histogram & -histogram).bit_length() - 1) // LANE_BITS
    lanes = histogram >> LANE_BITS * first
    return bytes((first,)) + lanes.to_bytes((lanes.bit_length() + 7) // 8, "little")


def unpacked(stored: bytes | None) -> int:
    if stored is None:
        return 0
    return int.from_bytes(stored[1:], "little") << LANE_BITS * stored[0]


def merged(stored: bytes | None, added: bytes | None) -> bytes | None:
    """The sum of two in their stored form."""
    if stored is None or added is None:
        return stored if added is None else added
    first = min(stored[0], added[0])
    lanes = (int.from_bytes(stored[1:], "little") << LANE_BITS * (stored[0] - first)) + (
        int.from_bytes(added[1:], "little") << LANE_BITS * (added[0] - first)
    )
    return bytes((first,)) + lanes.to_bytes((lanes.bit_length() + 7) // 8, "little")


def counts(histogram: int) -> dict[int, int]:
    """How many durations there are in each bucket that has any, shortest first."""
    found: dict[int, int] = {}
    if not histogram:
        return found
    bucket = ((histogram & -histogram).bit_length() - 1) // LANE_BITS
    lanes = histogram >> LANE_BITS * bucket
    stored = lanes.to_bytes((lanes.bit_length() + LANE_BITS - 1) // LANE_BITS * _LANE_BYTES, "little")
    for begin in range(0, len(stored), _LANE_BYTES):
        count = int.from_bytes(stored[begin : begin + _LANE_BYTES], "little")
        if count:
            found[bucket] = count
        bucket += 1
    return found


def total(histogram: int) -> int:
    return sum(counts(histogram).values())


def quantiles_us(histogram: int, shares: Sequence[float]) -> list[float | None]:
    """The durations that these shares of all (between 0 and 1, rising) are no longer than; None of an empty one."""
    if not histogram:
        return [None] * len(shares)
    by_bucket = list(counts(histogram).items())
    everything = sum(count for _, count in by_bucket)
    found: list[float | None] = []
    at, passed = 0, by_bucket[0][1]
    for share in shares:
        rank = max(1, math.ceil(share * everything))
        while passed < rank:
            at += 1
            passed += by_bucket[at][1]
        found.append(2.0 ** ((by_bucket[at][0] + 0.5) / 8))
    return found


def at_most(histogram: int, duration_us: float) -> float:
    """How many durations are no longer than this; within the bucket that it falls into, in proportion."""
    if duration_us < 1:
        return 0.0
    bucket = bucket_of(int(duration_us))
    found = 0.0
    for each, count in counts(histogram).items():
        if each < bucket:
            found += count
        elif each == bucket:
            lower = 2.0 ** (bucket / 8)
            found += count * min(1.0, (duration_us - lower) / (upper_us(bucket) - lower))
    return found
