"""A breaker's state as a value: shown at ``/api/deployments``, and shared between processes.

What is shared is small and only ever grows by `join`: commutative, associative and idempotent, so it does not matter in
which order, how often or by which road states arrive, and no lock is needed. With Redis: each process writes its own
states into a hash under a field of its own (``<deployment>|<credential's fingerprint>|<process>``, whenever
`Breaker.changes` has moved) with an expiry longer than the longest ejection, reads everybody's about once a second, and
merges. Without Redis each process judges by itself; when Redis is back everybody writes and reads again, and they
agree.

Times are seconds since the epoch on a clock that never runs backwards (the epoch at the start, plus monotonic time).
Counts of calls stay with their process. Half-open is not shared: each process sends one probe at a time of its own, and
the first to see enough successes closes the breaker for all.
"""

from typing import Literal

import msgspec

Phase = Literal["closed", "open", "dead"]
"""``open`` with its time over is half-open. ``dead``: the provider refuses the credential."""

Shown = Literal["closed", "cooling", "open", "half_open", "dead"]
_SEVERITY: dict[Phase, int] = {"closed": 0, "open": 1, "dead": 2}


class BreakerState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What processes tell each other. ``changed_s``: when the phase last changed; the latest change counts, and of
    changes at the same time the worse. A cool-down is the longest that any of them knows of."""

    phase: Phase = "closed"
    changed_s: float = 0.0
    out_until_s: float = 0.0
    ejections: int = 0
    cool_until_s: float = 0.0
    reason: str = ""


def join(one: BreakerState, other: BreakerState) -> BreakerState:
    """What both know together."""
    later = max(one, other, key=_order)
    cool_until_s = max(one.cool_until_s, other.cool_until_s)
    return later if cool_until_s == later.cool_until_s else msgspec.structs.replace(later, cool_until_s=cool_until_s)


def _order(state: BreakerState) -> tuple[float, int, float, int, str]:
    return state.changed_s, _SEVERITY[state.phase], state.out_until_s, state.ejections, state.reason


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker as an operator sees it. ``wait_s`` until it may be tried; ``calls`` and ``failures`` of the window, in
    this process; ``alert``: somebody must do something about the credential."""

    state: Shown
    wait_s: float
    calls: int
    failures: int
    failures_in_a_row: int
    ejections: int
    alert: bool
    reason: str
