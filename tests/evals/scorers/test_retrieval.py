"""Rankings: published figures, and trec_eval itself (pytrec_eval, ir_measures) as oracles."""

import math
from typing import Any

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.evals.case import Case
from llmops.evals.output import Output, Passage
from llmops.evals.score import Score
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import build
from llmops.evals.scorers.retrieval.batch import evaluate, evaluate_arrays, measure
from llmops.evals.scorers.retrieval.measures import measure_of
from llmops.evals.scorers.retrieval.ranked import ranked

THEIRS = {
    "map": "map",
    "map@5": "map_cut_5",
    "mrr": "recip_rank",
    "precision@5": "P_5",
    "precision@100": "P_100",
    "recall@10": "recall_10",
    "hit@5": "success_5",
    "ndcg_linear": "ndcg",
    "ndcg_linear@10": "ndcg_cut_10",
    "r_precision": "Rprec",
    "bpref": "bpref",
}
KINDS = {"map", "map_cut", "recip_rank", "P", "recall", "success", "ndcg", "ndcg_cut", "Rprec", "bpref"}

DOCUMENTS = st.sampled_from([f"d{number}" for number in range(30)] + ["D1", "\u00e9", "\u4e00"])
#: Many ties, also such as are only ties in 32 bits, and both zeros.
SCORES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1.00000001, 1e300, -1e300]), st.floats(-5, 5))
RUNS = st.dictionaries(DOCUMENTS, SCORES, min_size=1, max_size=30)
#: None below 0: at those trec_eval writes beyond its tables, and hangs or dies.
JUDGED = st.dictionaries(DOCUMENTS, st.integers(0, 4), min_size=1, max_size=30)


@settings(max_examples=80)
@given(st.lists(st.tuples(RUNS, JUDGED), min_size=1, max_size=4))
def test_all_figures_are_those_of_trec_eval(queries: list[tuple[dict[str, float], dict[str, int]]]) -> None:
    run = {str(number): scores for number, (scores, _) in enumerate(queries)}
    judged = {str(number): grades for number, (_, grades) in enumerate(queries)}
    expected = pytrec_eval.RelevanceEvaluator(judged, KINDS).evaluate(run)
    for query, values in evaluate(run, judged, list(THEIRS)).items():
        for ours, theirs in THEIRS.items():
            assert values[ours] == pytest.approx(expected[query][theirs], abs=1e-9), (ours, run[query], judged[query])


@settings(max_examples=40)
@given(RUNS, st.dictionaries(DOCUMENTS, st.integers(-3, 2), min_size=1))
def test_a_relevance_below_0_is_that_of_a_document_that_nobody_judged(
    scores: dict[str, float], judged: dict[str, int]
) -> None:
    without = {document: grade for document, grade in judged.items() if grade >= 0}
    assert evaluate({"q": scores}, {"q": judged}, list(THEIRS)) == evaluate({"q": scores}, {"q": without}, list(THEIRS))


def test_published_figures_of_pytrec_eval() -> None:
    judged = {"q1": {"d1": 0, "d2": 1, "d3": 0}, "q2": {"d2": 1, "d3": 1}}
    run = {"q1": {"d1": 1.0, "d2": 0.0, "d3": 1.5}, "q2": {"d1": 1.5, "d2": 0.2, "d3": 0.5}}
    assert evaluate(run, judged, ["map", "ndcg_linear"]) == {
        "q1": {"map": pytest.approx(1 / 3), "ndcg_linear": pytest.approx(0.5)},
        "q2": {"map": pytest.approx(0.5833333333333333), "ndcg_linear": pytest.approx(0.6934264036172708)},
    }


def test_one_relevant_document_in_second_place() -> None:
    table = ranked([["a", "b"]], [{"b": 1}])
    values = measure(table, ["ndcg_linear", "mrr", "map", "hit@1", "hit@2"])
    assert [float(each[0]) for each in values.values()] == pytest.approx([0.6309297535714575, 0.5, 0.5, 0, 1])


def test_ir_measures_agrees_in_the_mean() -> None:
    judged = {"0": {"D0": 1, "D2": 0, "D3": 2, "D4": 0}, "1": {"D0": 1, "D3": 2, "D5": 0}}
    run = {
        "0": {"D0": 0.8, "D2": 0.7, "D1": 0.3, "D3": 0.4, "D4": 0.1},
        "1": {"D1": 0.8, "D3": 0.7, "D4": 0.3, "D2": 0.4},
    }
    pairs: dict[str, Any] = {
        "ndcg_linear": ir_measures.nDCG,
        "ndcg_linear@3": ir_measures.nDCG @ 3,
        "precision@4": ir_measures.P @ 4,
        "map": ir_measures.AP,
        "mrr@2": ir_measures.RR @ 2,
        "hit@2": ir_measures.Success @ 2,
        "bpref": ir_measures.Bpref,
        "r_precision": ir_measures.Rprec,
    }
    expected = ir_measures.calc_aggregate(list(pairs.values()), judged, run)
    ours = evaluate(run, judged, list(pairs))
    for name, theirs in pairs.items():
        assert sum(values[name] for values in ours.values()) / 2 == pytest.approx(expected[theirs]), name


def test_the_two_gains_are_two_measures() -> None:
    table = ranked([["a", "b", "c"]], [{"a": 1, "b": 3, "c": 2}])
    values = measure(table, ["ndcg_linear", "ndcg_burges"])
    places = [1, 1 / math.log2(3), 0.5]
    for name, gains in (("ndcg_linear", (1, 3, 2)), ("ndcg_burges", (1, 7, 3))):
        best = sorted(gains, reverse=True)
        reached = sum(gain * place for gain, place in zip(gains, places, strict=True))
        assert float(values[name][0]) == pytest.approx(
            reached / sum(gain * place for gain, place in zip(best, places, strict=True))
        )


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 15))
def test_measures_stay_within_0_and_1_and_a_best_ranking_is_1(grades: list[int], cut: int) -> None:
    names = [f"hit@{cut}", f"mrr@{cut}", f"precision@{cut}", f"recall@{cut}", f"map@{cut}"]
    names += [f"ndcg_linear@{cut}", f"ndcg_burges@{cut}", "r_precision", "bpref", "map"]
    judged = {f"d{place:02}": grade for place, grade in enumerate(grades)}
    given_order = measure(ranked([list(judged)], [judged]), names)
    best = measure(ranked([sorted(judged, key=lambda each: -judged[each])], [judged]), names)
    for name in names:
        assert 0 <= float(given_order[name][0]) <= float(best[name][0]) <= 1 + 1e-12
    if any(grades):
        for name in ("map", f"ndcg_linear@{cut}", f"ndcg_burges@{cut}", "r_precision", "bpref"):
            assert float(best[name][0]) == pytest.approx(1)


def test_arrays_and_dictionaries_agree() -> None:
    draw = np.random.default_rng(1)
    scores, relevance = draw.integers(0, 9, (700, 40)) / 3, draw.integers(-1, 4, (700, 40))
    names = [f"d{number:02}" for number in range(40)]
    run = {str(row): dict(zip(names, map(float, scores[row]), strict=True)) for row in range(700)}
    judged = {str(row): dict(zip(names, map(int, relevance[row]), strict=True)) for row in range(700)}
    measures = [*THEIRS, "ndcg_burges@10"]
    table, arrays = evaluate(run, judged, measures), evaluate_arrays(scores, relevance, measures)
    for name in measures:
        assert [table[str(row)][name] for row in range(700)] == pytest.approx(list(arrays[name]))


def test_nothing_retrieved_nothing_relevant_no_query() -> None:
    names = [*THEIRS, "ndcg_burges"]
    assert all(float(values[0]) == 0 for values in measure(ranked([[]], [{"a": 1}]), names).values())
    assert all(float(values[0]) == 0 for values in measure(ranked([["a"]], [{}]), names).values())
    assert all(len(values) == 0 for values in measure(ranked([], []), names).values())


def test_a_score_that_is_nan_has_no_place() -> None:
    with pytest.raises(ValueError, match="NaN"):
        evaluate_arrays(np.array([[math.nan, 1.0]]), np.array([[1, 0]]), ["map"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ndcg", "ndcg_linear"),
        ("recal@5", "recall"),
        ("hit", "hit@10"),
        ("bpref@5", "plain 'bpref'"),
        ("mrr@0", "mrr@10"),
        ("mrr@x", "mrr@10"),
        ("zzz", "one of hit"),
    ],
)
def test_a_measure_that_there_is_not(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        measure_of(name)


async def scored(reference: Any, *passages: Passage, **config: Any) -> dict[str, Score]:
    scores = await judge(
        build("retrieval", config), Case(id="a", input="?", reference=reference), Output(passages=passages)
    )
    return {score.name: score for score in scores}


async def test_a_case_s_passages() -> None:
    given_order = (Passage(id="x"), Passage(id="b"), Passage(id="a"))
    found = await scored({"relevant": {"a": 2, "b": 1, "z": 0}}, *given_order, measures=["mrr", "recall@2", "hit@1"])
    assert {name: score.value for name, score in found.items()} == {"mrr": 0.5, "recall@2": 0.5, "hit@1": 0}


async def test_scores_order_passages_as_trec_eval_does_unless_told_otherwise() -> None:
    tied = (Passage(id="a", score=1.0), Passage(id="b", score=1.0), Passage(id="c", score=2.0))
    assert (await scored(["a"], *tied, measures=["mrr"]))["mrr"].value == pytest.approx(1 / 3)
    assert (await scored(["a"], *tied, measures=["mrr"], order="given"))["mrr"].value == 1


async def test_a_case_to_which_nothing_is_relevant() -> None:
    unmeasured = (await scored({"relevant": {"a": 0}}, Passage(id="a"), measures=["map"]))["map"]
    assert (unmeasured.value, unmeasured.error) == (None, None)
    assert unmeasured.note
    zero = await scored({"relevant": {"a": 0}}, Passage(id="a"), measures=["map"], without_relevant="zero")
    assert zero["map"].value == 0


async def test_doubles_and_passages_without_an_id() -> None:
    double = (await scored(["a"], Passage(id="b"), Passage(id="b"), Passage(id="a"), measures=["mrr"]))["mrr"]
    assert double.value == 0.5
    assert double.note is not None and "1 passages" in double.note
    nameless = (await scored(["a"], Passage(text="who?"), measures=["mrr"]))["mrr"]
    assert nameless.error is not None
