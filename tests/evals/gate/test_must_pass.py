"""Must-pass cases are judged by their reliability: no flip decides, and a loss is found."""

import random

import pytest

from llmops.evals.gate.must_pass import judge_cases
from llmops.evals.gate.policy import MustPass
from llmops.statistics.verdict import Verdict

from .arms import EXACT, NOW_S, arm, dataset, decided, policy

RULES = {"metric": "exact", "repeats": 8, "most_repeats": 24}
MUST = dataset(200, lambda number: {"must_pass": number == 0})


def states(base: str, cand: str, *, history: tuple[int, int] | None = None, **rules: object) -> list[str]:
    """Of one case; ``base`` and ``cand`` are its repeats, 1 where it passed."""
    one = dataset(1, lambda _: {"must_pass": True})
    first = arm(one, lambda _, repeat: float(base[repeat]), repeats=len(base))
    second = arm(one, lambda _, repeat: float(cand[repeat]), name="cand", repeats=len(cand))
    checked = MustPass.model_validate({**RULES, **rules})
    found = judge_cases(
        checked, EXACT, ["c0000"], first, second, history={"c0000": history} if history else None, now_s=NOW_S
    )
    return [each.state for each in found]


@pytest.mark.parametrize(
    ("base", "cand", "state"),
    [
        ("11111111", "11111111", "kept"),
        ("11111111", "00000000", "lost"),
        ("11111111", "11001111", "undecided"),  # two flips in eight
        ("11111111", "111011111111111111111111", "kept"),
        ("00000000", "00000000", "unreliable"),
    ],
)
def test_states(base: str, cand: str, state: str) -> None:
    assert states(base, cand) == [state]


def test_history_makes_a_loss_surer() -> None:
    assert states("1", "010", history=(0, 0)) == ["undecided"]
    assert states("1", "0100", history=(200, 0)) == ["lost"]


def test_a_quarantined_case_is_counted_until_its_day_has_come() -> None:
    quarantine = [{"case": "c0000", "until": "2026-12-31", "reason": "flaky upstream"}]
    assert states("11111111", "00000000", quarantine=quarantine) == ["quarantined"]
    past = [{**quarantine[0], "until": "2026-01-31"}]
    assert states("11111111", "00000000", quarantine=past) == ["lost"]


def test_an_unmeasured_must_pass_case_is_an_error() -> None:
    base = arm(MUST, lambda number, _: 1.0)
    cand = arm(MUST, lambda number, _: "exception" if number == 0 else 1.0, name="cand")
    rules = policy(must_pass=RULES, metrics={"exact": {"margin": 0.05, "missing_limit": 0.1}})
    assert decided(rules, MUST, base, cand).verdict is Verdict.ERROR


def test_a_lost_case_blocks_a_candidate_that_is_fine_as_a_whole() -> None:
    base = arm(MUST, lambda number, _: 1.0, repeats=8)
    cand = arm(MUST, lambda number, _: float(number != 0), name="cand", repeats=8)
    assert decided(policy(), MUST, base, cand).verdict is Verdict.PASS
    decision = decided(policy(must_pass=RULES), MUST, base, cand)
    assert decision.verdict is Verdict.BLOCK and "'c0000'" in decision.reason


def test_quarantine_is_visible_in_the_decision() -> None:
    base = arm(MUST, lambda number, _: 1.0, repeats=8)
    cand = arm(MUST, lambda number, _: float(number != 0), name="cand", repeats=8)
    rules = {**RULES, "quarantine": [{"case": "c0000", "until": "2026-12-31", "reason": "flaky"}]}
    decision = decided(policy(must_pass=rules), MUST, base, cand)
    assert decision.verdict is Verdict.PASS and decision.quarantined == 1
    assert any("in quarantine: c0000" in each for each in decision.warnings)


def test_a_hundred_flaky_cases_do_not_block_an_equal_candidate() -> None:
    """Each passes nine times in ten in both arms: a rule of "all must pass" would block nearly always."""
    many = dataset(100, lambda _: {"must_pass": True})
    ids = [case.id for case in many.cases]
    blocked = undecided = 0
    for seed in range(20):
        luck = random.Random(seed)
        first, second = (
            arm(many, lambda *_, luck=luck: float(luck.random() < 0.9), name=name, repeats=24)  # type: ignore[misc]
            for name in ("base", "cand")
        )
        found = judge_cases(MustPass.model_validate(RULES), EXACT, ids, first, second, now_s=NOW_S)
        blocked += any(each.state == "lost" for each in found)
        undecided += sum(each.state == "undecided" for each in found)
    assert blocked <= 1 and undecided <= 40  # of 2,000
