"""What to buy next, more items or more repeats of the ones there are, from where the variance comes.

The variance of a mean gain over n items with k repeats is (between + within / k) / n: repeats buy down only the second
part. Components by analysis of variance; repeats by the classic optimum sqrt(within / between x price of an item /
price of a call), found here by trying all k; unequal items share repeats by Neyman (1934).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .clustered import Floats


class Components(NamedTuple):
    """Variance of one item's gain: between items, and within an item for one repeat of both arms."""

    between: float
    within: float

    def of_gain(self, repeats: int) -> float:
        return self.between + self.within / repeats


class Purchase(NamedTuple):
    items: int
    repeats: int
    cost: float
    enough: bool
    """Whether it reaches the wanted variance within the limits; else it is the best that they allow."""


def components(baseline: ArrayLike, candidate: ArrayLike) -> Components:
    """Estimate the components from scores of shape (n, k) each, n and k at least 2."""
    first, second = np.asarray(baseline, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if first.ndim != 2 or first.shape != second.shape or min(first.shape) < 2:
        raise ValueError(
            f"shapes {first.shape!r} and {second.shape!r}; both have to be (items, repeats), 2 or more each"
        )
    within = float(first.var(axis=1, ddof=1).mean() + second.var(axis=1, ddof=1).mean())
    gains: Floats = second.mean(axis=1) - first.mean(axis=1)
    return Components(max(0.0, float(gains.var(ddof=1)) - within / first.shape[1]), within)


def purchase(
    parts: Components,
    wanted: float,
    *,
    most_items: int,
    most_repeats: int = 16,
    item_price: float = 0.0,
    call_price: float = 1.0,
) -> Purchase:
    """The cheapest (items, repeats) whose mean has variance ``wanted``; prices are per item and per repeat of it."""
    if wanted <= 0 or most_items < 1 or most_repeats < 1:
        raise ValueError(f"variance {wanted!r}, {most_items!r} items, {most_repeats!r} repeats: all have to be above 0")
    offers = []
    for repeats in range(1, most_repeats + 1):
        items = max(1, math.ceil(parts.of_gain(repeats) / wanted - 1e-9))
        offers.append((items, repeats, items * (item_price + repeats * call_price)))
    possible = [offer for offer in offers if offer[0] <= most_items]
    if possible:
        return Purchase(*min(possible, key=lambda offer: (offer[2], offer[1])), enough=True)
    return Purchase(most_items, most_repeats, most_items * (item_price + most_repeats * call_price), enough=False)


def neyman(total: int, deviations: Sequence[float], *, least: int = 1) -> list[int]:
    """Share ``total`` repeats among items or strata in proportion to their standard deviations, ``least`` for each."""
    count = len(deviations)
    if any(not 0 <= deviation < math.inf for deviation in deviations):
        raise ValueError(f"deviations {list(deviations)!r} have to be 0 or more")
    if total < least * count:
        raise ValueError(f"{total!r} repeats are too few for {count!r} items with {least!r} each")
    weight = math.fsum(deviations)
    spare = total - least * count
    ideal = [spare * (deviation / weight if weight > 0 else 1 / count) for deviation in deviations]
    shares = [math.floor(share) for share in ideal]
    by_remainder = sorted(range(count), key=lambda index: shares[index] - ideal[index])
    for index in by_remainder[: spare - sum(shares)]:
        shares[index] += 1
    return [least + share for share in shares]
