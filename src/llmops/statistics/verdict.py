"""The four verdicts, what a decision says of itself, and the one rule that turns numbers into a verdict.

A *gain* is candidate minus baseline, turned so that positive is better, in the metric's units (for ratio metrics as
a share: -0.1 is ten per cent worse). BLOCK needs evidence of harm, PASS needs evidence of no harm beyond the margin;
the lack of either is INCONCLUSIVE, and what could not be measured is ERROR. Nothing is ever PASS for want of evidence.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class Verdict(StrEnum):
    PASS = "PASS"
    BLOCK = "BLOCK"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> int:
        """What a command that ends with this verdict returns to the shell: 0, 1, 2, 3."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Verdict.PASS: 0, Verdict.BLOCK: 1, Verdict.INCONCLUSIVE: 2, Verdict.ERROR: 3}


class Interval(NamedTuple):
    lower: float
    upper: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One decision on one metric. ``None`` is what could not be measured or has no bound; NaN never appears."""

    verdict: Verdict
    reason: str
    """One sentence for a person."""
    method: str
    margin: float
    alpha: float
    n: int = 0
    """Pairs of items, or units of both arms in a canary."""
    clusters: int = 0
    """Independent clusters of them; ``n`` where items are independent."""
    estimate: float | None = None
    """The gain."""
    lower: float | None = None
    """One-sided lower bound of the gain at level ``alpha``; with ``upper`` an interval of level ``1 - 2 alpha``."""
    upper: float | None = None
    p_value: float | None = None
    """One-sided, of "the candidate is not worse"; in a canary ``min(1, 1 / e)``."""
    least_effect: float = 0.0
    """The smallest loss that may block."""


def judge(
    estimate: float, lower: float | None, p_worse: float, *, margin: float, least_effect: float, alpha: float
) -> tuple[Verdict, str]:
    """Apply the rule: BLOCK when worse is proved and matters, PASS when non-inferior is proved, else INCONCLUSIVE.

    BLOCK goes first: a loss that is proved, and at least ``least_effect``, blocks even if it is surely within the
    margin. Declare ``least_effect`` = ``margin`` where such a loss shall pass.
    """
    if p_worse <= alpha and -estimate >= least_effect and estimate < 0:
        return (
            Verdict.BLOCK,
            f"worse by {-estimate:.4g} (p = {p_worse:.3g} <= {alpha:.3g}, at least {least_effect:.4g} matters)",
        )
    if lower is not None and lower > -margin:
        return Verdict.PASS, f"not worse by more than {margin:.4g}: the gain is at least {lower:.4g}"
    bound = "has no bound" if lower is None else f"may be {lower:.4g}"
    return (Verdict.INCONCLUSIVE, f"neither worse (p = {p_worse:.3g}) nor surely within {margin:.4g}: the gain {bound}")


def failed(reason: str, *, margin: float, alpha: float, n: int = 0) -> Finding:
    """The finding for data on which no decision can stand."""
    return Finding(verdict=Verdict.ERROR, reason=reason, method="none", margin=margin, alpha=alpha, n=n)
