"""Do the useful contexts stand first? Average precision of what was retrieved (RAGAS), three ways to say "useful".

A judge says it, by the reference or by the answer; or a text near enough to one of the reference's contexts is useful
(no judge: similarity at least 0.5). `IdContextPrecision` is the share of retrieved ids that the reference has.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from ...case import Case
from ...judge import FLAG, TEXT, Hearing, Prompt, an_object
from ...output import Output
from ...score import Metric, Score
from ..edit_similarity import similarity
from ..judged import Judged
from ..reading import answers_of, bounded, contexts_of, passages_of, question_of, relevant_of, text_of
from .average_precision import average_precision

USEFUL = Prompt(
    name="useful",
    instructions=(
        "Say whether the context was useful to arrive at the answer to the question: whether it holds something that "
        "the answer says or that leads there. Give a short reason first."
    ),
    schema=an_object(reason=TEXT, useful=FLAG),
)
NOTHING = "nothing was retrieved"


def _precision(name: str, verdicts: list[bool], threshold: float | None, compat: bool, evidence: Any = None) -> Score:
    if not verdicts and not compat:
        return Score(name=name, note=NOTHING)
    return bounded(name, average_precision(verdicts, ragas_compat=compat), threshold, evidence=evidence)


@dataclass(frozen=True, kw_only=True)
class ContextPrecision(Judged):
    """Average precision of the contexts that a judge finds useful for the reference, or for the answer."""

    against: Annotated[
        Literal["reference", "answer"], Meta(description="`answer`: for cases without one (RAGAS' utilization)")
    ] = "reference"
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    ragas_compat: Annotated[bool, Meta(description="With RAGAS' 1e-10; 0 where nothing was retrieved")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "context_precision"

    prompts = (USEFUL,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        answer = text_of(output) if self.against == "answer" else answers_of(case)[0]
        material = {"question": question_of(case), "answer": answer}
        said: list[Any] = await asyncio.gather(
            *(hearing.ask(USEFUL, {**material, "context": context}) for context in passages_of(output))
        )
        verdicts = [each["useful"] for each in said]
        return [_precision(self.name, verdicts, self.threshold, self.ragas_compat, {"contexts": said})]


@dataclass(frozen=True, kw_only=True)
class TextContextPrecision:
    """Average precision of the contexts that are alike to one of the reference's, without a judge."""

    similar: Annotated[float, Meta(ge=0, le=1, description="Similarity from which on two texts are alike")] = 0.5
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    ragas_compat: Annotated[bool, Meta(description="With RAGAS' 1e-10; 0 where nothing was retrieved")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "text_context_precision"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        wanted = contexts_of(case)
        likeness = [max(similarity(each, found) for each in wanted) for found in passages_of(output)]
        verdicts = [each >= self.similar for each in likeness]
        return _precision(self.name, verdicts, self.threshold, self.ragas_compat, {"similarities": likeness})


@dataclass(frozen=True, kw_only=True)
class IdContextPrecision:
    """Share of the retrieved ids that are relevant, each counted once."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "id_context_precision"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        relevant = {document for document, grade in relevant_of(case).items() if grade > 0}
        found = {passage.id for passage in output.passages if passage.id is not None}
        if not found:
            return Score(name=self.name, note=NOTHING)
        return bounded(self.name, len(found & relevant) / len(found), self.threshold)
