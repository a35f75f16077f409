"""A breaker's state as a value: shown at ``/api/deployments``, and shared between processes.

What is shared is small and only ever grows by `join`: commutative, associative and idempotent, so it does not matter in
which order, how often or by which road states arrive, and no lock is needed. `sharing` carries them; without Redis each
process judges by itself, and when it is back they agree again.

Times are on the process's own clock, which never runs backwards; between processes they are seconds since the epoch
(`epoch`). All of them are whole ticks, so that a time is the same number again after the way there and back.
Counts of calls stay with their process. Half-open is not shared: each process sends one probe at a time of its own, and
the first to see enough successes closes the breaker for all.
"""

import math
from typing import Literal

import msgspec

TICK_S = 2.0**-21
NEVER_S = -math.inf
"""Before every clock began."""

Phase = Literal["closed", "open", "dead"]
"""``open`` with its time over is half-open. ``dead``: the provider refuses the credential."""

Shown = Literal["closed", "cooling", "open", "half_open", "dead"]
_SEVERITY: dict[Phase, int] = {"closed": 0, "open": 1, "dead": 2}


class BreakerState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What processes tell each other. ``changed_s``: when the phase last changed; the latest change counts, and of
    changes at the same time the worse. A cool-down is the longest that any of them knows of."""

    phase: Phase = "closed"
    changed_s: float = NEVER_S
    out_until_s: float = NEVER_S
    ejections: int = 0
    cool_until_s: float = NEVER_S
    reason: str = ""


def join(one: BreakerState, other: BreakerState) -> BreakerState:
    """What both know together."""
    later = max(one, other, key=_order)
    cool_until_s = max(one.cool_until_s, other.cool_until_s)
    return later if cool_until_s == later.cool_until_s else msgspec.structs.replace(later, cool_until_s=cool_until_s)


def on_tick(time_s: float) -> float:
    """The last whole tick until then."""
    return math.floor(time_s / TICK_S) * TICK_S if time_s > NEVER_S else NEVER_S


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
