"""How high is the mean of one bounded stream, and is it above that of another? Exact at every look, in three numbers.

Empirical Bernstein e-processes (Howard, Ramdas, McAuliffe, Sekhon 2021, theorem 4, after Fan, Grama, Liu 2015): for
values in [0, 1] and 0 <= l < 1 the product of exp(l (x - m) - psi(l) (x - guess)^2), psi(l) = -ln(1 - l) - l, does not
grow in the mean while m is at least the true one. A fixed mixture over l is kept by count, sum and squares alone.
Streams may be fed in any adaptive order: e-processes of two arms multiply (Kaufmann and Koolen 2021), which tells two
means apart with fewer values than intervals that have to separate. Not covered: means that drift.
"""

import math

import msgspec

from ..verdict import Interval

_BETS = tuple(0.9 * 0.7**number for number in range(16))
_COSTS = tuple(-math.log1p(-bet) - bet for bet in _BETS)
_ROUNDS = 30
_GOLDEN = (math.sqrt(5) - 1) / 2


class BoundedStream(msgspec.Struct):
    """Values in [0, 1] that have been seen one by one."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    """Of each value's distance from the mean before it."""

    def observe(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"value {value!r} has to be between 0 and 1")
        self.squares += (value - (0.5 + self.total) / (1 + self.n)) ** 2
        self.total += value
        self.n += 1

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    def log_above(self, mean: float) -> float:
        """Evidence (the logarithm of an e-value) that the true mean is above ``mean``."""
        return _mixed(self.total - self.n * mean, self.squares)

    def log_below(self, mean: float) -> float:
        return _mixed(self.n * mean - self.total, self.squares)

    def interval(self, alpha: float) -> Interval:
        """Confidence sequence of level ``1 - alpha``, two-sided; [0, 1] before data."""
        needed = math.log(2 / alpha)
        centre = self.mean
        if centre is None:
            return Interval(0.0, 1.0)
        lower, above = 0.0, centre
        upper, below = 1.0, centre
        if self.log_above(0.0) >= needed:
            for _ in range(_ROUNDS):
                middle = (lower + above) / 2
                lower, above = (middle, above) if self.log_above(middle) >= needed else (lower, middle)
        if self.log_below(1.0) >= needed:
            for _ in range(_ROUNDS):
                middle = (below + upper) / 2
                below, upper = (below, middle) if self.log_below(middle) >= needed else (middle, upper)
        return Interval(lower, upper)


def log_apart(better: BoundedStream, other: BoundedStream, margin: float = 0.0) -> float:
    """Evidence against "the mean of ``other`` is above that of ``better`` by ``margin`` or more": the least product of
    both e-processes over all pairs of means of which that is true. Convex in the mean, so it is found by sections."""
    low, high = 0.0, 1.0 - margin

    def both(mean: float) -> float:
        return better.log_above(mean) + other.log_below(mean + margin)

    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = both(left), both(right)
    for _ in range(_ROUNDS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = both(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = both(right)
    return min(at_left, at_right)


def _mixed(gain: float, squares: float) -> float:
    logs = [bet * gain - cost * squares for bet, cost in zip(_BETS, _COSTS, strict=True)]
    most = max(logs)
    return most + math.log(sum(math.exp(each - most) for each in logs) / len(logs))
