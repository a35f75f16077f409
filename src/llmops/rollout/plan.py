"""A rollout's plan as it is written in YAML, checked whole before anything starts.

What moves (name, candidate), how (kind, steps, unit), what is watched (guards with margin and share of alpha), and when
a human is asked (deadline). Not covered: whether the candidate is there and may serve; that is asked at the start.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..errors import InvalidRequest
from ..types import SHADOW
from .goal import Goal

Kind = Literal["canary", "blue_green", "ab", "shadow", "experiment"]
Unit = Literal["session", "user", "request"]
Metric = Literal["error", "bad_json", "guardrail", "slow", "score", "cost", "latency"]
Tier = Literal["critical", "guard"]
_PERIOD = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_STEPS: tuple[float, ...] = (1, 5, 25, 50, 100)
LEAST_SHARE = 0.0001
_SHADOW_DEADLINE_S = 86_400.0
EXPERIMENT = "experiment"
LIVE_ARM = "stable"
_MOST_ARMS = 7


def seconds_of(value: Any) -> Any:
    """``30``, ``"30s"``, ``"15m"``, ``"24h"`` as seconds."""
    if isinstance(value, str):
        found = _PERIOD.fullmatch(value.strip())
        if found is None:
            raise ValueError(f"{value[:40]!r} is no time; write 30s, 15m, 24h or 7d")
        return float(found[1]) * _SECONDS[found[2]]
    return value


Seconds = Annotated[float, BeforeValidator(seconds_of), Field(ge=0, le=365 * 86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """A share of the units, in per cent, and what has to have been seen before the next one."""

    percent: float = Field(ge=0, le=100)
    min_units: int = Field(100, ge=0, le=10**9)
    """Units of the candidate that have to have been seen at this step."""
    min_time: Seconds = 600.0

    @property
    def share(self) -> float:
        return self.percent / 100


class GuardPlan(_Part):
    """One metric that decides. ``margin`` is the largest tolerable loss: a rate, a score, or for cost and latency a
    share of the live release's. ``weight`` is its part of alpha."""

    metric: Metric
    name: str | None = Field(None, min_length=1, max_length=100)
    """Of a score: its name among the assessments."""
    tier: Tier = "critical"
    margin: float = Field(gt=0)
    least_effect: float | None = Field(None, ge=0)
    weight: float = Field(1.0, gt=0, le=1000)
    threshold_ms: float | None = Field(None, gt=0)
    quantile: float = Field(0.95, gt=0, lt=1)
    lowest: float = 0.0
    highest: float = 1.0
    direction: Literal["higher", "lower"] = "higher"
    cap_usd: float | None = Field(None, gt=0)
    """Of cost: a call that costs more counts as that much."""
    hard_cap_usd: float | None = Field(None, gt=0)
    """Of cost: the candidate's calls together may cost that much; then it is rolled back at once."""

    @property
    def key(self) -> str:
        return f"score:{self.name}" if self.metric == "score" else self.metric

    @model_validator(mode="after")
    def _fits(self) -> "GuardPlan":
        if (self.metric == "score") != (self.name is not None):
            raise ValueError("`name` goes with metric: score, and a score needs one")
        if (self.metric == "slow") != (self.threshold_ms is not None):
            raise ValueError("`threshold_ms` goes with metric: slow, which needs one")
        if (self.metric == "cost") != (self.cap_usd is not None):
            raise ValueError("`cap_usd` (per call) goes with metric: cost, which needs one")
        if self.hard_cap_usd is not None and self.metric != "cost":
            raise ValueError("`hard_cap_usd` goes with metric: cost")
        if self.metric == "score" and not self.margin < self.highest - self.lowest:
            raise ValueError(f"margin {self.margin!r} has to be below the range of the score")
        if self.metric in ("error", "bad_json", "guardrail", "slow") and not self.margin < 1:
            raise ValueError(f"margin {self.margin!r} is a rate: below 1")
        return self


class Plan(_Part):
    """``alpha`` bounds rolling a healthy candidate back, over the whole rollout and all guards together."""

    name: str = Field(min_length=1, max_length=100)
    candidate: str = Field(pattern=r"^rel-[0-9a-f]{16}$")
    kind: Kind = "canary"
    arms: list[Annotated[str, Field(pattern=r"^rel-[0-9a-f]{16}$")]] = Field([], max_length=_MOST_ARMS)
    """Of an experiment: what the live release is compared with. ``candidate`` is the first until one is the best."""
    goal: Goal | None = None
    unit: Unit = "session"
    steps: list[Step] = Field([], max_length=50)
    guards: list[GuardPlan] = Field([], max_length=50)
    alpha: float = Field(0.05, gt=0, le=0.2)
    deadline: Seconds = 7 * 86_400.0
    settle: Seconds = 30.0
    """How long after a unit's end its calls are taken to be in the database."""
    window: Seconds = 0.0
    """How long after its first call a session's or user's calls are still its outcome."""
    label_delay: Seconds = 600.0
    """How long after the call a score is waited for."""
    budget_usd: Decimal | None = Field(None, gt=0, le=1_000_000, decimal_places=9)
    """Of a shadow: what its copies may cost, to the nano-dollar."""
    max_at_once: int = Field(8, ge=1, le=1000)
    """Of a shadow: copies under way, in each process."""

    @model_validator(mode="before")
    @classmethod
    def _short_steps(cls, values: Any) -> Any:
        """``steps: [1, 5, 25]`` with ``min_units`` and ``min_time`` for all."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if isinstance(values.get("budget_usd"), float):
            values["budget_usd"] = str(values["budget_usd"])  # what was written, not what a binary fraction makes of it
        if values.get("kind") == SHADOW:
            values = {"unit": "request", "deadline": _SHADOW_DEADLINE_S, "min_units": 0, "min_time": 0.0, **values}
        if values.get("kind") == EXPERIMENT:
            return _experiment(values)
        common = {name: values.pop(name) for name in ("min_units", "min_time") if name in values}
        kind = values.get("kind", "canary")
        default = {"canary": _STEPS, "blue_green": (0, 100), "ab": (50,), "shadow": (100,)}.get(kind, _STEPS)
        steps = values.get("steps") or list(default)
        if isinstance(steps, list):
            values["steps"] = [{**common, **(each if isinstance(each, dict) else {"percent": each})} for each in steps]
        return values

    @model_validator(mode="after")
    def _possible(self) -> "Plan":
        if self.kind == EXPERIMENT:
            self._possible_experiment()
            return self
        if self.arms or self.goal is not None:
            raise ValueError(f"{'arms' if self.arms else 'goal'}: goes with kind: experiment")
        shares = [each.share for each in self.steps]
        if any(later <= before for before, later in pairwise(shares)):
            raise ValueError(f"steps: {[each.percent for each in self.steps]!r} have to grow")
        if self.kind == "canary":
            if shares[-1] != 1 or shares[0] < LEAST_SHARE:
                raise ValueError("steps: a canary begins above 0.01 per cent and ends at 100")
            if not any(each.tier == "critical" for each in self.guards):
                raise ValueError("guards: a canary needs a critical one, for nothing is promoted without evidence")
        if self.kind == "blue_green" and shares != [0, 1]:
            raise ValueError("steps: blue_green has 0 and 100")
        if self.kind == "ab" and (len(shares) != 1 or not LEAST_SHARE <= shares[0] < 1):
            raise ValueError("steps: ab has one, below 100")
        if self.kind == SHADOW:
            self._possible_shadow(shares)
        elif self.budget_usd is not None:
            raise ValueError("budget_usd: goes with kind: shadow; elsewhere a guard of cost has a hard_cap_usd")
        keys = [each.key for each in self.guards]
        if len(set(keys)) != len(keys):
            raise ValueError(f"guards: {keys!r}: each metric once")
        if self.unit == "request" and self.window:
            raise ValueError("window: a request ends with itself")
        if self.deadline <= sum(each.min_time for each in self.steps):
            raise ValueError("deadline: is before the steps' own times are over")
        return self

    def _possible_experiment(self) -> None:
        if len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms: {self.arms!r}: each release once")
        if self.candidate != self.arms[0]:
            raise ValueError(f"candidate: {self.candidate!r}: leave it out; it is the first of the arms")
        if self.goal is None:
            raise ValueError("goal: an experiment needs one: what the arms are compared by")
        if self.budget_usd is not None:
            raise ValueError("budget_usd: goes with kind: shadow")
        if self.unit == "request" and self.window:
            raise ValueError("window: a request ends with itself")
        if self.deadline <= 0:
            raise ValueError("deadline: 0.0: it has to be above 0")

    @property
    def challengers(self) -> list[str]:
        """The releases that traffic may move to."""
        return self.arms or [self.candidate]

    @property
    def arm_names(self) -> list[str]:
        """Of an experiment, as calls are stamped with them; the live release's is ``stable``."""
        return [LIVE_ARM, *self.arms]

    @property
    def watched(self) -> Sequence[GuardPlan | Goal]:
        """What is looked for in the calls."""
        return self.guards if self.goal is None else [self.goal]

    def _possible_shadow(self, shares: list[float]) -> None:
        if len(shares) != 1 or shares[0] < LEAST_SHARE:
            raise ValueError("steps: shadow has one, above 0.01 per cent and up to 100")
        if self.budget_usd is None:
            raise ValueError("budget_usd: a shadow needs one: what its copies may cost in all")
        if self.unit != "request":
            raise ValueError(f"unit: {self.unit!r}: a shadow's is request, for each copy goes with its call")
        if any(each.metric == "score" for each in self.guards):
            raise ValueError("guards: a score is of a trace, which a call and its copy share: it cannot compare them")

    @property
    def budget_nanousd(self) -> int | None:
        return int(self.budget_usd * 10**9) if self.budget_usd is not None else None

    def alpha_of(self, guard: GuardPlan) -> float:
        """Its part; the split of the sample has one of its own, of weight 1."""
        return self.alpha * guard.weight / (1 + sum(each.weight for each in self.guards))

    @property
    def alpha_split(self) -> float:
        return self.alpha / (1 + sum(each.weight for each in self.guards))


def _experiment(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("steps", "guards", "min_units", "min_time"):
        if values.get(name):
            raise ValueError(f"{name}: an experiment has none; its shares follow the evidence of its goal")
    arms = values.get("arms")
    if not isinstance(arms, list) or not arms:
        raise ValueError(f"arms: {arms!r}: an experiment has 1 to {_MOST_ARMS} releases beside the live one")
    return {"candidate": arms[0], **values}


def read_plan(values: Any) -> Plan:
    """`InvalidRequest` that names the first place that is wrong."""
    try:
        return Plan.model_validate(values)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"the plan: {where + ': ' if where else ''}{said}", param=where or None) from exc


def plan_json(plan: Plan) -> str:
    return msgspec.json.encode(plan.model_dump(mode="json")).decode()
