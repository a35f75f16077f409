"""Means without a bound (cost, tokens, seconds): asymptotic confidence sequences, from about a hundred units on.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024 (Annals of Statistics): a normal mixture boundary on running means
and variances, valid at all later looks as an asymptotic statement. Covariates known before the call (CUPED, Deng et
al. 2013) shrink the variance. Values should be winsorised by the caller: one infinite bill has no variance.
"""

import math

import msgspec

from ..verdict import Interval

FEWEST = 100


def tuning(alpha: float = 0.05, at: int = 100) -> float:
    """The mixture's rho^2 that makes the sequence narrowest at ``at`` units of variance 1."""
    doubled = -2 * math.log(alpha)
    return (doubled + math.log(doubled) + 1) / at


def half_width(n: float, variance: float, alpha: float = 0.05, rho2: float | None = None) -> float:
    """Half of the width of the two-sided sequence of level ``1 - alpha`` after ``n`` units of this ``variance``.

    Time is intrinsic, ``n x variance`` (their Lindeberg form), so ``rho2`` has the unit of 1 / variance; for amounts of
    any unit scale to a variance of 1 first, as ``Difference`` does.
    """
    if n <= 0:
        return math.inf
    mixture = tuning(alpha) if rho2 is None else rho2
    grown = n * variance * mixture + 1
    return math.sqrt(2 * grown / (n * n * mixture) * math.log(math.sqrt(grown) / alpha))


def log_e(n: float, mean: float, rho2: float) -> float:
    """Asymptotic log e-value against "the mean is 0", of values with variance 1.

    The sequence of level alpha leaves 0 just when this reaches ln(1 / alpha).
    """
    grown = n * rho2 + 1
    return rho2 * (n * mean) ** 2 / (2 * grown) - math.log(grown) / 2


class Moments(msgspec.Struct):
    """Running count, means and centred second moments of a value and a covariate (Welford)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    covariate: float = 0.0
    covariate_squares: float = 0.0
    products: float = 0.0

    def observe(self, value: float, covariate: float = 0.0) -> None:
        self.n += 1
        step, other = value - self.mean, covariate - self.covariate
        self.mean += step / self.n
        self.covariate += other / self.n
        self.squares += step * (value - self.mean)
        self.covariate_squares += other * (covariate - self.covariate)
        self.products += step * (covariate - self.covariate)

    def variance(self, slope: float = 0.0) -> float:
        """Of the value, less what the covariate explains at this slope."""
        squares = self.squares - 2 * slope * self.products + slope * slope * self.covariate_squares
        return max(0.0, squares) / (self.n - 1) if self.n > 1 else 0.0


class Difference(msgspec.Struct):
    """Mean of the canary minus ``factor`` times the mean of the stable arm, adjusted for the covariate."""

    canary: Moments = msgspec.field(default_factory=Moments)
    stable: Moments = msgspec.field(default_factory=Moments)

    def observe(self, in_canary: bool, value: float, covariate: float = 0.0) -> None:
        (self.canary if in_canary else self.stable).observe(value, covariate)

    @property
    def ready(self) -> bool:
        return self.canary.n >= FEWEST and self.stable.n >= FEWEST

    def measured(self, factor: float = 1.0) -> tuple[float, float]:
        """The estimate and its squared standard error. A factor of 1.1 asks "more than ten per cent above?"."""
        canary, stable = self.canary, self.stable
        known = canary.covariate_squares + stable.covariate_squares
        slope = (canary.products + stable.products) / known if known > 0 else 0.0
        n = canary.n + stable.n
        common = (canary.n * canary.covariate + stable.n * stable.covariate) / n if n else 0.0
        first = canary.mean - slope * (canary.covariate - common)
        second = stable.mean - slope * (stable.covariate - common)
        squared = sum(
            weight * arm.variance(slope) / arm.n for arm, weight in ((canary, 1.0), (stable, factor * factor)) if arm.n
        )
        return first - factor * second, squared

    def interval(self, alpha: float = 0.05, factor: float = 1.0) -> Interval:
        """Two-sided, level ``1 - alpha``; unbounded until both arms have a hundred units."""
        if not self.ready:
            return Interval(-math.inf, math.inf)
        estimate, squared = self.measured(factor)
        smaller = min(self.canary.n, self.stable.n)
        half = half_width(smaller, 1.0, alpha) * math.sqrt(squared * smaller)
        return Interval(estimate - half, estimate + half)

    def log_e(self, alpha: float = 0.05, factor: float = 1.0) -> float:
        """Asymptotic evidence that the difference is not 0, either way."""
        if not self.ready:
            return 0.0
        estimate, squared = self.measured(factor)
        if squared <= 0:
            return 0.0
        smaller = min(self.canary.n, self.stable.n)
        return log_e(smaller, estimate / math.sqrt(squared * smaller), tuning(alpha))
