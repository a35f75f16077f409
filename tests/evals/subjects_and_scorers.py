"""The smallest subjects and scorers that a test of the engine needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.score import Metric, Score


@dataclass(frozen=True)
class Exact:
    metrics: ClassVar = (Metric(name="exact"),)

    def score(self, case: Case, output: Output) -> Score:
        right = output.text == case.reference
        return Score(name="exact", value=float(right), passed=right)


@dataclass(frozen=True)
class Length:
    metrics: ClassVar = (Metric(name="length", scale="ratio"),)

    async def score(self, case: Case, output: Output) -> Score:
        return Score(name="length", value=float(len(output.text or "")))


@dataclass(frozen=True)
class Broken:
    metrics: ClassVar = (Metric(name="broken"),)

    def score(self, case: Case, output: Output) -> Score:
        raise RuntimeError("the scorer is down")


class Scripted:
    """A subject that answers from a table and counts how often each cell is asked. An exception there is raised."""

    versions: ClassVar[Mapping[str, str]] = {"function": "scripted"}

    def __init__(self, answers: Mapping[str, Output | Exception]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def answer(self, case: Case, repeat: int) -> Output:
        self.asked.append((case.id, repeat))
        said = self.answers[case.id]
        if isinstance(said, Exception):
            raise said
        return said


def cases(count: int, **fields: object) -> list[Case]:
    return [Case(id=f"c{number}", input="?", reference="yes", **fields) for number in range(count)]  # type: ignore[arg-type]


YES = Output(text="yes")
