"""A metric by group, and the largest gap."""

import random

import pytest

from llmops.evals.case import Case
from llmops.evals.fairness import UNKNOWN, Fairness, fairness
from llmops.evals.output import Output
from llmops.evals.result import Result
from llmops.evals.score import Score


def compare(groups: dict[str | None, list[float | None]], **settings: float) -> Fairness:
    cases, results = {}, []
    for group, values in groups.items():
        for number, value in enumerate(values):
            case = Case(id=f"{group}-{number}", input="", metadata={} if group is None else {"language": group})
            cases[case.id] = case
            score = Score(name="exact", value=value)
            results.append(Result(case_id=case.id, repeat=0, output=Output(text=""), scores=(score,)))
    return fairness(results, cases, "exact", "language", **settings)  # type: ignore[arg-type]


def test_groups_and_their_largest_gap() -> None:
    found = compare({"en": [1.0] * 90 + [0.0] * 10, "de": [1.0] * 80 + [0.0] * 20, "sw": [1.0] * 40 + [0.0] * 60})
    assert [(group.name, group.mean.value) for group in found.groups] == [("de", 0.8), ("en", 0.9), ("sw", 0.4)]
    assert found.gap is not None and found.pairs == 3
    assert (found.gap.higher, found.gap.lower, found.gap.value) == ("en", "sw", pytest.approx(0.5))
    assert 0.3 < found.gap.low < 0.5 < found.gap.high < 0.68


def test_newcombe_s_interval_for_two_proportions() -> None:
    """His example (1998, table II a): 56 of 70 against 48 of 80, 0.2 with 0.0524 to 0.3339."""
    found = compare({"a": [1.0] * 56 + [0.0] * 14, "b": [1.0] * 48 + [0.0] * 32}).gap
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_small_groups_are_shown_and_not_compared() -> None:
    found = compare({"en": [1.0] * 50, "is": [0.0] * 3, None: [1.0] * 50})
    assert [(group.name, group.compared) for group in found.groups] == [(UNKNOWN, True), ("en", True), ("is", False)]
    assert found.gap is not None and found.gap.value == 0


def test_what_was_not_measured_is_counted() -> None:
    found = compare({"en": [1.0] * 20 + [None] * 5, "de": [None] * 5})
    assert [(group.name, group.unmeasured) for group in found.groups] == [("de", 5), ("en", 5)]
    assert found.gap is None


def test_a_key_that_no_case_has() -> None:
    with pytest.raises(ValueError, match="there are language"):
        fairness([], {"a": Case(id="a", input="", metadata={"language": "en"})}, "exact", "lang")


def test_among_equal_groups_a_gap_is_seldom_claimed() -> None:
    """Ten groups of the same rate: the largest of 45 gaps is found to be real in at most 5 of 100 trials, or so."""
    draw = random.Random(4)
    claimed = 0
    for _ in range(60):
        groups: dict[str | None, list[float | None]] = {
            str(name): [float(draw.random() < 0.7) for _ in range(60)] for name in range(10)
        }
        gap = compare(groups).gap
        claimed += gap is not None and gap.low > 0
    assert claimed <= 6
