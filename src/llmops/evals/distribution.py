"""How the values of a metric are spread: counts in equal steps, for a picture."""

import math
from collections.abc import Iterable

import msgspec

_STEPS = 20
_FEW = 12
"""So many different values, or fewer, have a bar of their own."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """From ``low`` to ``high``; both are the value itself where each value has its own."""

    low: float
    high: float
    count: int


def bins(values: Iterable[float], steps: int = _STEPS) -> list[Bin]:
    """In ascending order, empty ones among them; nothing for no values."""
    ordered = sorted(value for value in values if math.isfinite(value))
    if not ordered:
        return []
    different = sorted(set(ordered))
    if len(different) <= _FEW:
        counts = dict.fromkeys(different, 0)
        for value in ordered:
            counts[value] += 1
        return [Bin(low=value, high=value, count=count) for value, count in counts.items()]
    low, high = ordered[0], ordered[-1]
    width = (high - low) / steps
    counted = [0] * steps
    for value in ordered:
        counted[min(int((value - low) / width), steps - 1)] += 1
    return [
        Bin(low=low + width * number, high=low + width * (number + 1), count=count)
        for number, count in enumerate(counted)
    ]
