"""The gate on two runs: the four verdicts, and every way in which bad data ends in ERROR and never in PASS."""

import math

import msgspec
import pytest

from llmops.evals.gate.arm import Arm
from llmops.evals.score import Metric
from llmops.statistics.verdict import Verdict

from .arms import EXACT, alternating, arm, dataset, decided, policy

CASES = dataset(400)
GOOD = arm(CASES, alternating(10))
SAME = arm(CASES, alternating(10), name="cand")
WORSE = arm(CASES, alternating(3), name="cand")


@pytest.mark.parametrize(
    ("candidate", "verdict", "code"),
    [(SAME, Verdict.PASS, 0), (WORSE, Verdict.BLOCK, 1), (arm(CASES, alternating(1000), name="cand"), Verdict.PASS, 0)],
)
def test_the_same_passes_the_better_passes_and_the_worse_is_blocked(
    candidate: Arm, verdict: Verdict, code: int
) -> None:
    decision = decided(policy(), CASES, GOOD, candidate)
    assert (decision.verdict, decision.exit_code) == (verdict, code), decision.reason


def test_ten_cases_of_which_none_flips_prove_nothing() -> None:
    ten = dataset(10)
    decision = decided(policy(), ten, arm(ten, [1.0] * 10), arm(ten, [1.0] * 10, name="cand"))
    assert (decision.verdict, decision.exit_code) == (Verdict.INCONCLUSIVE, 2)
    assert decision.metrics[0].finding.estimate == 0


def broken() -> dict[str, tuple[Arm, Arm]]:
    other = dataset(400, lambda number: {"reference": "changed" if number == 7 else None})
    rows = SAME.readings
    return {
        "rows are lost": (GOOD, arm(CASES, alternating(10), name="cand", drop=[3, 4])),
        "rows are lost in both": (
            arm(CASES, alternating(10), drop=[3]),
            arm(CASES, alternating(10), name="c", drop=[3]),
        ),
        "a row is there twice": (GOOD, Arm(SAME.spec, [*rows, rows[0]], state="complete", promised=401)),
        "a row of another case": (
            GOOD,
            Arm(SAME.spec, [msgspec.structs.replace(rows[0], case_id="x"), *rows[1:]], state="complete", promised=400),
        ),
        "a scorer died": (GOOD, arm(CASES, ["exception"] * 400, name="cand")),
        "a scorer died once": (GOOD, arm(CASES, [1.0] * 399 + ["exception"], name="cand")),
        "a scorer died in the baseline": (arm(CASES, ["exception"] * 400), SAME),
        "NaN": (GOOD, arm(CASES, [1.0] * 399 + [math.nan], name="cand")),
        "infinite": (GOOD, arm(CASES, [1.0] * 399 + [math.inf], name="cand")),
        "no value": (GOOD, arm(CASES, [1.0] * 399 + [None], name="cand")),
        "out of range": (GOOD, arm(CASES, [1.0] * 399 + [7.0], name="cand")),
        "another dataset": (GOOD, arm(other, alternating(10), name="cand")),
        "another dataset in both": (arm(other, alternating(10)), arm(other, alternating(10), name="cand")),
        "another scorer": (GOOD, arm(CASES, alternating(10), name="cand", scorers=("Exact-2",))),
        "another range": (GOOD, arm(CASES, alternating(10), name="cand", metrics=(Metric(name="exact", low=-1.0),))),
        "no such metric": (
            arm(CASES, alternating(10), metrics=(Metric(name="other"),)),
            arm(CASES, alternating(10), name="cand", metrics=(Metric(name="other"),)),
        ),
        "other repeats": (GOOD, arm(CASES, alternating(10), name="cand", repeats=2)),
        "the same run twice": (GOOD, GOOD),
        "interrupted": (GOOD, Arm(SAME.spec, rows, state="interrupted", promised=400)),
        "nobody counted": (GOOD, Arm(SAME.spec, rows, state="complete")),
        "out of a cache": (
            GOOD,
            Arm(SAME.spec, [msgspec.structs.replace(rows[0], cached=True), *rows[1:]], state="complete", promised=400),
        ),
        "no answer": (
            GOOD,
            Arm(
                SAME.spec,
                [msgspec.structs.replace(rows[0], error="timeout"), *rows[1:]],
                state="complete",
                promised=400,
            ),
        ),
        "an undeclared score": (GOOD, arm(CASES, [{"exact": 1.0, "mine": 1.0}] * 400, name="cand")),
        "nothing at all": (
            Arm(GOOD.spec, [], state="complete", promised=0),
            Arm(SAME.spec, [], state="complete", promised=0),
        ),
    }


@pytest.mark.parametrize("kind", list(broken()))
def test_what_cannot_be_compared_is_an_error(kind: str) -> None:
    decision = decided(policy(), CASES, *broken()[kind])
    assert (decision.verdict, decision.exit_code) == (Verdict.ERROR, 3), decision.reason
    assert decision.reason


def test_a_pinned_version_of_the_dataset_is_kept() -> None:
    assert decided(policy(dataset={"path": "f", "version": CASES.version}), CASES, GOOD, SAME).verdict is Verdict.PASS
    swapped = decided(policy(dataset={"path": "f", "version": "0" * 16}), CASES, GOOD, SAME)
    assert swapped.verdict is Verdict.ERROR and "the policy wants '0000000000000000'" in swapped.reason


def test_a_direction_against_the_scorers_is_an_error() -> None:
    decision = decided(policy(metrics={"exact": {"margin": 0.05, "direction": "lower"}}), CASES, GOOD, SAME)
    assert decision.verdict is Verdict.ERROR and "'higher' is better" in decision.reason


def test_a_few_missing_values_are_judged_at_their_worst_where_the_policy_says_so() -> None:
    rules = policy(metrics={"exact": {"margin": 0.05, "missing_limit": 0.1}})
    one = decided(
        rules, CASES, GOOD, arm(CASES, lambda number, _: None if number == 5 else alternating(10)(number, 0), name="c")
    )
    assert one.verdict is Verdict.PASS, one.reason
    many = decided(
        rules, CASES, GOOD, arm(CASES, lambda number, _: None if number < 60 else alternating(10)(number, 0), name="c")
    )
    assert many.verdict is Verdict.ERROR, "what they hold would decide"


def two(first: float, second: float) -> dict[str, float]:
    return {"exact": first, "style": second}


def test_tiers_say_who_decides() -> None:
    metrics = (EXACT, Metric(name="style"))
    base = arm(CASES, lambda number, _: two(1.0, 1.0), metrics=metrics)
    cand = arm(CASES, lambda number, _: two(1.0, float(number % 3 != 0)), name="cand", metrics=metrics)

    def tiered(tier: str) -> Verdict:
        return decided(
            policy(metrics={"exact": {"margin": 0.05}, "style": {"margin": 0.05, "tier": tier}}), CASES, base, cand
        ).verdict

    assert tiered("critical") is tiered("guard") is Verdict.BLOCK
    assert tiered("advisory") is Verdict.PASS


def test_a_judge_that_nobody_calibrated_decides_nothing_and_alone_it_is_an_error() -> None:
    metrics = (EXACT, Metric(name="style", advisory=True))
    base = arm(CASES, lambda number, _: two(1.0, 1.0), metrics=metrics)
    cand = arm(CASES, lambda number, _: two(1.0, float(number % 3 != 0)), name="cand", metrics=metrics)
    both = decided(policy(metrics={"exact": {"margin": 0.05}, "style": {"margin": 0.05}}), CASES, base, cand)
    assert both.verdict is Verdict.PASS
    assert both.metrics[1].tier == "advisory" and any("not calibrated" in each for each in both.warnings)
    alone = decided(policy(metrics={"style": {"margin": 0.05}}), CASES, base, cand)
    assert alone.verdict is Verdict.ERROR and "all are advisory" in alone.reason


def test_a_dead_advisory_scorer_is_an_error_too() -> None:
    metrics = (EXACT, Metric(name="style", advisory=True))
    base = arm(CASES, lambda number, _: two(1.0, 1.0), metrics=metrics)
    dead = arm(CASES, lambda number, _: {"exact": 1.0, "style": "exception"}, name="cand", metrics=metrics)
    rules = policy(metrics={"exact": {"margin": 0.05}, "style": {"margin": 0.05}})
    assert decided(rules, CASES, base, dead).verdict is Verdict.ERROR


@pytest.mark.parametrize(("how", "verdict"), [("block", Verdict.BLOCK), ("hold", Verdict.INCONCLUSIVE)])
def test_what_inconclusive_means_is_the_policys_to_say(how: str, verdict: Verdict) -> None:
    few = dataset(20)
    arms = arm(few, [1.0] * 20), arm(few, [1.0] * 20, name="cand")
    assert decided(policy(inconclusive={"critical": how}), few, *arms).verdict is verdict


def test_a_guard_may_be_let_through_with_a_warning_beside_a_critical_metric_that_passed() -> None:
    metrics = (EXACT, Metric(name="style"))
    base = arm(CASES, lambda number, _: two(1.0, float(number % 2)), metrics=metrics)
    cand = arm(CASES, lambda number, _: two(1.0, float((number // 2) % 2)), name="cand", metrics=metrics)
    declared = {"exact": {"margin": 0.05}, "style": {"margin": 0.01, "tier": "guard"}}
    assert decided(policy(metrics=declared), CASES, base, cand).verdict is Verdict.INCONCLUSIVE
    let = decided(policy(metrics=declared, inconclusive={"guard": "warn"}), CASES, base, cand)
    assert let.verdict is Verdict.PASS and any("without proof" in each for each in let.warnings)


def test_a_slice_that_got_worse_blocks_what_passes_as_a_whole() -> None:
    cases = dataset(2000, lambda number: {"metadata": {"topic": "rare" if number % 25 == 0 else "usual"}})
    base = arm(cases, lambda number, _: 1.0)
    cand = arm(cases, lambda number, _: float(number % 50 != 0), name="cand")
    rules = {"metrics": {"exact": {"margin": 0.05, "least_effect": 0.05}}}
    assert decided(policy(**rules), cases, base, cand).verdict is Verdict.PASS
    sliced = decided(policy(**rules, slices={"by": ["topic"]}), cases, base, cand)
    assert sliced.verdict is Verdict.BLOCK and "topic=rare" in sliced.reason
    assert "Holm" in next(each.finding.method for each in sliced.slices if each.slice == "topic=rare")


def test_small_slices_are_shown_and_not_tested() -> None:
    cases = dataset(400, lambda number: {"metadata": {"topic": "few" if number < 5 else "many"}})
    base = arm(cases, lambda number, _: 1.0)
    cand = arm(cases, lambda number, _: float(number >= 4), name="cand")
    decision = decided(policy(slices={"by": ["topic"]}), cases, base, cand)
    few = next(each for each in decision.slices if each.slice == "topic=few")
    assert not few.counts and "too few" in few.finding.reason and decision.verdict is Verdict.PASS


def test_many_slices_do_not_block_by_chance() -> None:
    """One of forty slices at p = 0.02 is what chance alone brings: Holm lets it be."""
    cases = dataset(800, lambda number: {"metadata": {"shop": f"s{number % 40}"}})
    base = arm(cases, lambda number, _: 1.0)
    cand = arm(cases, lambda number, _: float(not (number % 40 == 3 and number < 240)), name="cand")
    decision = decided(policy(slices={"by": ["shop"]}), cases, base, cand)
    assert decision.verdict is Verdict.PASS, decision.reason


def test_cases_of_a_cluster_are_one_unit_of_chance() -> None:
    clustered = dataset(400, lambda number: {"cluster": f"k{number // 100}"})
    arms = [arm(clustered, lambda number, _: 1.0, name=name) for name in ("base", "cand")]
    decision = decided(policy(), clustered, *arms)
    assert decision.verdict is Verdict.INCONCLUSIVE and decision.metrics[0].finding.clusters == 4


def test_repeats_are_averaged() -> None:
    base = arm(CASES, lambda number, repeat: float((number + repeat) % 3 != 0), repeats=3)
    cand = arm(CASES, lambda number, repeat: float((number + repeat + 1) % 3 != 0), name="cand", repeats=3)
    decision = decided(policy(), CASES, base, cand)
    assert decision.verdict is Verdict.PASS and decision.metrics[0].finding.n == 400


def test_ratios_are_compared_by_quotients() -> None:
    cost = Metric(name="cost_usd", direction="lower", scale="ratio")
    base = arm(CASES, lambda number, _: 1.0 + number % 7, metrics=(cost,))
    dearer = arm(CASES, lambda number, _: (1.0 + number % 7) * (1.3 + (number % 5) / 50), name="cand", metrics=(cost,))
    rules = policy(metrics={"cost_usd": {"margin": 0.1}})
    assert decided(rules, CASES, base, dearer).verdict is Verdict.BLOCK
    level = arm(
        CASES, lambda number, _: (1.0 + number % 7) * (1.0 + (number % 5 - 2) / 50), name="cand", metrics=(cost,)
    )
    assert decided(rules, CASES, base, level).verdict is Verdict.PASS
