"""Figures of a run: means, intervals by independent units, slices, percentiles."""

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Failure, Output
from llmops.evals.result import Result
from llmops.evals.score import Metric, Score
from llmops.evals.summary import Figure, Summary, Tally, spread

EXACT, LENGTH = Metric(name="exact"), Metric(name="length", scale="ratio")


def summed(values: dict[str, list[float | None]], metric: Metric = EXACT, **cases: Case) -> Summary:
    """Values of each case's repeats, under one metric."""
    tally = Tally([metric], [cases.get(name) or Case(id=name, input="?") for name in values])
    for name, repeats in values.items():
        for repeat, value in enumerate(repeats):
            scores = (Score(name=metric.name, value=value),)
            tally.add(Result(case_id=name, repeat=repeat, output=Output(text="x"), scores=scores))
    return tally.summary()


def only(summary: Summary) -> Figure:
    (figure,) = summary.metrics
    return figure


@pytest.mark.parametrize(("right", "n", "low", "high"), [(9, 10, 0.59585, 0.98212), (50, 100, 0.40383, 0.59617)])
def test_right_or_wrong_has_wilsons_interval(right: int, n: int, low: float, high: float) -> None:
    figure = only(summed({f"c{each}": [float(each < right)] for each in range(n)}))
    assert (figure.low, figure.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert (figure.n, figure.units) == (n, n)


def test_repeats_of_one_case_are_no_further_evidence() -> None:
    once = only(summed({f"c{each}": [float(each < 9)] for each in range(10)}))
    often = only(summed({f"c{each}": [float(each < 9)] * 50 for each in range(10)}))
    assert (often.n, often.units, often.mean) == (500, 10, once.mean)
    assert often.low is not None and often.high is not None and once.low is not None and once.high is not None
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)


def test_all_right_is_still_uncertain() -> None:
    figure = only(summed({f"c{each}": [1.0, 1.0] for each in range(10)}))
    assert figure.low == pytest.approx(1 - 0.27753, abs=1e-5)


def test_cases_of_one_cluster_are_one_unit() -> None:
    cases = {f"c{each}": Case(id=f"c{each}", input="?", cluster=f"k{each % 4}") for each in range(40)}
    values: dict[str, list[float | None]] = {name: [float(case.cluster == "k0")] for name, case in cases.items()}
    clustered, apart = only(summed(values, **cases)), only(summed(values))
    assert (clustered.units, apart.units) == (4, 40)
    assert clustered.low is not None and apart.low is not None and clustered.low < apart.low


def test_a_ratio_has_the_t_interval() -> None:
    figure = only(summed({name: [value] for name, value in zip("abcde", (1.0, 2, 3, 4, 5), strict=True)}, LENGTH))
    assert (figure.mean, figure.low, figure.high) == (
        3.0,
        pytest.approx(1.0368, abs=1e-4),
        pytest.approx(4.9632, abs=1e-4),
    )


def test_ten_equal_figures_prove_little() -> None:
    """A t interval would have no width, whatever the figures are, also where rounding leaves a trace of one."""
    for value in (3.0, 0.1):
        figure = only(summed({f"c{each}": [value] * 3 for each in range(10)}, LENGTH))
        assert (figure.mean, figure.low, figure.high) == (pytest.approx(value), None, None)
    graded = Metric(name="graded", scale="bounded")
    found = only(summed({f"c{each}": [0.7, 0.7] for each in range(10)}, graded))
    assert found.low is not None and found.high is not None
    assert found.low < 0.45 and found.high > 0.85


def test_too_little_has_no_interval() -> None:
    assert only(summed({"a": [3.0]}, LENGTH)).low is None
    assert (only(summed({"a": [None]})).mean, only(summed({"a": [None]})).unmeasured) == (None, 1)


def test_slices_by_what_the_cases_say() -> None:
    tally = Tally(
        [EXACT],
        cases := [Case(id=f"c{each}", input="?", metadata={"topic": "ab"[each % 2], "n": each}) for each in range(40)],
    )
    for number, case in enumerate(cases):
        score = Score(name="exact", value=float(number % 2))
        tally.add(Result(case_id=case.id, repeat=0, output=Output(text="x"), scores=(score,)))
    slices = tally.summary().slices
    assert {name: figures[0].mean for name, figures in slices.items()} == {"topic=a": 0.0, "topic=b": 1.0}


def test_failures_costs_and_what_is_not_known() -> None:
    tally = Tally([EXACT], [Case(id=name, input="?") for name in "abcd"])
    outputs = [
        Output(text="x", latency_ms=5.0, tokens_in=2, tokens_out=3, cost_nanousd=10),
        Output(error=Failure(code="timeout", message="late"), latency_ms=99.0),
        Output(text="x", tokens_out=3, cached=True, cost_nanousd=0, latency_ms=0.1),
        Output(text="x", tokens_out=3, recovered=True),
    ]
    for name, output in zip("abcd", outputs, strict=True):
        score = Score(name="exact", value=1.0, passed=name == "a", cost_nanousd=7)
        tally.add(Result(case_id=name, repeat=0, output=output, scores=(score,)))
    found = tally.summary()
    assert (found.cells, found.failed, found.errors, found.cached, found.recovered) == (4, 1, {"timeout": 1}, 1, 1)
    assert (found.passed, found.judged, found.cost_nanousd, found.judge_cost_nanousd) == (1, 4, 10, 28)
    assert (found.unpriced, found.tokens_in, found.tokens_out) == (1, 2, 9)
    assert found.latency_ms is not None and (found.latency_ms.n, found.latency_ms.max) == (1, 5.0)


def test_percentiles_are_by_nearest_rank() -> None:
    found = spread(float(value) for value in range(1, 101))
    assert found is not None
    assert (found.mean, found.p50, found.p90, found.p95, found.p99, found.max) == (50.5, 50.0, 90.0, 95.0, 99.0, 100.0)
    assert spread([]) is None
