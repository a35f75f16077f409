"""A judge that says what it is told to, and an embedder of three dimensions: what the tests of judged scorers need."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from llmops.evals.judge import Opinion, Question

Answer = Callable[[Question, dict[str, Any]], Any]


class ScriptedJudge:
    """``answer`` is given the question and its material; a text is said as it is, an exception is raised."""

    def __init__(self, answer: Answer, *, version: str = "scripted", cost_nanousd: int | None = 7) -> None:
        self._answer = answer
        self._cost_nanousd = cost_nanousd
        self.version = version
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Opinion:
        self.asked.append(question)
        said = self._answer(question, msgspec.json.decode(question.material))
        if isinstance(said, BaseException):
            raise said
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        return Opinion(text=text, cost_nanousd=self._cost_nanousd)


def by_prompt(**answers: Any) -> Answer:
    """Always the same for a prompt, by its name; a function is asked with the material."""

    def answer(question: Question, material: dict[str, Any]) -> Any:
        said = answers[question.prompt.name]
        return said(material) if callable(said) else said

    return answer


class Vectors:
    """An embedder that has the vectors in a table."""

    version = "table"

    def __init__(self, table: dict[str, Sequence[float]]) -> None:
        self._table = table

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [self._table[text] for text in texts]
