"""What a gate buys: fixed beforehand, within the budget, more cases before more repeats, alpha spent over the looks."""

from itertools import pairwise

import pytest

from llmops.evals.gate.stages import first_depths, levels_of, next_depths, shuffled, stages_of

from .arms import arm, dataset, policy


def sizes(count: int, **fields: object) -> list[tuple[int, int]]:
    return [(each.cases, each.cells) for each in stages_of(policy(**fields), dataset(count))]


def test_one_look_by_default() -> None:
    assert sizes(100) == [(100, 100)]
    assert sizes(100, repeats=3) == [(100, 300)]


def test_cases_first_then_repeats() -> None:
    grown = sizes(400, extension={"looks": 4, "first_cases": 100, "most_repeats": 4})
    assert grown[0] == (100, 100) and grown[-1] == (400, 1600)
    assert [cases for cases, _ in grown] == sorted(cases for cases, _ in grown)
    assert all(cells == cases for cases, cells in grown if cases < 400)


def test_a_budget_of_cells_ends_the_plan() -> None:
    grown = sizes(400, extension={"looks": 4, "first_cases": 100, "most_repeats": 4}, budget={"cells": 900})
    assert 2 * grown[-1][1] <= 900


@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
def test_alpha_is_spent_over_the_looks(kind: str) -> None:
    rules = policy(extension={"looks": 4, "first_cases": 100, "most_repeats": 4, "spending": kind})
    stages = stages_of(rules, dataset(400))
    found = [level["exact"] for level in levels_of(rules, stages)]
    assert len(found) == len(stages) == 4
    assert all(0 < level < 0.05 for level in found) and sum(found) > 0.05 > found[0]
    assert [each.information for each in stages] == sorted(each.information for each in stages)
    assert stages[-1].information == 1


def test_the_order_of_cases_is_random_the_same_and_keeps_clusters_together() -> None:
    cases = dataset(60, lambda number: {"cluster": f"k{number % 20}"})
    order = [case.cluster for case in shuffled(cases, 1)]
    assert order == [case.cluster for case in shuffled(cases, 1)]
    assert order != [case.cluster for case in shuffled(cases, 2)]
    assert sum(first != second for first, second in pairwise(order)) == 19


def test_repeats_go_where_answers_vary_and_never_by_a_single_case() -> None:
    cases = dataset(100, lambda number: {"metadata": {"kind": "fickle" if number < 50 else "firm"}})
    extension = {"looks": 2, "most_repeats": 6, "strata": "kind"}
    rules = policy(repeats=2, extension=extension)
    stages = stages_of(rules, cases)
    order = shuffled(cases, 0)
    first = first_depths(rules, stages[0], order)

    def answers(number: int, repeat: int) -> float:
        return float((number // 2 + repeat) % 2) if number < 50 else 1.0

    base, cand = arm(cases, answers, repeats=2), arm(cases, answers, name="cand", repeats=2)
    capped = rules.model_copy(update={"budget": rules.budget.model_copy(update={"cells": 800})})
    stage = stages_of(capped, cases)[-1]
    found = next_depths(capped, stage, order, first, base, cand)
    fickle = {found[case.id] for case in cases.cases[:50]}
    firm = {found[case.id] for case in cases.cases[50:]}
    assert min(fickle) > max(firm) >= 2
    assert max(fickle) - min(fickle) <= 1, "within a stratum all are asked alike"
    assert sum(found.values()) <= stage.cells + len(cases)
