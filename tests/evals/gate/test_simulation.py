"""The gate tried on data: an unchanged candidate is seldom blocked, a spoilt one is found, clusters stay together."""

import pytest

from llmops.evals.gate.simulation import simulate
from llmops.evals.score import Metric

from .arms import EXACT, alternating, arm, dataset, policy

CASES = dataset(300)


def test_a_gate_keeps_its_error_rate_and_finds_a_loss_of_the_margin() -> None:
    base, cand = arm(CASES, alternating(9)), arm(CASES, alternating(7), name="cand")
    found = simulate(policy(metrics={"exact": {"margin": 0.1}}), CASES, base, cand, gates=300)
    assert found.false_block.low <= 0.05 and found.passes.value > 0.5
    assert found.false_pass["exact"].low <= 0.05 < found.blocks["exact"].value
    assert found.false_block.value + found.passes.value + found.undecided.value == pytest.approx(1)


def test_fewer_cases_see_less_and_a_larger_loss_is_seen_better() -> None:
    base, cand = arm(CASES, alternating(9)), arm(CASES, alternating(7), name="cand")
    rules = policy(metrics={"exact": {"margin": 0.1}})
    few = simulate(rules, CASES, base, cand, gates=150, cases=40)
    large = simulate(rules, CASES, base, cand, gates=150, cases=40, losses={"exact": 0.5})
    assert (few.cases, large.loss) == (40, {"exact": 0.5})
    assert few.undecided.value > 0.3 and large.blocks["exact"].value > few.blocks["exact"].value


def test_metrics_are_drawn_together_clusters_and_ratios_too() -> None:
    cases = dataset(120, lambda number: {"cluster": f"k{number // 3}"})
    metrics = (EXACT, Metric(name="cost_usd", direction="lower", scale="ratio"))

    def values(number: int, _: int) -> dict[str, float]:
        return {"exact": float(number % 8 != 0), "cost_usd": 1.0 + number % 5}

    base, cand = arm(cases, values, metrics=metrics), arm(cases, values, name="cand", metrics=metrics)
    rules = policy(metrics={"exact": {"margin": 0.2}, "cost_usd": {"margin": 0.2}})
    found = simulate(rules, cases, base, cand, gates=20)
    assert found.false_block.value == 0 and found.blocks.keys() == {"exact", "cost_usd"}
    assert found.blocks["cost_usd"].value == 1


def test_data_with_holes_are_refused() -> None:
    holes = arm(CASES, lambda number, _: None if number == 3 else 1.0, name="cand")
    with pytest.raises(ValueError, match="missing"):
        simulate(policy(), CASES, arm(CASES, alternating(9)), holes, gates=1)
