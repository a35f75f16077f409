"""What only a gateway's own process knows: breakers that are out, and records that it has lost.

Each process tells it through the database, so that the one that looks at the rules knows of all. Losses keep their
times and outlive the process; a breaker's state is of interest only while its process lives.
"""

from collections.abc import Callable, Mapping

import msgspec

from ...telemetry.health import STATES

_MOST_LOSSES = 200
_GRAIN_S = 60.0
OUT = frozenset({"open", "half_open", "dead"})
"""States in which a deployment gets no calls, or a probe at most."""


class Loss(msgspec.Struct, frozen=True, gc=False):
    """Within a minute of ``at_s``."""

    at_s: float
    what: str
    count: int


class Signals(msgspec.Struct, frozen=True):
    """``breakers``: the states of those that are out, by deployment."""

    breakers: dict[str, str] = {}
    losses: list[Loss] = []


class Watcher:
    """Turns a process's counters into signals; belongs to the task that asks it."""

    def __init__(self, breakers: Callable[[], Mapping[str, str]], lost: Callable[[], Mapping[str, int]]) -> None:
        """``breakers``: the state of each deployment; ``lost``: what has been lost since the start, by what it is."""
        self._breakers = breakers
        self._lost = lost
        self._seen: dict[str, int] = {}
        self._losses: list[Loss] = []

    def look(self, now_s: float, keep_s: float) -> Signals:
        """What there is to tell now, losses of the last ``keep_s`` among it."""
        for what, count in self._lost().items():
            more = count - self._seen.get(what, 0)
            self._seen[what] = count
            if more > 0:
                self._note(what, more, now_s)
        self._losses = [loss for loss in self._losses if now_s - loss.at_s <= keep_s][-_MOST_LOSSES:]
        out = {name: state for name, state in self._breakers().items() if state in OUT}
        return Signals(out, list(self._losses))

    def _note(self, what: str, count: int, now_s: float) -> None:
        for index, loss in enumerate(self._losses):
            if loss.what == what and 0 <= now_s - loss.at_s < _GRAIN_S:
                self._losses[index] = Loss(loss.at_s, what, loss.count + count)
                return
        self._losses.append(Loss(now_s, what, count))


def worst_breakers(signals: list[Signals]) -> dict[str, str]:
    """The worst state that any process knows of each deployment."""
    worst: dict[str, str] = {}
    for each in signals:
        for name, state in each.breakers.items():
            worst[name] = max(worst.get(name, "closed"), state, key=STATES.index)
    return worst


def lost_since(signals: list[Signals], since_s: float) -> dict[str, int]:
    lost: dict[str, int] = {}
    for each in signals:
        for loss in each.losses:
            if loss.at_s >= since_s:
                lost[loss.what] = lost.get(loss.what, 0) + loss.count
    return lost
