"""Which of two answers is better? Asked twice, in both orders, without names: a judge likes what stands first.

A win is 1, a loss 0, a tie 0.5. A judge that changes its mind with the order has no opinion: a tie, and said to be one
of that kind.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from ...case import Case
from ...judge import TEXT, Hearing, Prompt, an_object
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import NoReference, answers_of, question_of, text_of

BETTER = Prompt(
    name="better",
    instructions=(
        "Two answers to one question, A and B. By the criterion alone, say which is better, or 'tie' if neither is. "
        "Which one stands first means nothing; length, tone and layout count only where the criterion names them. "
        "Give the reason first."
    ),
    schema=an_object(reason=TEXT, better={"enum": ["A", "B", "tie"]}),
)
_POINTS = {"win": 1.0, "loss": 0.0, "tie": 0.5, "inconsistent": 0.5}


@dataclass(frozen=True, kw_only=True)
class Pairwise(Judged):
    """A judge prefers the answer to another one, in both orders: 1, to 0; 0.5 is a tie."""

    criterion: Annotated[str, Meta(min_length=1, description="What makes one better")] = (
        "correct, complete and useful to the one who asked"
    )
    against: Annotated[str, Meta(description="`reference`, or the key of `metadata` that has the other answer")] = (
        "reference"
    )
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "pairwise"

    prompts = (BETTER,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        return [await self.compare(hearing, question_of(case), text_of(output), self._other(case))]

    async def compare(self, hearing: Hearing, question: str, one: str, other: str) -> Score:
        """How ``one`` fares against ``other``."""
        if one == other:
            return Score(name=self.name, value=0.5, label="tie", explanation="the answers are the same")
        first, second = await asyncio.gather(
            self._ask(hearing, question, one, other), self._ask(hearing, question, other, one)
        )
        forward = _outcome(first, ours="A")
        backward = _outcome(second, ours="B")
        label = forward if forward == backward else "inconsistent"
        evidence = {"as_first": {**first, "outcome": forward}, "as_second": {**second, "outcome": backward}}
        note = "the judge changed its mind with the order: counted as a tie" if label == "inconsistent" else None
        return Score(
            name=self.name, value=_POINTS[label], label=label, explanation=first["reason"], evidence=evidence, note=note
        )

    async def _ask(self, hearing: Hearing, question: str, a: str, b: str) -> dict[str, Any]:
        said: dict[str, Any] = await hearing.ask(
            BETTER, {"criterion": self.criterion, "question": question, "A": a, "B": b}
        )
        return said

    def _other(self, case: Case) -> str:
        if self.against == "reference":
            return answers_of(case)[0]
        other = case.metadata.get(self.against)
        if not isinstance(other, str):
            raise NoReference(f"metadata.{self.against}: {other!r:.100}: the other answer is needed there, as a text")
        return other


def _outcome(said: Mapping[str, Any], *, ours: Literal["A", "B"]) -> str:
    if said["better"] == "tie":
        return "tie"
    return "win" if said["better"] == ours else "loss"
