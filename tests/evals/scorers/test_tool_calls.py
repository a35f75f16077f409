"""Tool calls; the figures are RAGAS', by its definition."""

from typing import Any

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Output, ToolCall
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import build

SEARCH, FILTER = ("search", {"query": "python"}), ("filter", {"type": "recent"})


async def values(wanted: list[Any], made: list[Any], **settings: bool) -> tuple[float | None, float | None]:
    reference = {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in wanted]}
    calls = tuple(ToolCall(name=name, arguments=arguments) for name, arguments in made)
    case = Case(id="a", input="?", reference=reference)
    accuracy, f1 = await judge(build("tool_calls", settings), case, Output(tool_calls=calls))
    return accuracy.value, f1.value


@pytest.mark.parametrize(
    ("wanted", "made", "accuracy", "f1"),
    [
        ([SEARCH, FILTER], [SEARCH, FILTER], 1, 1),
        ([SEARCH], [], 0, 0),
        ([SEARCH, FILTER], [FILTER, SEARCH], 0, 1),
        ([SEARCH], [SEARCH, FILTER], 0, 2 / 3),
        ([SEARCH, FILTER], [SEARCH], 0, 2 / 3),
        (
            [("search", {"query": "python", "limit": 10}), FILTER],
            [("search", {"query": "python", "limit": 5}), FILTER],
            0.75,
            0.5,
        ),
        ([SEARCH], [("other", {})], 0, 0),
        ([], [SEARCH], 0, 0),
        ([("now", {})], [("now", {})], 1, 1),
        ([("now", {})], [("now", {"zone": "UTC"})], 0, 0),
        ([("add", {"a": 1})], [("add", {"a": 1.0})], 1, 1),
        ([("add", {"a": 1})], [("add", {"a": True})], 0, 0),
        ([("add", {"a": [1]})], [("add", "not JSON")], 0, 0),
    ],
)
async def test_accuracy_and_f1(wanted: list[Any], made: list[Any], accuracy: float, f1: float) -> None:
    assert await values(wanted, made) == (pytest.approx(accuracy), pytest.approx(f1))


async def test_order_counts_unless_told_otherwise() -> None:
    assert await values([SEARCH, FILTER], [FILTER, SEARCH], ordered=False) == (1, 1)


async def test_no_call_wanted_and_none_made() -> None:
    assert await values([], []) == (1, 1)
    assert await values([], [], ragas_compat=True) == (1, 0)


async def test_ragas_rounds_f1_and_compares_arguments_as_text() -> None:
    assert await values([SEARCH], [SEARCH, FILTER], ragas_compat=True) == (0, 0.6667)
    accuracy, _ = await values([("add", {"a": 1})], [("add", {"a": "1"})], ragas_compat=True)
    assert accuracy == 1
