"""Scorers of the answer's words, each against figures that are known, and against the libraries' own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import sentence_bleu, sentence_chrf

from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.score import Score
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import build


async def scored(name: str, said: Any, reference: Any = None, /, **settings: Any) -> Score:
    case = Case(id="a", input="?", reference=reference, metadata=settings.pop("metadata", {}))
    output = Output(text=said) if isinstance(said, str) else Output(data=said)
    return (await judge(build(name, settings), case, output))[0]


@pytest.mark.parametrize(
    ("said", "reference", "settings", "value"),
    [
        ("Paris", "Paris", {}, 1),
        (" Paris\n", "Paris", {}, 1),
        ("paris", "Paris", {}, 0),
        ("paris", ["London", "Paris"], {"normalise": ["case"]}, 1),
        ("The  Eiffel-Tower.", "eiffeltower", {"normalise": ["case", "articles", "punctuation", "whitespace"]}, 1),
        ("\uff30aris", "Paris", {"normalise": ["unicode"]}, 1),
        ("Paris", {"answer": "Paris", "relevant": ["d1"]}, {}, 1),
        ({"b": 1, "a": [2]}, {"a": [2], "b": 1}, {}, 1),
        ("", "", {}, 1),
    ],
)
async def test_exact(said: Any, reference: Any, settings: dict[str, Any], value: float) -> None:
    assert (await scored("exact", said, reference, **settings)).value == value


async def test_a_case_without_a_reference_is_an_error_and_not_a_wrong_answer() -> None:
    score = await scored("exact", "Paris")
    assert (score.value, score.error and score.error.code) == (None, "no_reference")


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"texts": ["alpha", "delta"]}, 1),
        ({"texts": ["alpha", "delta"], "mode": "all"}, 0),
        ({"texts": ["alpha", "beta"], "mode": "all"}, 1),
        ({"texts": ["delta"], "mode": "none"}, 1),
        ({"texts": ["ALPHA"], "ignore_case": False}, 0),
        ({"texts": ["a.pha"]}, 0),
    ],
)
async def test_contains(settings: dict[str, Any], value: float) -> None:
    assert (await scored("contains", "Alpha beta gamma", **settings)).value == value


async def test_contains_looks_for_the_reference_where_no_texts_are_told() -> None:
    assert (await scored("contains", "It is Paris.", ["London", "paris"])).value == 1


async def test_regex() -> None:
    assert (await scored("regex", "order 66 now", pattern=r"\b\d{2}\b")).value == 1
    assert (await scored("regex", "order 66 now", pattern=r"\d{2}", full=True)).value == 0
    assert (await scored("regex", "ORDER", r"or.er", ignore_case=True)).value == 1


@pytest.mark.parametrize(
    ("said", "value"), [('{"a": 1}', 1), ("[1, 2", 0), ("NaN", 0), ("sure: {}", 0), ("", 0), ("[" * 100_000, 0)]
)
async def test_json_valid(said: str, value: float) -> None:
    assert (await scored("json_valid", said)).value == value


async def test_json_may_stand_in_a_fence_where_that_is_allowed() -> None:
    fenced = '```json\n{"a": 1}\n```'
    assert (await scored("json_valid", fenced)).value == 0
    assert (await scored("json_valid", fenced, fenced=True)).value == 1


async def test_json_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert (await scored("json_schema", '{"n": 1}', schema=schema)).value == 1
    wrong = await scored("json_schema", '{"n": "one"}', metadata={"schema": schema})
    assert wrong.value == 0
    assert wrong.explanation is not None and "integer" in wrong.explanation
    missing = await scored("json_schema", "{}")
    assert missing.error is not None and missing.error.code == "no_reference"


async def test_a_schema_fetches_nothing() -> None:
    score = await scored("json_schema", "{}", metadata={"schema": {"$ref": "http://127.0.0.1:9/schema.json"}})
    assert score.error is not None and "not followed" in score.error.message


TEXTS = [
    ("the cat sat on the mat", "the cat is on the mat"),
    ("It is a guide to action.", "It is a guide that ensures action."),
    ("", "something"),
    ("\u7b2c\u4e00\u7ae0", "\u7b2c\u4e8c\u7ae0"),
]


@pytest.mark.parametrize(("said", "reference"), TEXTS)
async def test_bleu_and_chrf_are_sacrebleu_s(said: str, reference: str) -> None:
    bleu, chrf = await scored("bleu", said, reference), await scored("chrf", said, [reference, "other words"])
    assert bleu.value == pytest.approx(sentence_bleu(said, [reference]).score / 100)
    assert chrf.value == pytest.approx(sentence_chrf(said, [reference, "other words"]).score / 100)


@given(st.lists(st.sampled_from(["cat", "dog", "the", "ran", "x1", "-", "."])), st.text("ab c.D-9", max_size=40))
def test_rouge_l_is_that_of_rouge_score(words: list[str], other: str) -> None:
    from llmops.evals.scorers.rouge_l import rouge_l

    text = " ".join(words)
    expected = RougeScorer(["rougeL"]).score(other, text)["rougeL"].fmeasure
    assert rouge_l(other, text) == pytest.approx(expected)


async def test_edit_similarity_and_its_threshold() -> None:
    score = await scored("edit_similarity", "kitten", "sitting", threshold=0.6)
    assert (score.value, score.passed) == (pytest.approx(1 - 3 / 7), False)
    assert (await scored("edit_similarity", "", "")).value == 1


@given(st.text(max_size=30), st.text(max_size=30))
async def test_likenesses_stay_within_their_bounds(said: str, reference: str) -> None:
    for name in ("edit_similarity", "bleu", "chrf", "rouge_l"):
        score = await scored(name, said, reference)
        assert score.error is None
        assert score.value is not None and 0 <= score.value <= 1
