"""Plans are checked whole, and what is wrong is named."""

from typing import Any

import msgspec
import pytest

from llmops.errors import InvalidRequest
from llmops.rollout.plan import Plan, plan_json, read_plan
from tests.rollout.parts import CANDIDATE_ID, ERRORS, a_plan


def test_steps_are_written_short() -> None:
    plan = a_plan(steps=[5, {"percent": 50, "min_time": "1h"}, 100], min_units=7)
    assert [(each.share, each.min_units, each.min_time) for each in plan.steps] == [
        (0.05, 7, 10),
        (0.5, 7, 3600),
        (1.0, 7, 10),
    ]
    assert [each.percent for each in a_plan().steps] == [1, 5, 25, 50, 100]


def test_alpha_is_split_over_the_guards_and_the_sample() -> None:
    plan = a_plan(guards=[ERRORS, {"metric": "bad_json", "margin": 0.01, "weight": 2}])
    parts = [plan.alpha_of(each) for each in plan.guards]
    assert parts == pytest.approx([0.0125, 0.025]) and sum(parts) + plan.alpha_split == pytest.approx(0.05)


TRIAL: dict[str, Any] = {"name": "bot", "kind": "experiment", "arms": ["rel-" + "a" * 16], "goal": {"metric": "error"}}


def test_an_experiment_has_arms_and_a_goal() -> None:
    plan = read_plan(TRIAL)
    assert (plan.candidate, plan.steps, plan.arm_names) == (TRIAL["arms"][0], [], ["stable", TRIAL["arms"][0]])
    assert Plan.model_validate(msgspec.json.decode(plan_json(plan))) == plan


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arms": []}, "1 to 7 releases"),
        ({"arms": [f"rel-{number:016x}" for number in range(8)]}, "arms"),
        ({"arms": TRIAL["arms"] * 2}, "each release once"),
        ({"arms": [*TRIAL["arms"], "rel-1"]}, "arms.1"),
        ({"candidate": "rel-" + "b" * 16}, "leave it out"),
        ({"goal": None}, "needs one"),
        ({"goal": {"metric": "cost"}}, "goal"),
        ({"steps": [5]}, "steps: an experiment has none"),
        ({"guards": [ERRORS]}, "guards: an experiment has none"),
        ({"min_units": 5}, "min_units: an experiment has none"),
        ({"deadline": 0}, "above 0"),
        ({"kind": "canary", "candidate": "rel-" + "b" * 16, "guards": [ERRORS]}, "goes with kind: experiment"),
    ],
)
def test_what_is_no_experiment_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read_plan({**TRIAL, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"candidate": "rel-1"}, "candidate"),
        ({"colour": 1}, "colour"),
        ({"steps": [5, 5, 100]}, "have to grow"),
        ({"steps": [5, 50]}, "ends at 100"),
        ({"steps": [0, 100]}, "begins above"),
        ({"guards": []}, "needs a critical one"),
        ({"guards": [{**ERRORS, "tier": "guard"}]}, "needs a critical one"),
        ({"guards": [ERRORS, ERRORS]}, "each metric once"),
        ({"guards": [{"metric": "score", "margin": 0.1}]}, "`name`"),
        ({"guards": [{"metric": "slow", "margin": 0.1}]}, "threshold_ms"),
        ({"guards": [{"metric": "cost", "margin": 0.1}]}, "cap_usd"),
        ({"guards": [{"metric": "error", "margin": 2}]}, "below 1"),
        ({"min_time": "1 fortnight"}, "is no time"),
        ({"deadline": "10s"}, "deadline"),
        ({"kind": "mirror"}, "kind"),
        ({"kind": "ab", "steps": [100]}, "ab has one"),
        ({"kind": "blue_green", "steps": [1, 100]}, "0 and 100"),
        ({"unit": "request", "window": "1m"}, "window"),
    ],
)
def test_what_is_no_plan_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        a_plan(**fields)


def test_blue_green_and_ab_have_steps_of_their_own() -> None:
    values = {"name": "bot", "candidate": CANDIDATE_ID}
    assert [each.percent for each in read_plan({**values, "kind": "blue_green"}).steps] == [0, 100]
    assert [each.percent for each in read_plan({**values, "kind": "ab"}).steps] == [50]
