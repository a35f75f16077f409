"""A guard on a quantile of latency: how much higher the candidate's is, by two confidence sequences.

Of the two ways to judge latency this is the one that needs more units; the share of calls slower than a threshold
(metric ``slow``) is the first choice.
"""

import math

import msgspec

from ..statistics.sequential.quantile_sequence import QuantileSequence, apart
from ..statistics.verdict import Finding, Verdict


class QuantileGuard(msgspec.Struct, tag="quantile", kw_only=True):
    """``margin`` is a share of the stable arm's quantile."""

    margin: float
    alpha: float = 0.05
    quantile: float = 0.95
    canary: QuantileSequence = msgspec.field(default_factory=QuantileSequence)
    stable: QuantileSequence = msgspec.field(default_factory=QuantileSequence)

    @property
    def canary_n(self) -> int:
        return self.canary.n

    @property
    def stable_n(self) -> int:
        return self.stable.n

    @property
    def threshold(self) -> float:
        return -math.log(self.alpha)

    @property
    def log_e(self) -> float:
        """There is no e-value of this one; its bounds tell."""
        return 0.0

    def observe(self, in_canary: bool, value: float) -> None:
        (self.canary if in_canary else self.stable).observe(value)

    def finding(self) -> Finding:
        bounds = apart(self.canary, self.stable, self.quantile, 2 * self.alpha)
        first, second = self.canary.estimate(self.quantile), self.stable.estimate(self.quantile)
        estimate = 1 - first / second if first and second else None
        verdict, reason = Verdict.INCONCLUSIVE, "neither harm nor safety is proved"
        if bounds.lower > 1 and estimate is not None and -estimate >= self.margin / 2:
            verdict, reason = Verdict.BLOCK, f"the {self.quantile:g} quantile is {-estimate:.0%} higher"
        elif bounds.upper < 1 + self.margin:
            verdict, reason = Verdict.PASS, f"not higher by more than {self.margin:.0%}"
        return Finding(
            verdict=verdict,
            reason=reason,
            method="quantile confidence sequences",
            margin=self.margin,
            alpha=self.alpha,
            n=self.canary.n + self.stable.n,
            clusters=self.canary.n + self.stable.n,
            estimate=estimate,
            lower=1 - bounds.upper if math.isfinite(bounds.upper) else None,
            upper=1 - bounds.lower if bounds.lower > 0 else None,
        )
