"""What a call took and cost."""

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.score import Score
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import build

OUTPUT = Output(text="yes", latency_ms=120.5, ttft_ms=30.0, tokens_in=11, tokens_out=7, cost_nanousd=1_500_000)


async def scored(name: str, output: Output, **settings: float) -> list[Score]:
    return await judge(build(name, settings), Case(id="a", input="?"), output)


async def test_figures_of_a_call() -> None:
    values = [
        (each.name, each.value, each.passed)
        for name, limit in (("latency", {"limit_ms": 100}), ("ttft", {}), ("tokens", {"limit_out": 7}), ("cost", {}))
        for each in await scored(name, OUTPUT, **limit)
    ]
    assert values == [
        ("latency_ms", 120.5, False),
        ("ttft_ms", 30.0, None),
        ("tokens_in", 11.0, None),
        ("tokens_out", 7.0, True),
        ("cost_usd", 0.0015, None),
    ]


@pytest.mark.parametrize("name", ["latency", "ttft", "tokens", "cost"])
@pytest.mark.parametrize("cached", [True, False])
async def test_what_nobody_measured_is_no_figure_and_no_zero(name: str, cached: bool) -> None:
    output = Output(text="yes") if not cached else Output(text="yes", cached=True, latency_ms=1, cost_nanousd=0)
    for score in await scored(name, output):
        assert score.value is None
        assert score.error is None
        assert score.note


def test_lower_is_better() -> None:
    for name in ("latency", "ttft", "tokens", "cost"):
        assert {(each.direction, each.scale) for each in build(name).metrics} == {("lower", "ratio")}
