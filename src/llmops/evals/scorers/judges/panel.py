"""Several judges about the same: their majority, median or mean, and how far they were apart.

Members see nothing of each other. A member that fails is left out and named; with too few left there is no verdict.
A panel is advisory as long as one of its members is.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ...calibration import Calibration
from ...case import Case
from ...output import Output
from ...score import Metric, Score
from ...scorer import Scorer, judge, version_of


class NoQuorum(Exception):
    code = "no_quorum"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What several judges say together, and how far they were apart."""

    members: tuple[Scorer, ...] = field(metadata={"handed_in": True})
    calibration: Calibration | None = field(default=None, compare=False, metadata={"handed_in": True})
    vote: Annotated[Literal["majority", "median", "mean"], Meta(description="How opinions become one")] = "majority"
    quorum: Annotated[int, Meta(ge=0, description="How many have to answer; 0: more than half")] = 0
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "panel"

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ValueError(f"members: {len(self.members)!r}: a panel has at least two")
        if self.quorum > len(self.members):
            raise ValueError(f"quorum: {self.quorum!r}: there are {len(self.members)} members")
        if any(len(member.metrics) != 1 for member in self.members):
            raise ValueError("members: each has to measure one thing, so that there is something to vote on")

    @property
    def calibrated(self) -> bool:
        own = self.calibration is not None and self.calibration.holds_for(version_of(self))
        return own or not any(member.metrics[0].advisory for member in self.members)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        first = self.members[0].metrics[0]
        return (msgspec.structs.replace(first, name=self.name, advisory=not self.calibrated),)

    async def score(self, case: Case, output: Output) -> Score:
        said = await asyncio.gather(*(judge(member, case, output) for member in self.members))
        scores = [each[0] for each in said]
        costs = [each.cost_nanousd for each in scores]
        cost = None if None in costs else sum(filter(None, costs))
        values = [each.value for each in scores if each.value is not None]
        evidence = {
            "members": [
                {"scorer": version_of(member), **msgspec.to_builtins(each)}
                for member, each in zip(self.members, scores, strict=True)
            ],
            "spread": max(values) - min(values) if values else None,
        }
        if len(values) < (self.quorum or len(self.members) // 2 + 1):
            why = next((each.error.message for each in scores if each.error), "there was nothing to measure")
            failed = Score.failed(self.name, NoQuorum(f"{len(values)} of {len(scores)} gave a verdict: {why}"))
            return msgspec.structs.replace(failed, evidence=evidence, cost_nanousd=cost)
        value, note = self._together(values)
        missing = len(scores) - len(values)
        notes = [note, f"{missing} of {len(scores)} gave no verdict" if missing else None]
        return Score(
            name=self.name,
            value=value,
            evidence=evidence,
            note="; ".join(filter(None, notes)) or None,
            cost_nanousd=cost,
        )

    def _together(self, values: Sequence[float]) -> tuple[float, str | None]:
        if self.vote == "mean":
            return statistics.fmean(values), None
        if self.vote == "median":
            return statistics.median(values), None
        ranking = Counter(values).most_common()
        if len(ranking) > 1 and ranking[0][1] == ranking[1][1]:
            return statistics.median(values), "no majority: the median counts"
        return ranking[0][0], None
