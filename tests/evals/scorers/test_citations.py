"""Citations: real, everywhere, and right."""

from typing import Any

import pytest

from llmops.evals.case import Case
from llmops.evals.output import Output, Passage
from llmops.evals.scorer import judge
from llmops.evals.scorers.rag.citations import cited_sentences
from llmops.evals.scorers.registry import Tools, build

from .scripted import ScriptedJudge, by_prompt


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Paris is big [1]. It is old.", [("Paris is big .", ("1",), (0,)), ("It is old.", (), ())]),
        ("Paris is big. [1][2]\nNew line [3].", [("Paris is big.", ("1", "2"), (0, 1)), ("New line .", ("3",), ())]),
        ("See [doc-7; 1].", [("See .", ("doc-7", "1"), (1, 0))]),
        ("A [link](http://x) and [sic].", [("A [link](http://x) and .", (), ())]),
        ("Made up [99] and [0] and [doc-8].", [("Made up  and  and .", ("99", "0", "doc-8"), ())]),
        ("Done!\n[1]", [("Done!", ("1",), (0,))]),
        ("", []),
        ("...", []),
    ],
)
def test_reading_citations(text: str, found: list[Any]) -> None:
    known = [(each.marks, each.places) for each in cited_sentences(text, 2, {"doc-7": 1})]
    assert known == [(marks, places) for _, marks, places in found]


async def test_the_three_figures() -> None:
    passages = (Passage(id="d1", text="Paris has two million inhabitants"), Passage(id="d2", text="Rome is old"))
    output = Output(text="Paris is big [1]. Rome is new [2][9]. I like both.", passages=passages)
    seen = []

    def borne_out(material: dict[str, Any]) -> dict[str, Any]:
        seen.extend(material["statements"])
        return {"verdicts": [{"reason": "so", "supported": True}, {"reason": "no", "supported": False}]}

    scorer = build("citations", {}, Tools(judge=ScriptedJudge(by_prompt(borne_out=borne_out))))
    scores = {each.name: each for each in await judge(scorer, Case(id="a", input="?"), output)}
    assert {name: score.value for name, score in scores.items()} == {
        "citation_support": 0.5,
        "citation_validity": pytest.approx(2 / 3),
        "citation_coverage": pytest.approx(2 / 3),
    }
    assert seen[1]["passages"] == ["Rome is old"]


async def test_an_answer_without_citations_asks_no_judge() -> None:
    examiner = ScriptedJudge(by_prompt())
    scores = await judge(build("citations", {}, Tools(judge=examiner)), Case(id="a", input="?"), Output(text="Yes."))
    assert [each.value for each in scores] == [None, None, 0]
    assert not examiner.asked
