"""A canary's guards: running evidence on one metric each, with the gate's verdicts.

BLOCK is "roll back", PASS "may be promoted", INCONCLUSIVE "hold", ERROR "the split or the data is broken". Feed one
observation per unit of randomisation (a session's first, say), by time of assignment, both arms side by side. Gains
are stable against canary, positive is better, as in the gate. All guards may be asked after every observation.
"""

import math
from typing import Literal

import msgspec

from ..verdict import Finding, Verdict
from .acs import Difference
from .betting import Blocks, BoundedMean, Capital
from .eprocess import ShareProcess

INVALID_LIMIT = 0.01
"""The share of observations that may be no number before a guard says ERROR."""


class _Guard(msgspec.Struct, kw_only=True):
    margin: float
    """The largest tolerable loss: a rate, a score, or for amounts a share of the stable mean."""
    alpha: float = 0.05
    """For rolling back wrongly and for promoting wrongly, each over the whole rollout."""
    least_effect: float | None = None
    """The smallest loss that rolls back; half the margin unless told."""
    least_canary: int = 0
    """Canary units before PASS."""
    canary_n: int = 0
    stable_n: int = 0
    canary_total: float = 0.0
    stable_total: float = 0.0
    invalid: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.margin < math.inf:
            raise ValueError(f"margin is {self.margin!r}; it has to be above 0")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha!r}; it has to be between 0 and 1")

    @property
    def threshold(self) -> float:
        """Evidence is enough from this logarithm of an e-value on."""
        return -math.log(self.alpha)

    def _count(self, in_canary: bool, value: float) -> bool:
        """Whether the value is one; it is in the totals then."""
        if not math.isfinite(value):
            self.invalid += 1
            return False
        if in_canary:
            self.canary_n += 1
            self.canary_total += value
        else:
            self.stable_n += 1
            self.stable_total += value
        return True

    def _difference(self) -> float | None:
        """Canary mean minus stable mean."""
        if not (self.canary_n and self.stable_n):
            return None
        return self.canary_total / self.canary_n - self.stable_total / self.stable_n

    def _finding(
        self,
        method: str,
        *,
        estimate: float | None,
        worse: float,
        safe: bool,
        lower: float | None = None,
        upper: float | None = None,
    ) -> Finding:
        """The rule, with evidence in place of p-values: ``worse`` is a log e-value, ``safe`` whether PASS is proved."""
        n = self.canary_n + self.stable_n
        least = self.margin / 2 if self.least_effect is None else self.least_effect
        verdict, reason = Verdict.INCONCLUSIVE, f"neither harm nor safety is proved after {n} units"
        if self.invalid > INVALID_LIMIT * (n + self.invalid):
            verdict, reason = Verdict.ERROR, f"{self.invalid} of {n + self.invalid} observations are no numbers"
        elif worse >= self.threshold and estimate is not None and estimate < 0 and -estimate >= least:
            odds = math.exp(min(worse, 700.0))
            verdict, reason = Verdict.BLOCK, f"worse by {-estimate:.4g}: evidence {odds:.3g} of {1 / self.alpha:.3g}"
        elif safe and self.canary_n >= self.least_canary:
            verdict, reason = Verdict.PASS, f"not worse by more than {self.margin:.4g}"
        return Finding(
            verdict=verdict,
            reason=reason,
            method=method,
            margin=self.margin,
            alpha=self.alpha,
            n=n,
            clusters=n,
            estimate=estimate,
            lower=lower,
            upper=upper,
            p_value=min(1.0, math.exp(min(0.0, -worse))),
            least_effect=least,
        )


class EventGuard(_Guard, tag="events", kw_only=True):
    """Bad events, yes or no per unit: errors, guardrail hits, bad JSON, slower than the SLO.

    Harm is the canary's share of the events, safety a bet that its rate is not higher by the margin.
    """

    share: ShareProcess
    blocks: Blocks = msgspec.field(default_factory=Blocks)
    safety: Capital | None = None
    range: BoundedMean | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.safety is None:
            self.safety = Capital(null=-self.margin, target=0.0)
        if self.range is None:
            self.range = BoundedMean(alpha=2 * self.alpha, lowest=-1.0)

    def observe(self, in_canary: bool, bad: bool) -> None:
        if in_canary:
            self.canary_n += 1
            self.canary_total += bad
        else:
            self.stable_n += 1
            self.stable_total += bad
        if bad:
            self.share.observe(in_canary)
        difference = self.blocks.observe(in_canary, bad)
        if difference is not None:
            assert self.safety is not None and self.range is not None
            self.safety.observe(-difference)
            self.range.observe(-difference)

    @property
    def log_e(self) -> float:
        return self.share.log_excess

    def finding(self) -> Finding:
        assert self.safety is not None and self.range is not None
        difference = self._difference()
        worse = (
            self.share.log_excess if self.share.may_exceed(self.threshold) else min(0.0, self.share.log_closed_excess)
        )
        return self._finding(
            "beta-binomial e-process, betting",
            estimate=None if difference is None else -difference,
            worse=worse,
            safe=self.safety.log_e >= self.threshold,
            lower=self.range.interval.lower,
            upper=self.range.interval.upper,
        )


class ScoreGuard(_Guard, tag="scores", kw_only=True):
    """Scores within a range: a judge on sampled traces, thumbs. Both sides are bets on block differences."""

    lowest: float = 0.0
    highest: float = 1.0
    direction: Literal["higher", "lower"] = "higher"
    blocks: Blocks = msgspec.field(default_factory=Blocks)
    harm: Capital | None = None
    safety: Capital | None = None
    range: BoundedMean | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        width = self.highest - self.lowest
        if not width > self.margin:
            raise ValueError(f"margin is {self.margin!r}; it has to be below the range {width!r}")
        if self.harm is None:
            self.harm = Capital(null=0.0, target=self.margin, lowest=-width)
        if self.safety is None:
            self.safety = Capital(null=-self.margin, target=0.0, lowest=-width)
        if self.range is None:
            self.range = BoundedMean(alpha=2 * self.alpha, lowest=-width, highest=width)

    def observe(self, in_canary: bool, score: float) -> None:
        if not self.lowest <= score <= self.highest:  # NaN as well
            self.invalid += 1
            return
        self._count(in_canary, score)
        difference = self.blocks.observe(in_canary, score)
        if difference is not None:
            assert self.harm is not None and self.safety is not None and self.range is not None
            gain = difference if self.direction == "higher" else -difference
            self.harm.observe(-gain)
            self.safety.observe(gain)
            self.range.observe(gain)

    @property
    def log_e(self) -> float:
        assert self.harm is not None
        return self.harm.log_e

    def finding(self) -> Finding:
        assert self.safety is not None and self.range is not None
        difference = self._difference()
        gain = difference if difference is None or self.direction == "higher" else -difference
        return self._finding(
            "betting on block differences",
            estimate=gain,
            worse=self.log_e,
            safe=self.safety.log_e >= self.threshold,
            lower=self.range.interval.lower,
            upper=self.range.interval.upper,
        )


class AmountGuard(_Guard, tag="amounts", kw_only=True):
    """Amounts of which less is better: cost, tokens, seconds; the margin is a share of the stable mean.

    Values above ``cap`` count as ``cap`` (winsorised). A covariate known before the call may be given (CUPED).
    """

    cap: float
    difference: Difference = msgspec.field(default_factory=Difference)

    def observe(self, in_canary: bool, amount: float, covariate: float = 0.0) -> None:
        value = min(amount, self.cap)
        if math.isfinite(covariate) and self._count(in_canary, value):
            self.difference.observe(in_canary, value, covariate)

    @property
    def log_e(self) -> float:
        return self.difference.log_e(self.alpha) if self.difference.measured()[0] > 0 else 0.0

    def finding(self) -> Finding:
        """Bounds are shares of the stable mean as it was measured."""
        mean = self.difference.stable.mean
        excess, _ = self.difference.measured()
        bounds = self.difference.interval(2 * self.alpha)
        usable = self.difference.ready and mean > 0
        return self._finding(
            "asymptotic confidence sequence",
            estimate=-excess / mean if usable else None,
            worse=self.log_e,
            safe=usable and self.difference.interval(2 * self.alpha, 1 + self.margin).upper < 0,
            lower=-bounds.upper / mean if usable else None,
            upper=-bounds.lower / mean if usable else None,
        )


class RatioGuard(_Guard, tag="ratio", kw_only=True):
    """Whether units arrive as they were split: ERROR on a sample ratio mismatch, PASS else. ``margin`` is unused."""

    margin: float = 1.0
    share: ShareProcess

    def observe(self, in_canary: bool) -> None:
        if in_canary:
            self.canary_n += 1
        else:
            self.stable_n += 1
        self.share.observe(in_canary)

    @property
    def log_e(self) -> float:
        return self.share.log_e

    def finding(self) -> Finding:
        broken = self.share.log_e >= self.threshold
        seen = self.canary_n / max(1, self.canary_n + self.stable_n)
        found = self._finding("beta-binomial e-process", estimate=None, worse=self.share.log_e, safe=True)
        return msgspec.structs.replace(
            found,
            verdict=Verdict.ERROR if broken else Verdict.PASS,
            reason=f"the canary has a share of {seen:.4g}, {'against' if broken else 'as'} the split",
        )


Guard = EventGuard | ScoreGuard | AmountGuard | RatioGuard
"""Decode a kept guard with ``msgspec.json.decode(kept, type=Guard)``."""
