"""How far two raters agree beyond chance, and a judge with itself.

Kappa for two raters (Cohen 1960, weighted 1968), Krippendorff's alpha for any number with gaps (2011). Read kappa
beside the base rate: with 95 % of one label, much agreement is chance and kappa is low.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Literal, TypeVar

Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]
Label = TypeVar("Label", bound=Hashable)


def kappa(
    first: Sequence[Label],
    second: Sequence[Label],
    *,
    weights: Weights = "none",
    categories: Sequence[Label] | None = None,
) -> float | None:
    """Cohen's kappa of two raters of the same items; ``None`` where chance alone agrees on everything.

    Weighted kappa needs the ``categories`` in their order, lowest first; else sorted labels are taken.
    """
    n = len(first)
    if n != len(second) or not n:
        raise ValueError(f"{n!r} and {len(second)!r} labels; both raters have to rate the same items, at least one")
    order = list(categories) if categories is not None else _ordered({*first, *second}, weights)
    rank = {label: index for index, label in enumerate(order)}
    if unknown := {*first, *second} - rank.keys():
        raise ValueError(f"labels {sorted(map(repr, unknown))} are not among the categories {order!r}")

    def distance(one: Label, other: Label) -> float:
        if weights == "none":
            return float(one != other)
        return float(abs(rank[one] - rank[other]) ** (2 if weights == "quadratic" else 1))

    seen = math.fsum(distance(one, other) for one, other in zip(first, second, strict=True)) / n
    left, right = Counter(first), Counter(second)
    chance = math.fsum(
        distance(one, other) * count * other_count
        for one, count in left.items()
        for other, other_count in right.items()
    ) / (n * n)
    return 1 - seen / chance if chance > 0 else None


def _ordered(labels: set[Label], weights: Weights) -> list[Label]:
    return list(labels) if weights == "none" else sorted(labels)  # type: ignore[type-var]


def krippendorff(ratings: Sequence[Sequence[float | str | None]], *, level: Level = "nominal") -> float | None:
    """Krippendorff's alpha of ``ratings[item][rater]``, ``None`` for not rated.

    Items with fewer than two ratings do not count; ``None`` comes back where nothing varies. Ordinal and interval
    levels need numbers.
    """
    units = [[value for value in row if value is not None] for row in ratings]
    units = [row for row in units if len(row) > 1]
    totals: Counter[float | str] = Counter(value for row in units for value in row)
    n = sum(totals.values())
    distance = _distance(level, totals)
    observed = math.fsum(
        2 * math.fsum(distance(one, other) for one, other in combinations(row, 2)) / (len(row) - 1) for row in units
    )
    expected = math.fsum(
        2 * totals[one] * totals[other] * distance(one, other) for one, other in combinations(totals, 2)
    )
    return 1 - (n - 1) * observed / expected if expected > 0 else None


def _distance(level: Level, totals: Counter[float | str]) -> Callable[[float | str, float | str], float]:
    if level == "nominal":
        return lambda one, other: float(one != other)
    if strings := [value for value in totals if isinstance(value, str)]:
        raise ValueError(f"{strings[0]!r} is no number; the {level} level needs numbers")
    if level == "interval":
        return lambda one, other: (float(one) - float(other)) ** 2
    place: dict[float | str, float] = {}
    below = 0.0
    for value in sorted(totals, key=float):
        place[value] = below + totals[value] / 2
        below += totals[value]
    return lambda one, other: (place[one] - place[other]) ** 2


def self_consistency(repeats: Sequence[Sequence[Label]]) -> float | None:
    """How often two judgements of the same item agree: the mean over items with two or more of ``repeats[item]``."""
    shares = []
    for row in repeats:
        if len(row) > 1:
            same = sum(count * (count - 1) for count in Counter(row).values())
            shares.append(same / (len(row) * (len(row) - 1)))
    return math.fsum(shares) / len(shares) if shares else None
