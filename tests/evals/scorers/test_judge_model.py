"""A model of the pipeline as a judge: the real one, with the mock provider behind it."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from llmops import Settings, Stack
from llmops.assembly.asking import StackAsk
from llmops.evals.case import Case
from llmops.evals.cell_key import current_cell
from llmops.evals.judge import Opinion, Question
from llmops.evals.judge_model import ModelJudge
from llmops.evals.output import Output
from llmops.evals.result import Cell
from llmops.evals.scorer import judge
from llmops.evals.scorers.registry import Tools, build
from llmops.evals.subjects.model import Asked

from .test_judges import CASE, OUTPUT


class Recorder:
    """An `Ask` that answers with a text and remembers what it was asked."""

    def __init__(self, text: str | None) -> None:
        self._message = {"content": text}
        self.bodies: list[dict[str, Any]] = []
        self.namespaces: list[str | None] = []

    async def __call__(self, body: dict[str, Any], *, namespace: str | None) -> Asked:
        self.bodies.append(body)
        self.namespaces.append(namespace)
        said = {"choices": [{"message": self._message, "finish_reason": "stop"}]}
        return Asked(body=msgspec.json.encode(said), cost_nanousd=3)


@pytest.fixture
def cell() -> Iterator[None]:
    token = current_cell.set(("run-1", Cell("a", 0)))
    yield
    current_cell.reset(token)


async def test_a_question_as_a_call() -> None:
    ask = Recorder('{"reason": "it is", "verdict": "correct"}')
    score = (await judge(build("correctness", {}, Tools(judge=ModelJudge(ask, "gpt"))), CASE, OUTPUT))[0]
    assert (score.value, score.cost_nanousd) == (1, 3)
    body = ask.bodies[0]
    assert (body["model"], body["temperature"]) == ("gpt", 0)
    assert body["response_format"]["json_schema"]["name"] == "correct"
    assert [each["role"] for each in body["messages"]] == ["system", "user"]


async def test_each_question_of_a_cell_has_a_key_of_its_own(cell: None) -> None:
    ask = Recorder("not JSON")
    examiner = ModelJudge(ask, "gpt")
    tools = Tools(judge=examiner)
    await judge(build("correctness", {}, tools), CASE, OUTPUT)
    await judge(build("correctness", {}, tools), CASE, Output(text="Lyon"))
    assert len(set(ask.namespaces)) == 4, "two answers, each asked about twice"
    await judge(build("correctness", {}, tools), CASE, OUTPUT)
    assert len(set(ask.namespaces)) == 4, "the same question again is the same call"


async def test_a_judge_that_says_nothing_is_an_error() -> None:
    score = (await judge(build("correctness", {}, Tools(judge=ModelJudge(Recorder(None), "gpt"))), CASE, OUTPUT))[0]
    assert score.error is not None and score.error.code == "judge_silent"


def test_versions_hold_model_and_parameters() -> None:
    ask = Recorder("")
    versions = {
        ModelJudge(ask, "gpt").version,
        ModelJudge(ask, "gpt", params={"temperature": 1}).version,
        ModelJudge(ask, "gpt-2").version,
    }
    assert len(versions) == 3


async def test_through_the_pipeline(settings: Callable[..., Settings]) -> None:
    """The mock answers a schema with a sample of it, so the verdict is one of the three."""
    configured = settings()
    async with Stack(configured) as stack:
        scorer = build("correctness", {}, Tools(judge=ModelJudge(StackAsk(stack), configured.llm.model)))
        score = (await judge(scorer, Case(id="a", input="?", reference="b"), Output(text="b")))[0]
    assert score.error is None
    assert score.label in {"correct", "incomplete", "wrong"}


async def test_an_opinion_is_as_it_was_said() -> None:
    examiner = ModelJudge(Recorder(" {} "), "gpt")
    question = Question(prompt=build("correctness", {}, Tools(judge=examiner)).prompts[0], material="{}")
    assert await examiner.ask(question) == Opinion(text=" {} ", cost_nanousd=3)
