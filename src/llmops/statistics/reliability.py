"""Must-pass cases: not whether one flips today, but whether it passes less often than it used to.

Each case has a Beta posterior of its pass rate from all its history (Jeffreys prior). A case is lost when the
candidate's rate is surely below the baseline's by more than a tolerance, or when fresh repeats say so in a sequential
test. "k of n must pass" alone is no rule: ``k_of_n_alarm`` says how often a healthy case breaks it.
"""

import math
from typing import Literal, NamedTuple

from .special import beta_cdf, binomial_cdf, log_beta

_STEPS = 400
_WIDTH = 9  # standard deviations of the baseline's posterior that are integrated


class Reliability(NamedTuple):
    """Beta(a, b) belief about a pass rate."""

    a: float = 0.5
    b: float = 0.5

    def after(self, passed: int, failed: int) -> "Reliability":
        return Reliability(self.a + passed, self.b + failed)

    def faded(self, keep: float) -> "Reliability":
        """Let history count less: what was learnt shrinks to a share ``keep`` of its weight."""
        return Reliability(0.5 + (self.a - 0.5) * keep, 0.5 + (self.b - 0.5) * keep)

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)


def probability_worse(candidate: Reliability, baseline: Reliability, tolerance: float = 0.0) -> float:
    """P(candidate's rate < baseline's rate - tolerance), by the midpoint rule in an angle that tames the edges."""
    mean = baseline.mean
    deviation = math.sqrt(mean * (1 - mean) / (baseline.a + baseline.b + 1))
    low, high = max(0.0, mean - _WIDTH * deviation), min(1.0, mean + _WIDTH * deviation)
    start, end = math.asin(math.sqrt(low)), math.asin(math.sqrt(high))
    step = (end - start) / _STEPS
    front = math.log(2) - log_beta(baseline.a, baseline.b)
    total = weight = 0.0
    for index in range(_STEPS):
        angle = start + (index + 0.5) * step
        log_density = front + (2 * baseline.a - 1) * math.log(math.sin(angle))
        density = math.exp(log_density + (2 * baseline.b - 1) * math.log(math.cos(angle)))
        weight += density
        total += density * beta_cdf(math.sin(angle) ** 2 - tolerance, *candidate)
    return min(1.0, total / weight)


def k_of_n_alarm(k: int, n: int, rate: float) -> float:
    """How often a case that passes with probability ``rate`` fails the rule "at least ``k`` of ``n`` pass"."""
    return binomial_cdf(k - 1, n, rate)


class Sprt(NamedTuple):
    """Wald's test of a pass rate: "still ``healthy``" against "fallen to ``lost``", one repeat at a time.

    Errors are at most about ``alpha`` (a healthy case is called lost) and ``beta``. States are values: ``after``
    returns the next one.
    """

    healthy: float
    lost: float
    alpha: float = 0.05
    beta: float = 0.1
    log_ratio: float = 0.0

    def after(self, passed: bool) -> "Sprt":
        if not 0 < self.lost < self.healthy < 1:
            raise ValueError(f"lost {self.lost!r} has to be above 0 and below healthy {self.healthy!r}, that below 1")
        ratio = self.lost / self.healthy if passed else (1 - self.lost) / (1 - self.healthy)
        return self._replace(log_ratio=self.log_ratio + math.log(ratio))

    @property
    def decision(self) -> Literal["lost", "healthy"] | None:
        if self.log_ratio >= math.log((1 - self.beta) / self.alpha):
            return "lost"
        return "healthy" if self.log_ratio <= math.log(self.beta / (1 - self.alpha)) else None
