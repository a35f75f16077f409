"""Nothing that a model says stops a scorer, nor keeps it busy for long."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.evals.case import Case
from llmops.evals.output import Output, Passage, ToolCall
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import SCORERS, build

REFERENCE = {
    "answer": "The answer is 18.",
    "relevant": {"d1": 1},
    "contexts": ["some text"],
    "tool_calls": [{"name": "search", "arguments": {"q": "x"}}],
}
METADATA = {"schema": {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}}
CASE = Case(id="a", input="?", reference=REFERENCE, metadata=METADATA)
PLAIN = [name for name, entry in SCORERS.items() if not entry.needs]
#: What one scorer may take for one output of a megabyte. Seen: 1 s; without bounds it would be minutes or for ever.
LONGEST_S = 15.0

MEGABYTE = 1_000_000
TEXTS = {"digits": "9" * MEGABYTE, "brackets": "[" * MEGABYTE, "marks": "\u202e\u0000\ud800<script>" * (MEGABYTE // 11)}


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_megabyte_is_judged_in_time(kind: str) -> None:
    output = Output(text=TEXTS[kind], passages=(Passage(id=TEXTS[kind][:1000], text=TEXTS[kind]),))
    seen = {}
    for name in PLAIN:
        began = time.process_time()
        scores = await judge(build(name), CASE, output)
        seen[name] = time.process_time() - began
        assert seen[name] < LONGEST_S, name
        assert scores, name
        for score in scores:
            assert (score.error or score.value is not None or score.note) is not None, name


@pytest.mark.parametrize("pattern", [r"(a|aa)+$", r"(a+)+b", r"(.*)*x"])
async def test_a_pattern_that_never_ends_is_an_error(pattern: str) -> None:
    scorer = build("regex", {"pattern": pattern, "timeout_s": 0.2})
    began = time.process_time()
    score = (await judge(scorer, CASE, Output(text="a" * 100_000 + "!")))[0]
    assert time.process_time() - began < LONGEST_S
    assert score.value == 0 or (score.error is not None and score.error.code == "timeout")


async def test_a_reference_as_long_as_the_answer_is_refused_and_not_awaited() -> None:
    case = Case(id="a", input="?", reference="b" * MEGABYTE)
    score = (await judge(build("edit_similarity"), case, Output(text="a" * MEGABYTE)))[0]
    assert score.error is not None and score.error.code == "too_long"


ARGUMENTS = st.none() | st.text(max_size=5) | st.dictionaries(st.text(max_size=3), st.integers())
CALLS = st.lists(st.builds(ToolCall, name=st.text(max_size=5), arguments=ARGUMENTS), max_size=3)
PASSAGES = st.lists(
    st.builds(
        Passage, id=st.none() | st.text(max_size=3), text=st.none() | st.text(max_size=9), score=st.none() | st.floats()
    ),
    max_size=4,
)
JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5)


@settings(max_examples=15)
@given(text=st.none() | st.text(max_size=50), data=JSON, calls=CALLS, passages=PASSAGES)
@pytest.mark.parametrize("name", PLAIN)
async def test_whatever_comes_is_a_score(name: str, text: Any, data: Any, calls: Any, passages: Any) -> None:
    """A value that is a figure, a note or an error; and one for each metric."""
    scorer = build(name)
    output = Output(text=text, data=data, tool_calls=tuple(calls), passages=tuple(passages))
    scores = await judge(scorer, CASE, output)
    assert [score.name for score in scores] == [metric.name for metric in scorer.metrics]
    for score in scores:
        assert score.error is None or score.error.code != "not_finite"
        assert score.error is not None or score.value is not None or score.note
