"""Splits by hash of the unit: the same case is in the same part today and in a year, whatever else is in the dataset.

The unit is the cluster where there is one, so a conversation is never torn into train and test.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

import msgspec

from ...errors import InvalidRequest
from ..case import Case, Split

_PARTS: tuple[Split, ...] = get_args(Split)


def ratios_of(text: str) -> dict[Split, float]:
    """``train=0.8,dev=0.1,test=0.1``; `InvalidRequest` for other names and for what does not come to 1."""
    found: dict[Split, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        known = next((each for each in _PARTS if each == name), None)
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if known is None or known in found or not 0 <= value <= 1:
            raise InvalidRequest(f"split {part.strip()!r}: write e.g. train=0.8,dev=0.1,test=0.1", param="ratios")
        found[known] = value
    return checked(found)


def checked(ratios: Mapping[Split, float]) -> dict[Split, float]:
    if abs(sum(ratios.values()) - 1) > 1e-9:
        raise InvalidRequest(f"the shares come to {sum(ratios.values()):g}; they must come to 1", param="ratios")
    return {name: ratios[name] for name in _PARTS if name in ratios}


def split_of(unit: str, ratios: Mapping[Split, float], seed: int = 0) -> Split:
    """Which part a unit is in."""
    place = int.from_bytes(hashlib.blake2b(f"{seed}:{unit}".encode(), digest_size=8).digest()) / 2**64
    bound = 0.0
    for name, share in ratios.items():
        bound += share
        if place < bound:
            return name
    return next(name for name, share in reversed(list(ratios.items())) if share > 0)  # rounding at the very end


def assigned(cases: Iterable[Case], ratios: Mapping[Split, float], seed: int = 0) -> Iterator[Case]:
    """The cases, each with its split."""
    for case in cases:
        yield msgspec.structs.replace(case, split=split_of(case.unit, ratios, seed))
