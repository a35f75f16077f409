"""A quantile of latency that may be watched: counts in logarithmic bins, and bounds valid at every look.

Howard and Ramdas 2022 (Bernoulli 28:1704, "Sequential estimation of quantiles", theorem 1): the p-quantile lies
between the empirical quantiles p -/+ f_t(p), for all t at once. Bins are 2 % wide, and the bounds are the outer edges
of theirs: memory is a few hundred counts, and the answer errs to the safe side.
"""

import math

import msgspec

from ..verdict import Interval

GROWTH = 1.02
_LOG_GROWTH = math.log(GROWTH)


def reach(n: int, p: float, alpha: float = 0.05) -> float:
    """f_t(p): how far from ``p`` the level of an empirical quantile has to be taken after ``n`` values."""
    if n < 1:
        return math.inf
    level = (1.4 * math.log(max(1.0, math.log(2.1 * n))) + math.log(10 / alpha)) / n
    return 1.5 * math.sqrt(p * (1 - p) * level) + 0.8 * level


class QuantileSequence(msgspec.Struct):
    """Values above 0, such as milliseconds; zeros and less count as below every bin."""

    counts: dict[int, int] = msgspec.field(default_factory=dict)
    n: int = 0
    below: int = 0

    def observe(self, value: float) -> None:
        self.n += 1
        if value > 0:
            bin_ = math.floor(math.log(value) / _LOG_GROWTH)
            self.counts[bin_] = self.counts.get(bin_, 0) + 1
        else:
            self.below += 1

    def estimate(self, p: float) -> float | None:
        """The empirical p-quantile, at the middle of its bin; ``None`` without values."""
        edges = self._edges(math.ceil(p * self.n))
        return math.sqrt(edges.lower * edges.upper) if self.n and edges.upper < math.inf else None

    def interval(self, p: float, alpha: float = 0.05) -> Interval:
        """Two-sided sequence of level ``1 - alpha`` for the p-quantile."""
        width = reach(self.n, p, alpha)
        if not math.isfinite(width):
            return Interval(0.0, math.inf)
        lower = self._edges(math.floor((p - width) * self.n)).lower
        upper_rank = math.floor((p + width) * self.n) + 1
        return Interval(lower, self._edges(upper_rank).upper)

    def _edges(self, rank: int) -> Interval:
        """The bin of the ``rank``-th smallest value; nothing is known below the first and above the last."""
        if rank < 1:
            return Interval(0.0, 0.0)
        if rank > self.n:
            return Interval(math.inf, math.inf)
        seen = self.below
        if rank <= seen:
            return Interval(0.0, 0.0)
        for bin_ in sorted(self.counts):
            seen += self.counts[bin_]
            if rank <= seen:
                return Interval(GROWTH**bin_, GROWTH ** (bin_ + 1))
        return Interval(math.inf, math.inf)


def apart(canary: QuantileSequence, stable: QuantileSequence, p: float, alpha: float = 0.05) -> Interval:
    """Ratio canary / stable of the p-quantiles: each arm's sequence at half of alpha, the outer corners. To nothing
    there is no ratio: where the stable one's quantile is 0, none is excluded."""
    first, second = canary.interval(p, alpha / 2), stable.interval(p, alpha / 2)
    lower = first.lower / second.upper if 0 < second.upper < math.inf else 0.0
    return Interval(lower, first.upper / second.lower if second.lower > 0 else math.inf)
