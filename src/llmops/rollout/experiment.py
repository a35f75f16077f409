"""The evidence of a best-arm experiment, and what follows from it: which arm is proved the best, if any, and the shares
of the next units.

Each arm has its own stream of outcomes in [0, 1], one of each unit, in the order of the units' assignment. Its evidence
holds however units are allotted, since it is looked at by the stream's own count. An arm is the best when against each
other one "that one is better (by ``margin`` or more)" is refuted with an e-value of K / alpha: of all experiments a
share of ``alpha`` at most ever names a wrong one. Not covered: several goals at a time.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from ..statistics.sequential.bernstein import BoundedStream, log_apart
from .allocation import even_shares, posterior, top_two_shares
from .arm_split import ArmSplit, no_split
from .goal import Goal

_LEAST_MOVE = 0.01
"""Shares that would change by less than this in all are left as they are: each move lets gateways read anew."""


class Arms(msgspec.Struct):
    """``units`` have been seen in each arm, with or without an outcome. ``nominal``: see `ArmSplit`."""

    streams: dict[str, BoundedStream]
    units: dict[str, int]
    split: ArmSplit
    nominal: dict[str, float]

    def count(self, arm: str, probability: float) -> None:
        """A unit that was assigned to this arm with this probability."""
        if arm in self.units:
            self.units[arm] += 1
            self.split.observe(arm, probability, self.nominal)

    def observe(self, arm: str, value: float) -> None:
        """Its outcome. One that is no number says nothing."""
        if arm in self.streams and not math.isnan(value):
            self.streams[arm].observe(value)

    def moved(self, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Shares have changed; for a while units of both come in."""
        self.nominal = {arm: min(before.get(arm, share), share) for arm, share in after.items()}


def no_arms(arms: Sequence[str]) -> Arms:
    return Arms(
        streams={arm: BoundedStream() for arm in arms},
        units=dict.fromkeys(arms, 0),
        split=no_split(arms),
        nominal=even_shares(arms),
    )


class Ruling(msgspec.Struct, frozen=True):
    """``worse``: evidence that an arm is not the best; for the leader the least of all the others, which is what has
    to reach ``threshold``. Logarithms."""

    leader: str
    worse: dict[str, float]
    threshold: float

    @property
    def best(self) -> str | None:
        """The arm that is proved the best."""
        return self.leader if self.worse[self.leader] >= self.threshold else None

    @property
    def open(self) -> list[str]:
        """Arms that may still be better than the leader."""
        return [arm for arm, worse in self.worse.items() if arm != self.leader and worse < self.threshold]


class Standing(msgspec.Struct, frozen=True):
    """One arm at a look, on the scale of the goal."""

    arm: str
    n: int
    units: int
    estimate: float | None
    lower: float
    upper: float

    def __str__(self) -> str:
        estimate = "?" if self.estimate is None else f"{self.estimate:.4g}"
        return f"{estimate} [{self.lower:.4g}, {self.upper:.4g}] of {self.n:,} units"


def ruling(goal: Goal, alpha: float, arms: Arms) -> Ruling:
    streams = arms.streams
    lead = max(streams, key=lambda arm: streams[arm].mean or 0.0)
    worse = {
        arm: log_apart(streams[lead], stream, goal.margin / goal.width)
        for arm, stream in streams.items()
        if arm != lead
    }
    worse[lead] = min(worse.values())
    return Ruling(leader=lead, worse=worse, threshold=math.log(len(streams) / alpha))


def standings(goal: Goal, alpha: float, arms: Arms) -> dict[str, Standing]:
    """The intervals hold all together, at all times, at level ``1 - alpha``."""
    found = {}
    for arm, stream in arms.streams.items():
        interval = goal.shown_interval(stream.interval(alpha / len(arms.streams)))
        found[arm] = Standing(
            arm=arm,
            n=stream.n,
            units=arms.units[arm],
            estimate=None if stream.mean is None else goal.shown(stream.mean),
            lower=interval.lower,
            upper=interval.upper,
        )
    return found


def said(rules: Ruling, found: Mapping[str, Standing]) -> str:
    """In one sentence how far it has come."""
    lead = found[rules.leader]
    if lead.estimate is None:
        return "no outcome has been seen yet"
    if rules.best is not None:
        return f"{rules.leader} is best: {lead}; every other arm is refuted"
    return f"{rules.leader} leads with {lead}; not ruled out: {', '.join(rules.open)}"


def next_shares(arms: Arms, now: Mapping[str, float]) -> dict[str, float] | None:
    """None: those of now may stay."""
    wanted = top_two_shares({arm: posterior(stream.n, stream.total) for arm, stream in arms.streams.items()})
    move = sum(abs(share - now.get(arm, 0.0)) for arm, share in wanted.items()) / 2
    return wanted if move >= _LEAST_MOVE else None
