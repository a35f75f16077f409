"""What an experiment will need before it starts: units until the best arm is named, and time at the traffic of today.

The characteristic time of top-two sampling with beta = 1/2 (Russo 2020) for the hardest case of its kind: all the
other arms as good as each other, and worse than the best by what is reckoned with. Then the best arm gets half of the
units, each other one its part of the rest, and a pair is told apart after 4 K variance / distance^2 units times the
evidence that is needed. Arms with different means need fewer. Benchmarks hold it against simulated ones.
"""

import math
from typing import Any

from .goal import Goal
from .plan import Plan

_MIXTURE = 3.0
"""What not knowing the means costs, in the logarithm of the evidence, beside ln(K / alpha)."""
_BOLDEST = 0.9
_USUAL_SUCCESS = 0.9
_USUAL_LEAD = 0.05
_SCORE_SPREAD = 0.2
"""Standard deviation of a score, as a share of its range."""


def expected_arms(plan: Plan, calls_per_hour: float, error_rate: float | None = None) -> dict[str, Any] | None:
    """None for a plan that is no experiment. ``lead`` is what is reckoned with, ``units`` are those of all arms;
    ``seconds`` is None where there is no traffic to go by."""
    goal = plan.goal
    if goal is None:
        return None
    arms = len(plan.arm_names)
    lead = goal.least_effect or (0.0 if goal.margin else _USUAL_LEAD * goal.width)
    units = _units(goal, arms, (lead + goal.margin) / goal.width, plan.alpha, error_rate)
    waiting_s = plan.settle + plan.window + (plan.label_delay if goal.metric == "score" else 0.0)
    return {
        "arms": arms,
        "lead": lead,
        "margin": goal.margin,
        "units": units,
        "seconds": units / calls_per_hour * 3600 + waiting_s if calls_per_hour > 0 else None,
    }


def _units(goal: Goal, arms: int, distance: float, alpha: float, error_rate: float | None) -> int:
    if goal.metric == "score":
        variance = _SCORE_SPREAD**2
    else:
        known = goal.metric == "error" and error_rate is not None
        success = 1 - error_rate if known and error_rate is not None else _USUAL_SUCCESS
        worst = min(max(success - distance / 2, 0.001), 0.999)
        variance = worst * (1 - worst)
    needed = math.log(arms / alpha) + _MIXTURE
    return math.ceil(needed * 2 * arms * (2 * variance / distance**2 + 1 / (_BOLDEST * distance)))
