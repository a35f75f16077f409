"""Repeats together: pass@k, pass^k, reliability."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.evals.aggregates import at_k, mean_of, reliability
from llmops.evals.case import Case
from llmops.evals.output import Failure, Output
from llmops.evals.result import Result
from llmops.evals.score import Score

GOOD = Output(text="yes")


def results(**cases: str) -> list[Result]:
    """``+`` passed, ``-`` did not, ``!`` no answer, ``?`` could not be judged, ``c`` from a cache."""
    outputs = {"!": Output(error=Failure(code="timeout", message="")), "c": Output(text="yes", cached=True)}
    return [
        Result(
            case_id=case,
            repeat=repeat,
            output=outputs.get(how, GOOD),
            scores=(Score(name="exact", value=None if how in "?!" else float(how != "-")),),
        )
        for case, hows in cases.items()
        for repeat, how in enumerate(hows)
    ]


@pytest.mark.parametrize(
    ("passed", "n", "k", "any_of", "all_of"),
    [
        (3, 10, 1, 0.3, 0.3),
        (3, 10, 5, 0.9166666666666667, 0),
        (8, 10, 4, 1, 0.3333333333333333),
        (20, 200, 10, 0.660226, 0),
    ],
)
def test_published_figures(passed: int, n: int, k: int, any_of: float, all_of: float) -> None:
    found = results(a="+" * passed + "-" * (n - passed))
    assert at_k(found, "exact", k).mean.value == pytest.approx(any_of, abs=1e-6)
    assert at_k(found, "exact", k, kind="all").mean.value == pytest.approx(all_of, abs=1e-5)


def test_the_mean_over_cases() -> None:
    found = at_k(results(a="++", b="+-", c="--"), "exact", 2)
    assert (found.name, found.mean.value, found.mean.units) == ("pass@2", pytest.approx(2 / 3), 3)
    assert at_k(results(a="++", b="+-", c="--"), "exact", 2, kind="all").mean.value == pytest.approx(1 / 3)


def test_no_answer_did_not_pass_and_what_could_not_be_judged_is_no_attempt() -> None:
    found = at_k(results(a="+!", b="+?", c="+c"), "exact", 2)
    assert (found.mean.n, found.too_few, found.unjudged) == (1, 2, 1)
    assert at_k(results(a="+!"), "exact", 1).mean.value == 0.5


def test_too_few_attempts_are_not_a_figure() -> None:
    found = at_k(results(a="+", b="-"), "exact", 2)
    assert (found.mean.value, found.too_few) == (None, 2)
    with pytest.raises(ValueError, match="at least 1"):
        at_k([], "exact", 0)


def test_ten_of_ten_are_not_a_certainty() -> None:
    found = at_k(results(**{f"c{number}": "++" for number in range(10)}), "exact", 1).mean
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.72247, abs=1e-4)


def test_cases_of_a_cluster_are_one_unit_of_chance() -> None:
    cases = {f"c{number}": Case(id=f"c{number}", input="", cluster=str(number % 2)) for number in range(10)}
    found = at_k(results(**{case: "+-" for case in cases}), "exact", 1, cases=cases)
    assert (found.mean.n, found.mean.units) == (10, 2)


def test_reliability() -> None:
    found = reliability(results(a="+++", b="++-", c="---", d="+"), "exact")
    assert (found.always, found.sometimes, found.never) == (1, 1, 1)
    assert found.consistency == pytest.approx((1 + 1 / 3 + 1) / 3)


def test_lower_may_be_better() -> None:
    assert at_k(results(a="+-"), "exact", 1, pass_at=0, better="lower").mean.value == 0.5


@given(st.lists(st.text("+-", min_size=3, max_size=6), min_size=1, max_size=8))
def test_more_attempts_help_any_and_harm_all(rows: list[str]) -> None:
    found = results(**{str(number): row for number, row in enumerate(rows)})
    some = [round(at_k(found, "exact", k).mean.value or 0, 9) for k in (1, 2, 3)]
    every = [round(at_k(found, "exact", k, kind="all").mean.value or 0, 9) for k in (1, 2, 3)]
    assert some == sorted(some)
    assert every == sorted(every, reverse=True)
    assert some[0] == pytest.approx(every[0])


def test_a_mean_of_one_unit_has_no_interval() -> None:
    assert mean_of([0.2, 0.4], ["a", "a"]).low is None
    assert mean_of([], []).value is None
