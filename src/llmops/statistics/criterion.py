"""What is declared for a metric before anything is measured: which way is better, and how much worse is too much."""

import math
from typing import Literal

import msgspec


class Criterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    margin: float
    """The largest loss that is tolerable, in the metric's units; for ratios a share (0.1 is ten per cent)."""
    direction: Literal["higher", "lower"] = "higher"
    """Which values are better."""
    alpha: float = 0.05
    least_effect: float | None = None
    """The smallest loss that blocks; half the margin unless told."""
    scale: Literal["difference", "ratio"] = "difference"
    """``ratio`` for cost, latency, tokens: positive values, compared by the mean of their paired log-ratios."""
    quantile: float | None = None
    """Compare this quantile (0.95) of both arms instead of the means."""
    lowest: float | None = 0.0
    highest: float | None = 1.0
    """The range of a score; ``None`` where there is none. Ratios ignore it."""
    ratio_cap: float = 10.0
    """Paired ratios are winsorised to 1 / cap .. cap: one outlier decides nothing; budgets have caps of their own."""
    missing_limit: float = 0.0
    """The share of cells that may be missing (NaN) and is then judged by worst-case bounds; none unless told."""

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.margin < math.inf or (
            self.scale == "ratio" and self.direction == "higher" and self.margin >= 1
        ):
            problems.append(
                f"margin is {self.margin!r}; it has to be 0 or more, for a ratio that shall not fall below 1"
            )
        if not 0 < self.alpha < 0.5:
            problems.append(f"alpha is {self.alpha!r}; it has to be between 0 and 0.5")
        if self.least_effect is not None and not 0 <= self.least_effect < math.inf:
            problems.append(f"least_effect is {self.least_effect!r}; it has to be 0 or more")
        if self.quantile is not None and not 0 < self.quantile < 1:
            problems.append(f"quantile is {self.quantile!r}; it has to be between 0 and 1")
        if self.lowest is not None and self.highest is not None and not self.lowest < self.highest:
            problems.append(f"lowest is {self.lowest!r} and highest {self.highest!r}; the range is empty")
        if not self.ratio_cap > 1:
            problems.append(f"ratio_cap is {self.ratio_cap!r}; it has to be above 1")
        if not 0 <= self.missing_limit < 1:
            problems.append(f"missing_limit is {self.missing_limit!r}; it has to be 0 or more and below 1")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def mattering(self) -> float:
        return self.margin / 2 if self.least_effect is None else self.least_effect

    @property
    def bounded(self) -> bool:
        return self.scale == "difference" and self.lowest is not None and self.highest is not None

    @property
    def reach(self) -> float | None:
        """The largest gain or loss one item can show, on the scale that is tested; ``None`` without a bound."""
        if self.scale == "ratio":
            return math.log(self.ratio_cap)
        return self.highest - self.lowest if self.lowest is not None and self.highest is not None else None

    def gain(self, tested: float) -> float:
        """From the scale that is tested to the one that is declared: a log-ratio becomes a share."""
        if self.scale == "difference":
            return tested
        return math.expm1(tested) if self.direction == "higher" else -math.expm1(-tested)
