"""What the arms of an experiment are compared by: one number of a unit between 0 and 1, where 1 is best.

Of an event (an error, an answer that is no JSON, a filtered or a slow one) that is its absence; of a score its place
between ``lowest`` and ``highest``, turned round where the lower one is better.
"""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..statistics.verdict import Interval

GoalMetric = Literal["error", "bad_json", "guardrail", "slow", "score"]


class Goal(BaseModel):
    """``margin``: an arm that is worse than the best by less than this may be chosen as well; in the unit of a score,
    else a rate. ``least_effect``: the lead that ``rollout plan`` reckons with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: GoalMetric
    name: str | None = Field(None, min_length=1, max_length=100)
    """Of a score: its name among the assessments."""
    margin: float = Field(0.0, ge=0)
    least_effect: float | None = Field(None, gt=0)
    threshold_ms: float | None = Field(None, gt=0)
    lowest: float = 0.0
    highest: float = 1.0
    direction: Literal["higher", "lower"] = "higher"

    @property
    def key(self) -> str:
        return f"score:{self.name}" if self.metric == "score" else self.metric

    @property
    def width(self) -> float:
        return self.highest - self.lowest

    @model_validator(mode="after")
    def _fits(self) -> "Goal":
        if (self.metric == "score") != (self.name is not None):
            raise ValueError("`name` goes with metric: score, and a score needs one")
        if (self.metric == "slow") != (self.threshold_ms is not None):
            raise ValueError("`threshold_ms` goes with metric: slow, which needs one")
        if not self.width > 0 or not math.isfinite(self.width):
            raise ValueError(f"lowest {self.lowest!r} has to be below highest {self.highest!r}")
        if self.metric != "score" and (self.lowest, self.highest, self.direction) != (0.0, 1.0, "higher"):
            raise ValueError("`lowest`, `highest` and `direction` go with metric: score")
        if not max(self.margin, self.least_effect or 0.0) < self.width:
            raise ValueError(
                f"margin {self.margin!r} and least_effect have to be below {self.width:g}, the whole range"
            )
        return self

    def value(self, mean: float, worst: float) -> float:
        """Of a unit whose calls have this mean and this worst outcome."""
        if self.metric != "score":
            return 0.0 if worst > 0 else 1.0
        scaled = min(1.0, max(0.0, (mean - self.lowest) / self.width))
        return scaled if self.direction == "higher" else 1 - scaled

    def shown(self, value: float) -> float:
        """In the unit of the score; of events the share of units without one."""
        return self.lowest + self.width * (value if self.direction == "higher" else 1 - value)

    def shown_interval(self, interval: Interval) -> Interval:
        ends = self.shown(interval.lower), self.shown(interval.upper)
        return Interval(min(ends), max(ends))
