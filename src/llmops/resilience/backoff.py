"""The pause before an attempt at a place that has just failed: full jitter.

``random(0, min(cap, base · 2ⁿ))``: of all schemes it spreads callers best ("Exponential Backoff And Jitter", AWS). The
luck is handed in.
"""

from .rules import RetryRules

_MOST_DOUBLINGS = 40


def backoff_s(rules: RetryRules, number: int, luck: float, *, throttled: bool = False) -> float:
    """Seconds before attempt ``number`` + 2 at the same place (0 after its first failure); ``luck`` in [0, 1)."""
    base_s = rules.throttled_backoff_s if throttled else rules.backoff_s
    return luck * min(rules.max_wait_s, base_s * 2.0 ** min(number, _MOST_DOUBLINGS))
