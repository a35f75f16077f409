"""Bounded scores: evidence by betting, and confidence sequences, that hold at any sample size and any distribution.

Waudby-Smith and Ramdas 2023 (JRSS-B, "Estimating means of bounded random variables by betting"). ``Capital`` bets
against one null and is an e-process; ``BoundedMean`` is their predictable plug-in empirical-Bernstein sequence, the
form that needs no grid. ``Blocks`` turns two arms into one sequence of differences.
"""

import math

import msgspec

from ..verdict import Interval

_SPREAD_WEIGHT = 2.0
_BOLDEST = 0.9  # share of the capital that one bet may lose at most


class Capital(msgspec.Struct):
    """Wealth of a gambler who loses if the mean is at most ``null``; values lie in [``lowest``, ...).

    Before data the bet is that of someone who expects ``target``; it learns (approximate GRAPA, shrunk to that).
    """

    null: float
    target: float
    lowest: float = -1.0
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    log_e: float = 0.0

    def __post_init__(self) -> None:
        if not self.lowest < self.null < self.target:
            raise ValueError(f"null is {self.null!r}; it has to be above {self.lowest!r} and below {self.target!r}")

    def observe(self, value: float) -> None:
        n = self.n
        room = self.null - self.lowest
        spread = (_SPREAD_WEIGHT * 0.25 * room * room + self.squares) / (_SPREAD_WEIGHT + n)
        weight = spread / (self.target - self.null) ** 2  # the belief in the target is as wide as its distance
        mean = (weight * self.target + self.total) / (weight + n)
        gap = mean - self.null
        if gap > 0:
            bet = min(gap / (spread + gap * gap), _BOLDEST / room)
            self.log_e += math.log1p(bet * (value - self.null))
        self.squares += (value - mean) ** 2
        self.total += value
        self.n = n + 1


class BoundedMean(msgspec.Struct):
    """Confidence sequence of level ``1 - alpha``, two-sided, of a mean within [``lowest``, ``highest``] (theorem 2)."""

    alpha: float = 0.05
    lowest: float = 0.0
    highest: float = 1.0
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    bets: float = 0.0
    won: float = 0.0
    risk: float = 0.0
    lower: float = -math.inf
    """The running intersection, on the unit scale."""
    upper: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not self.lowest < self.highest:
            raise ValueError(f"alpha {self.alpha!r} has to be a share, {self.lowest!r} below {self.highest!r}")
        self.lower, self.upper = max(0.0, self.lower), min(1.0, self.upper)

    def observe(self, value: float) -> None:
        x = (value - self.lowest) / (self.highest - self.lowest)
        n = self.n
        level = math.log(2 / self.alpha)
        mean, spread = (0.5 + self.total) / (n + 1), (0.25 + self.squares) / (n + 1)
        bet = min(0.5, math.sqrt(2 * level / (spread * (n + 1) * math.log(n + 2))))
        self.bets += bet
        self.won += bet * x
        self.risk += (x - mean) ** 2 * (-math.log1p(-bet) - bet)
        self.n = n + 1
        self.total += x
        self.squares += (x - self.total / self.n) ** 2 if n else (x - 0.5) ** 2
        centre, half = self.won / self.bets, (level + self.risk) / self.bets
        self.lower, self.upper = max(self.lower, centre - half), min(self.upper, centre + half)

    @property
    def interval(self) -> Interval:
        """Empty (lower above upper) happens with probability alpha at most; then both are the centre."""
        lower, upper = self.lower, self.upper
        if lower > upper:
            lower = upper = min(1.0, max(0.0, self.won / self.bets))
        width = self.highest - self.lowest
        return Interval(self.lowest + width * lower, self.lowest + width * upper)


class Blocks(msgspec.Struct):
    """Observations of two arms, paired into differences (canary minus stable) as soon as both arms have one.

    Which arm a unit is in does not depend on its outcome, so each difference of block means has the arms' difference
    as its mean, also while both drift together; and stays within the range of one observation's difference.
    """

    canary_n: int = 0
    canary_total: float = 0.0
    stable_n: int = 0
    stable_total: float = 0.0

    def observe(self, in_canary: bool, value: float) -> float | None:
        """The difference that this observation completes, if any: the first of the other arm does."""
        if in_canary:
            self.canary_n += 1
            self.canary_total += value
        else:
            self.stable_n += 1
            self.stable_total += value
        if not (self.canary_n and self.stable_n):
            return None
        difference = self.canary_total / self.canary_n - self.stable_total / self.stable_n
        self.canary_n = self.stable_n = 0
        self.canary_total = self.stable_total = 0.0
        return difference
