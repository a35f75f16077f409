"""What a plan will need before it starts: units and time of each step, at the traffic of today.

Estimates for a candidate that is as good as what is live: normal approximations of the fixed sample, times what looking
at every moment costs. Where a metric's spread is not known beforehand (cost, latency) the step says so.
"""

import math
from typing import Any, Protocol

import msgspec

from ..statistics.sample_size import for_pass
from ..types import SHADOW
from .assignment import MIRRORED
from .plan import GuardPlan, Plan, Step

_LOOKING = 1.6
"""How many times the fixed sample an evidence needs that may be looked at all the time."""
_USUAL_RATE = 0.01
_SCORE_SPREAD = 0.2
"""Standard deviation of a score, as a share of its range."""
_FEWEST_AMOUNTS = 100


class Traffic(Protocol):
    def of_release(self, release_id: str, tenant: str | None, window: str, /) -> dict[str, Any]:
        """Figures of a window: ``calls``, ``success_rate`` and ``nanousd``."""
        ...


class StepEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """``seconds`` None: there is no traffic to go by. ``by`` is what takes longest."""

    percent: float
    units: int
    seconds: float | None
    by: str


def expected(plan: Plan, calls_per_hour: float, error_rate: float | None = None) -> list[StepEstimate]:
    """Evidence is kept from step to step, so a later step needs only what is missing."""
    rate = min(max(error_rate or _USUAL_RATE, 0.001), 0.5)
    found: list[StepEstimate] = []
    have = 0
    for step in plan.steps:
        needed, by = _needed(plan, step, rate)
        units = max(step.min_units, needed - have) if 0 < _compared(plan, step) < 1 else 0
        per_second = calls_per_hour / 3600 * step.share
        wait_s = units / per_second if per_second > 0 else (None if units else 0.0)
        seconds = None if wait_s is None else max(step.min_time, wait_s)
        longest = "min_time" if wait_s is not None and wait_s <= step.min_time else by
        if units == step.min_units > needed - have and longest != "min_time":
            longest = "min_units"
        found.append(StepEstimate(percent=step.percent, units=units, seconds=seconds, by=longest))
        have += units
    return found


def mirrored(plan: Plan, calls_per_hour: float, usd_per_call: float | None) -> dict[str, Any]:
    """How many copies a shadow would make until its deadline, and what they would cost at the price of the live
    release's calls, which the candidate's need not be; None where that is not known. The budget ends it before."""
    calls = calls_per_hour * plan.deadline / 3600 * plan.steps[0].share
    usd, budget = None if usd_per_call is None else calls * usd_per_call, float(plan.budget_usd or 0)
    ends_early = usd is not None and usd > budget
    return {
        "calls": round(calls * budget / usd) if usd and ends_early else round(calls),
        "usd": None if usd is None else min(usd, budget),
        "budget_usd": str(plan.budget_usd),
        "seconds": plan.deadline * budget / usd if usd and ends_early else plan.deadline,
    }


def _compared(plan: Plan, step: Step) -> float:
    """The candidate's share of the units that are compared: of a shadow's pairs it has one half."""
    return MIRRORED if plan.kind == SHADOW else step.share


def _needed(plan: Plan, step: Step, rate: float) -> tuple[int, str]:
    """Units of the candidate for a proof in every critical metric, and which of them needs most."""
    share = _compared(plan, step)
    if not 0 < share < 1:
        return 0, "min_time"
    found = [(_units(plan, each, share, rate), each.key) for each in plan.guards if each.tier == "critical"]
    return max(found, default=(0, "min_units"))


def _units(plan: Plan, guard: GuardPlan, share: float, rate: float) -> int:
    alpha = plan.alpha_of(guard)
    if guard.metric in ("cost", "latency"):
        return _FEWEST_AMOUNTS
    if guard.metric == "score":
        width = guard.highest - guard.lowest
        variance, margin, room = (_SCORE_SPREAD * width) ** 2, guard.margin, width - guard.margin
    else:
        variance, margin, room = rate * (1 - rate), guard.margin, 1 - guard.margin
    both = variance * (1 + share / (1 - share))
    fixed = math.ceil(_LOOKING * for_pass(margin, both, alpha=alpha))
    without_spread = math.ceil(-math.log(alpha) / math.log1p(0.9 / room * margin))
    return max(fixed, without_spread)
