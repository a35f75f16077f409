"""Shares of an experiment's arms, and which arm a unit is in.

Shares are those of top-two Thompson sampling with beta = 1/2 (Russo 2020; Shang, de Heide, Menard, Kaufmann, Valko
2020): half of the units go to arms as they are likely to be the best, half to the likeliest challenger of each. The
likelihoods are integrals over Beta posteriors, so the same evidence always gives the same shares. Every arm keeps a
least share. Units are assigned by weighted rendezvous hashing: an arm whose share grows takes units from the others,
and nothing moves between those. Not covered: outcomes that depend on the time of the day.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import msgspec

from ..bucketing import BUCKETS, bucket_of

_REACH = 8.0
"""Standard deviations of a posterior that are looked at, and into how many points one is divided."""
_FINENESS = 4
_EDGE = 1e-12
_DIGITS = 6


class Beta(msgspec.Struct, frozen=True):
    """A posterior of a mean in [0, 1]."""

    a: float
    b: float


def posterior(n: int, total: float) -> Beta:
    """After ``n`` outcomes in [0, 1], from the uniform prior; a fractional one counts as that much of a success."""
    return Beta(1 + total, 1 + max(0.0, n - total))


def top_two_shares(arms: Mapping[str, Beta], least: float | None = None) -> dict[str, float]:
    """Each arm's share of the next units; ``least`` is 1/10 of an even one where it is not given. They add up to 1."""
    even = 1 / len(arms)
    floor = even / 10 if least is None else min(least, even)
    best = likely_best(list(arms.values()))
    raw = [chance * (0.5 + 0.5 * others) for chance, others in zip(best, _challenges(best), strict=True)]
    whole = sum(raw)
    given = [round(floor + (1 - floor * len(arms)) * each / whole, _DIGITS) if whole else even for each in raw]
    given[given.index(max(given))] += 1 - sum(given)
    return {arm: round(share, _DIGITS) for arm, share in zip(arms, given, strict=True)}


def likely_best(arms: Sequence[Beta]) -> list[float]:
    """The probability of each arm to have the highest mean."""
    if len(arms) == 1:
        return [1.0]
    points = _points(arms)
    widths = [after - before for before, after in pairwise(points)]
    densities = [_density(each, points) for each in arms]
    below = [_integrals(each, widths) for each in densities]
    chances = []
    for number, density in enumerate(densities):
        others = [each for other, each in enumerate(below) if other != number]
        product = [here * math.prod(column) for here, column in zip(density, zip(*others, strict=True), strict=True)]
        chances.append(_integrals(product, widths)[-1])
    whole = sum(chances)
    return [each / whole for each in chances] if whole > 0 else [1 / len(arms)] * len(arms)


def even_shares(arms: Sequence[str]) -> dict[str, float]:
    given = [round(1 / len(arms), _DIGITS)] * len(arms)
    given[0] = round(1 - sum(given[1:]), _DIGITS)
    return dict(zip(arms, given, strict=True))


class Draw(msgspec.Struct, frozen=True):
    """An experiment's arms, ready to choose from: the seed of each, and the inverse of its share."""

    salt: str
    arms: tuple[tuple[str, int, float], ...]

    def choose(self, unit: str) -> str:
        """The same arm in every process while shares stay.

        The arm whose exponential waiting time (-ln u / share) is the shortest wins with the probability of its share.
        The unit is hashed once; murmur3's finaliser makes one number per arm of it.
        """
        hashed, shortest, chosen = bucket_of(self.salt, unit), math.inf, ""
        log = math.log
        for arm, seed, inverse in self.arms:
            mixed = hashed ^ seed
            mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
            mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
            waiting = -log(((mixed ^ mixed >> 16) + 0.5) / BUCKETS) * inverse
            if waiting < shortest:
                shortest, chosen = waiting, arm
        return chosen


def draw_of(salt: str, shares: Mapping[str, float]) -> Draw:
    """Arms without a share are left out."""
    arms = tuple((arm, bucket_of(salt, f"arm {arm}"), 1 / share) for arm, share in shares.items() if share > 0)
    if not arms:
        raise ValueError(f"shares {dict(shares)!r}: one has to be above 0")
    return Draw(salt=salt, arms=arms)


def _challenges(best: Sequence[float]) -> list[float]:
    """For each arm the sum over the others of how likely one leads and this is drawn as its challenger, given it leads
    not itself. The rest is added up, not taken from 1, so that it is exact near a decision."""
    rests = [sum(other for place, other in enumerate(best) if place != number) for number in range(len(best))]
    odds = [chance / rest if rest > 0 else 0.0 for chance, rest in zip(best, rests, strict=True)]
    return [sum(each for place, each in enumerate(odds) if place != number) for number in range(len(best))]


def _points(arms: Sequence[Beta]) -> list[float]:
    """Where a density changes, fine in proportion to each posterior's spread."""
    found = {_EDGE, 1 - _EDGE}
    for each in arms:
        size = each.a + each.b
        mean = each.a / size
        step = math.sqrt(mean * (1 - mean) / (size + 1)) / _FINENESS
        reach = int(_REACH * _FINENESS)
        places = (mean + step * number for number in range(-reach, reach + 1))
        found.update(place for place in places if _EDGE < place < 1 - _EDGE)
    return sorted(found)


def _density(each: Beta, points: Sequence[float]) -> list[float]:
    a, b = each.a - 1, each.b - 1
    constant = math.lgamma(each.a + each.b) - math.lgamma(each.a) - math.lgamma(each.b)
    return [math.exp(constant + a * math.log(point) + b * math.log1p(-point)) for point in points]


def _integrals(values: Sequence[float], widths: Sequence[float]) -> list[float]:
    """By the rule of trapezia, up to each point."""
    parts = ((before + after) / 2 * width for (before, after), width in zip(pairwise(values), widths, strict=True))
    return list(accumulate(parts, initial=0.0))
