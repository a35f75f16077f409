"""Answers against what was looked up: RAGAS' arithmetic, and what happens where it would say NaN."""

from typing import Any

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Output, Passage
from llmops.evals.score import Score
from llmops.evals.scorer import judge
from llmops.evals.scorers.rag.average_precision import average_precision
from llmops.evals.scorers.rag.embedder import cosine
from llmops.evals.scorers.registry import Tools, build

from .scripted import ScriptedJudge, Vectors, by_prompt

CASE = Case(
    id="a",
    input="When was Einstein born?",
    reference={"answer": "On 14 March 1879.", "contexts": ["born on 14 March 1879"], "relevant": ["d1", "d2"]},
)
OUTPUT = Output(
    text="Einstein was born on 14 March 1879 in Germany.",
    passages=(Passage(id="d1", text="Einstein, born on 14 March 1879"), Passage(id="d9", text="Newton")),
)


async def scored(
    name: str, answer: Any = None, output: Output = OUTPUT, case: Case = CASE, /, **settings: Any
) -> Score:
    embedder = settings.pop("embedder", Vectors({}))
    tools = Tools(judge=ScriptedJudge(answer), embedder=embedder)
    return (await judge(build(name, settings, tools), case, output))[0]


def verdicts(*said: str) -> dict[str, Any]:
    return {"verdicts": [{"reason": "so it is", "verdict": each} for each in said]}


@pytest.mark.parametrize(
    ("judged", "exact", "ragas"),
    [
        ([1, 0, 1], 0.8333333333, 0.8333333333),
        ([0, 1], 0.5, 0.5),
        ([0, 0], 0, 0),
        ([1, 1, 0, 1], 0.9166666667, 0.9166666666),
        ([1], 1.0, 0.9999999999),
        ([], 0, 0),
    ],
)
def test_average_precision_over_what_was_retrieved(judged: list[int], exact: float, ragas: float) -> None:
    said = [bool(each) for each in judged]
    assert average_precision(said) == pytest.approx(exact, abs=1e-10)
    assert average_precision(said, ragas_compat=True) == pytest.approx(ragas, abs=1e-10)
    if judged == [1]:
        assert average_precision(said) == 1.0
        assert average_precision(said, ragas_compat=True) == 1 / (1 + 1e-10)


async def test_faithfulness_keeps_the_verdict_about_each_claim() -> None:
    script = by_prompt(claims={"claims": ["born in 1879", "born in Germany"]}, verdicts=verdicts("supported", "absent"))
    score = await scored("faithfulness", script)
    assert score.value == 0.5
    assert [each["verdict"] for each in score.evidence["claims"]] == ["supported", "absent"]
    assert score.cost_nanousd == 14


async def test_an_answer_that_claims_nothing_is_not_measured() -> None:
    score = await scored("faithfulness", by_prompt(claims={"claims": []}))
    assert (score.value, score.error, score.note) == (None, None, "the answer claims nothing")
    compat = await scored("faithfulness", by_prompt(claims={"claims": []}), ragas_compat=True)
    assert (compat.value, compat.evidence["ragas"]) == (None, "NaN")
    empty = await scored("faithfulness", by_prompt(), Output(text="  "))
    assert (empty.value, empty.cost_nanousd) == (None, 0)


async def test_without_contexts_no_claim_is_supported_and_nothing_more_is_asked() -> None:
    score = await scored("faithfulness", by_prompt(claims={"claims": ["a", "b"]}), Output(text="a and b"))
    assert (score.value, score.cost_nanousd) == (0, 7)


async def test_hallucination_tells_what_is_contradicted() -> None:
    script = by_prompt(
        claims={"claims": ["a", "b", "c", "d"]}, verdicts=verdicts("supported", "absent", "contradicted", "supported")
    )
    scorer = build("hallucination", {"limit": 0.2}, Tools(judge=ScriptedJudge(script)))
    scores = await judge(scorer, CASE, OUTPUT)
    assert [(each.name, each.value, each.passed) for each in scores] == [
        ("hallucination", 0.5, False),
        ("contradiction", 0.25, None),
    ]
    assert [each.cost_nanousd for each in scores] == [14, 0], "a sum over scores is what was paid"


async def test_a_verdict_too_few_is_asked_for_once_more() -> None:
    told: list[str | None] = []

    def answer(question: Any, material: Any) -> Any:
        told.append(question.complaint)
        if question.prompt.name == "claims":
            return {"claims": ["a", "b"]}
        return verdicts("supported") if question.complaint is None else verdicts("supported", "supported")

    assert (await scored("faithfulness", answer)).value == 1
    assert told[-1] is not None and "one entry for each" in told[-1]


def relevancy(*noncommittal: bool) -> Any:
    made = iter(noncommittal)
    return by_prompt(question=lambda material: {"question": "When?", "noncommittal": next(made)})


@pytest.mark.parametrize(
    ("noncommittal", "vector", "value"),
    [
        ((False, False, False), (1.0, 0.0), 1.0),
        ((True, True, False), (0.6, 0.8), 0.6),
        ((True, True, True), (1.0, 0.0), 0.0),
        ((False, False, False), (-1.0, 0.0), -1.0),
    ],
)
async def test_answer_relevancy(noncommittal: tuple[bool, ...], vector: tuple[float, float], value: float) -> None:
    embedder = Vectors({"When was Einstein born?": (2.0, 0.0), "When?": vector})
    score = await scored("answer_relevancy", relevancy(*noncommittal), embedder=embedder)
    assert score.value == pytest.approx(value)
    assert len(score.evidence["questions"]) == 3


async def test_answer_relevancy_asks_for_samples_that_no_cache_may_serve() -> None:
    examiner = ScriptedJudge(relevancy(False, False))
    embedder = Vectors({"When was Einstein born?": (1.0,), "When?": (1.0,)})
    await judge(build("answer_relevancy", {"questions": 2}, Tools(judge=examiner, embedder=embedder)), CASE, OUTPUT)
    assert [(each.sample, each.fresh) for each in examiner.asked] == [(0, False), (1, True)]


async def test_an_answer_from_which_no_question_can_be_told() -> None:
    nothing = by_prompt(question={"question": "", "noncommittal": True})
    score = await scored("answer_relevancy", nothing, ragas_compat=True)
    assert (score.value, score.evidence["ragas"]) == (None, "NaN")


def test_cosine() -> None:
    assert cosine((0.0, 0.0), (1.0, 0.0)) == 0
    with pytest.raises(ValueError, match="2 and 1"):
        cosine((1.0, 0.0), (1.0,))
    with pytest.raises(ValueError, match="NaN"):
        cosine((float("nan"),), (1.0,))


async def test_context_precision_by_reference_and_by_answer() -> None:
    seen = []

    def useful(material: dict[str, Any]) -> dict[str, Any]:
        seen.append(material["answer"])
        return {"reason": "so", "useful": "Newton" in material["context"]}

    assert (await scored("context_precision", by_prompt(useful=useful))).value == 0.5
    assert (await scored("context_precision", by_prompt(useful=useful), against="answer")).value == 0.5
    assert set(seen) == {"On 14 March 1879.", OUTPUT.text}


async def test_nothing_retrieved_is_not_measured_but_0_for_ragas() -> None:
    nothing = Output(text="no idea")
    assert (await scored("context_precision", by_prompt(), nothing)).value is None
    assert (await scored("context_precision", by_prompt(), nothing, ragas_compat=True)).value == 0
    assert (await scored("text_context_precision", None, nothing)).value is None
    assert (await scored("id_context_precision", None, nothing)).value is None
    assert (await scored("text_context_recall", None, nothing)).value == 0
    assert (await scored("id_context_recall", None, nothing)).value == 0


async def test_precision_and_recall_without_a_judge() -> None:
    values = {
        name: (await scored(name)).value
        for name in ("text_context_precision", "text_context_recall", "id_context_precision", "id_context_recall")
    }
    assert values == {
        "text_context_precision": 1.0,
        "text_context_recall": 1.0,
        "id_context_precision": 0.5,
        "id_context_recall": 0.5,
    }


async def test_precision_counts_what_is_just_alike_and_recall_does_not() -> None:
    case = Case(id="a", input="?", reference={"contexts": ["abcd"]})
    output = Output(passages=(Passage(text="abxy"),))
    assert (await scored("text_context_precision", None, output, case)).value == 1
    assert (await scored("text_context_recall", None, output, case)).value == 0


async def test_context_recall() -> None:
    claims = [{"claim": each, "reason": "so", "attributed": each != "c"} for each in "abcd"]
    score = await scored("context_recall", by_prompt(attribution={"claims": claims}), threshold=0.7)
    assert (score.value, score.passed, len(score.evidence["claims"])) == (0.75, True, 4)
    empty = await scored("context_recall", by_prompt(attribution={"claims": []}), ragas_compat=True)
    assert (empty.value, empty.evidence["ragas"]) == (None, "NaN")
