"""Whether an hour's spend is out of the ordinary, compared with the same hour of past days.

The modified z-score of B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers" (1993): ``0.6745 (x -
median) / MAD``, where MAD is the median of the absolute deviations from the median and 0.6745 makes it the standard
deviation of normal data. They call more than 3.5 an outlier; spend has a heavier tail, so 5 is our default. Unlike
mean and deviation, one expensive day among the past ones does not hide the next.

Guards: fewer than ``min_days`` past days say nothing; where all days are nearly the same the scale is at least a tenth
of the median, so that a cent more is no anomaly; and an hour must cost ``min_usd`` more than usual.
"""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

HOUR_S = 3600
DAY_HOURS = 24
_TO_SIGMA = 0.6745
_LEAST_SHARE = 0.1


class Usual(msgspec.Struct, frozen=True):
    """What an hour usually costs, in nano-dollars: the median of past days, and how far they are from it."""

    median: float
    mad: float
    days: int


def usual(past: Sequence[int]) -> Usual:
    """``past``: what the same hour cost on each past day since the first with any spend."""
    if not past:
        return Usual(0.0, 0.0, 0)
    middle = median(past)
    return Usual(middle, median(abs(each - middle) for each in past), len(past))


def modified_z(spent: float, of: Usual) -> float:
    """How many deviations above the usual; 0 for what is below it."""
    scale = max(of.mad / _TO_SIGMA, _LEAST_SHARE * of.median, 1.0)
    return max(0.0, (spent - of.median) / scale)


def score(spent: int, of: Usual, *, min_days: int, min_nanousd: float) -> float | None:
    """The z-score that counts: None with too little data, 0 where too little money is at stake."""
    if of.days < min_days:
        return None
    if spent - of.median < min_nanousd:
        return 0.0
    return modified_z(spent, of)


def same_hours(hour: int, days: int) -> list[int]:
    """The same hour (hours since the epoch) of that many past days, latest first."""
    return [hour - DAY_HOURS * day for day in range(1, days + 1)]


def since_first(by_hour: Mapping[int, int], hours: Sequence[int], first_hour: int | None) -> list[int]:
    """What each of ``hours`` cost, as far back as there was any spend at all: an idle day counts, a time before the
    first call does not."""
    if first_hour is None:
        return []
    return [by_hour.get(hour, 0) for hour in hours if hour >= first_hour]
