"""Breakers' states as processes tell each other: from one's own clock to seconds since the epoch and back, as JSON.

Everybody takes the epoch from the same clock, the board's, so clocks of machines need not agree. The distance between
the two clocks is a whole number of ticks, as all times are, so the way there and back changes nothing, and states
compare on one side as they do on the other. It is measured once, and again only when it has become wrong (a machine
that slept): a distance that followed every measurement would make a new state of an old one each time.

On the way a time of 0 says "never". What is read is checked: any process can write there.
"""

from typing import Annotated

import msgspec
from msgspec.structs import replace

from .breaker_state import NEVER_S, BreakerState, Phase, on_tick

_APART_S = 2.0
_MAX_REASON_CHARS = 200

_Time = Annotated[float, msgspec.Meta(ge=0.0, le=2.0**32)]
"""Up to then seconds and ticks have room in a float."""


class _Note(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A `BreakerState` as it travels."""

    phase: Phase = "closed"
    changed_s: _Time = 0.0
    out_until_s: _Time = 0.0
    ejections: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    cool_until_s: _Time = 0.0
    reason: Annotated[str, msgspec.Meta(max_length=_MAX_REASON_CHARS)] = ""


_decode = msgspec.json.Decoder(_Note).decode


class Epoch:
    """Where the epoch is, seen from one process's clock."""

    def __init__(self) -> None:
        self._ahead_s: float | None = None

    @property
    def is_known(self) -> bool:
        return self._ahead_s is not None

    def measure(self, epoch_s: float, own_s: float) -> float:
        """Take both clocks, read together. How far the epoch has moved away from what was known of it, mostly 0."""
        ahead_s, before_s = on_tick(epoch_s - own_s), self._ahead_s
        if before_s is not None and abs(ahead_s - before_s) <= _APART_S:
            return 0.0
        self._ahead_s = ahead_s
        return ahead_s - before_s if before_s is not None else 0.0

    def outward(self, state: BreakerState) -> BreakerState:
        """A breaker's state for others."""
        assert self._ahead_s is not None
        reason = state.reason[:_MAX_REASON_CHARS].encode(errors="replace").decode()
        return replace(_moved(state, self._ahead_s), reason=reason)

    def inward(self, state: BreakerState) -> BreakerState:
        """What others say, on this process's clock."""
        assert self._ahead_s is not None
        return _moved(state, -self._ahead_s)


def _moved(state: BreakerState, by_s: float) -> BreakerState:
    return replace(
        state,
        changed_s=state.changed_s + by_s,
        out_until_s=state.out_until_s + by_s,
        cool_until_s=state.cool_until_s + by_s,
    )


def encode(state: BreakerState) -> bytes:
    """A state that was turned outward."""
    return msgspec.json.encode(
        _Note(
            phase=state.phase,
            changed_s=max(state.changed_s, 0.0),
            out_until_s=max(state.out_until_s, 0.0),
            ejections=state.ejections,
            cool_until_s=max(state.cool_until_s, 0.0),
            reason=state.reason,
        )
    )


def decode(note: bytes) -> BreakerState:
    """What another process has encoded. `ValueError` for anything else."""
    said = _decode(note)
    cool_until_s = _time(said.cool_until_s)
    if not said.changed_s:
        return BreakerState(cool_until_s=cool_until_s)
    return BreakerState(
        phase=said.phase,
        changed_s=_time(said.changed_s),
        out_until_s=_time(said.out_until_s),
        ejections=said.ejections,
        cool_until_s=cool_until_s,
        reason=said.reason,
    )


def _time(said_s: float) -> float:
    return on_tick(said_s) if said_s else NEVER_S


def says_nothing(state: BreakerState) -> bool:
    """Never changed and never cooled: not worth telling."""
    return state.changed_s == state.cool_until_s == NEVER_S
