"""Which arm a call is in: sticky, the same in every replica, decided from numbers in memory.

A unit's bucket is murmur3 of its targeting key, salted with the rollout's id; the candidate has the buckets below a
threshold. A share that grows takes in new units and never gives one back. The probability with which a call came to its
arm is part of the answer: evidence is weighed by it. A shadow assigns nothing: its calls stay where they are, and a
share of them is to be mirrored. Not covered: which release a name has without a rollout.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from ..bucketing import bucket_of, threshold_of
from ..types import Assignment, Call
from .allocation import Draw, draw_of
from .plan import Unit

STABLE, CANDIDATE = "stable", "candidate"
MIRRORED = 0.5
"""The probability of either arm in a shadow: each mirrored call is one observation of both."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What of a rollout decides about calls."""

    id: str
    tenant: str | None
    name: str
    stable: str
    candidate: str
    unit: Unit
    share: float
    mirrors: bool = False
    """The share is not assigned to the candidate but mirrored to it."""
    arms: Sequence[tuple[str, str, float]] = ()
    """Of an experiment: each arm, its release and its share."""
    settle_s: float = 30.0
    """How long a call is waited for before it counts as one that has failed."""


class _Ready(msgspec.Struct, frozen=True):
    threshold: int
    unit: Unit
    salt: str
    stable: Assignment
    candidate: Assignment
    ids: tuple[str, ...]
    mirrors: bool
    draw: Draw | None = None
    arms: dict[str, Assignment] = {}


def unit_of(
    kind: Unit, *, session: str | None, user: str | None, key_id: str | None, trace_id: str | None, request_id: str
) -> str:
    """What a call is randomised by; the next best where it does not say what is wanted."""
    if kind == "session":
        return session or user or trace_id or request_id
    if kind == "user":
        return user or key_id or trace_id or request_id
    return request_id


class RolloutTable:
    """The rollouts that move traffic now; an `Assigner` for the table of releases.

    ``live`` says which release a tenant's calls for a name would get: where that is neither of a rollout's two, such as
    a tenant's own beside a shared rollout, the rollout has nothing to say.
    """

    def __init__(self, live: Callable[[str, str], str | None] | None = None) -> None:
        self._live = live
        self._names: dict[str, dict[str | None, _Ready]] = {}
        self.settle_s: Mapping[str, float] = {}
        """By the rollouts' ids."""

    @property
    def is_empty(self) -> bool:
        return not self._names

    def replace(self, running: Iterable[Running]) -> None:
        names: dict[str, dict[str | None, _Ready]] = {}
        settle_s: dict[str, float] = {}
        for each in running:
            names.setdefault(each.name, {})[each.tenant] = _ready(each)
            settle_s[each.id] = each.settle_s
        self._names, self.settle_s = names, settle_s

    def assign(self, name: str, call: Call) -> Assignment | None:
        """The tenant's own rollout of a name goes before a shared one."""
        by_tenant = self._names.get(name)
        if by_tenant is None:
            return None
        found = by_tenant.get(call.tenant) or by_tenant.get(None)
        if found is None or (self._live is not None and self._live(name, call.tenant) not in found.ids):
            return None
        unit = unit_of(
            found.unit,
            session=call.session,
            user=call.view.user,
            key_id=call.key_id,
            trace_id=call.trace_id,
            request_id=call.request_id,
        )
        if found.draw is not None:
            return found.arms[found.draw.choose(f"{call.tenant}\0{unit}")]
        is_candidate = bucket_of(found.salt, f"{call.tenant}\0{unit}") < found.threshold
        if found.mirrors:
            return found.stable if is_candidate else None
        return found.candidate if is_candidate else found.stable


def _ready(running: Running) -> _Ready:
    def arm(name: str, release_id: str, probability: float, mirror: str | None = None) -> Assignment:
        return Assignment(
            release_id=release_id, arm=name, probability=probability, rollout_id=running.id, mirror=mirror
        )

    if running.mirrors:
        mirrored = arm(STABLE, running.stable, MIRRORED, running.candidate)
        return _Ready(
            threshold=threshold_of(running.share),
            unit=running.unit,
            salt=running.id,
            stable=mirrored,
            candidate=mirrored,
            ids=(running.stable,),
            mirrors=True,
        )
    draw, arms = None, dict[str, Assignment]()
    if running.arms:
        draw = draw_of(running.id, {name: share for name, _, share in running.arms})
        arms = {name: arm(name, release_id, share) for name, release_id, share in running.arms}
    return _Ready(
        threshold=threshold_of(running.share),
        unit=running.unit,
        salt=running.id,
        stable=arm(STABLE, running.stable, 1 - running.share),
        candidate=arm(CANDIDATE, running.candidate, running.share),
        ids=(running.stable, running.candidate, *(each.release_id for each in arms.values())),
        mirrors=False,
        draw=draw,
        arms=arms,
    )
