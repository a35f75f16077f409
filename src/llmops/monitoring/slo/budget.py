"""The error budget of an objective over its whole window: how much there is, what is gone, and how long it lasts."""

import msgspec

from .burn import Allowance, Events, burn_rate


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """``allowed`` and ``used`` are bad events, or US dollars. ``left`` is a share: 1 untouched, below 0 overdrawn."""

    allowed: float
    used: float
    left: float
    exhausted_in_s: float | None = None
    """At the rate of the last hour; None where that rate is one that the objective allows."""


def budget_of(events: Events, recent: Events, allowance: Allowance, window_s: float, recent_s: float) -> Budget:
    """``events`` of the objective's window, ``recent`` ones of the end of it.

    A share of events: what has happened so far says how many may be bad, so the budget grows with the traffic.
    """
    if allowance.bad_ratio is None:
        allowed, used = allowance.usd_per_s * window_s, events.cost_nanousd / 1e9
    else:
        allowed, used = events.all * allowance.bad_ratio, float(events.bad)
    left = 1 - used / allowed if allowed else 1.0
    rate = burn_rate(recent, allowance, recent_s)
    exhausted_in_s = None
    if left <= 0:
        exhausted_in_s = 0.0
    elif rate is not None and rate > 1:
        exhausted_in_s = left * window_s / rate
    return Budget(allowed=allowed, used=used, left=left, exhausted_in_s=exhausted_in_s)
