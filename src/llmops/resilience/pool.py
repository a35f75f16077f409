"""Bulkheads: how many calls may be under way at a deployment.

A pool finds its size by itself (additive increase, multiplicative decrease): until the first refusals (429, 503)
nothing is known and only the maximum bounds it; then each leaves 0.7 of the places, each round of successes adds one.
A refused call that had begun before the last decrease says nothing new, so there is at most one decrease in a round
trip, without measuring any. Nor do two refusals, or one among ten answers, say how many calls are too many: providers
refuse that many at any load, and a pool that fell for each of them would end at its minimum. Up to its initial size a
pool grows with any answer; beyond it only while at least half of it is used, for places that nobody needed prove
nothing. Nobody waits here: a full pool says no.
"""

from .rules import PoolRules

_FORGIVEN = 10
"""So many answers make one refusal as if it had not been."""


class AdaptivePool:
    """The places at one deployment, in one process."""

    __slots__ = ("_decrease", "_decreased_s", "_initial", "_maximum", "_minimum", "_strain", "in_use", "size")

    def __init__(self, rules: PoolRules) -> None:
        self._minimum, self._maximum, self._decrease = float(rules.minimum), float(rules.maximum), rules.decrease
        self._decreased_s = float("-inf")
        self._initial = float(rules.initial)
        self._strain = 0
        self.size = self._maximum
        self.in_use = 0

    @property
    def is_full(self) -> bool:
        return self.in_use + 1 > self.size

    def enter(self) -> bool:
        """Take a place; False where there is none."""
        if self.in_use + 1 > self.size:
            return False
        self.in_use += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        assert self.in_use > 0, "a place was given back twice"
        self.in_use -= 1

    def succeed(self) -> None:
        """A call that still holds its place was answered."""
        if self._strain:
            self._strain -= 1
        size = self.size
        if (self.in_use * 2 >= size or size < self._initial) and size < self._maximum:
            self.size = min(size + 1.0 / size, self._maximum)

    def refuse(self, began_s: float, now_s: float) -> None:
        """The deployment asked for less, of a call that began at ``began_s``."""
        self._strain = min(self._strain + _FORGIVEN, 3 * _FORGIVEN)
        if self._strain > 2 * _FORGIVEN and began_s >= self._decreased_s:
            if self._decreased_s == float(
                "-inf"
            ):  # the first: what was under way was too much, or 64 where that was less
                self.size = min(max(float(self.in_use), self._initial), self._maximum)
            self.size = max(self.size * self._decrease, self._minimum)
            self._decreased_s = now_s
