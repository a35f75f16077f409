"""Was everything looked up that a right answer needs? Claims of the reference that contexts bear out / claims (RAGAS).

Without a judge: the share of the reference's contexts that a retrieved one is alike to (more than 0.5: not "at least",
as in precision, and so it is in RAGAS), or the share of relevant ids that were retrieved.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from ...case import Case
from ...judge import FLAG, TEXT, Hearing, Prompt, a_list, an_object
from ...output import Output
from ...score import Metric, Score
from ..edit_similarity import similarity
from ..judged import Judged
from ..reading import answers_of, bounded, contexts_of, passages_of, question_of, relevant_of

ATTRIBUTION = Prompt(
    name="attribution",
    instructions=(
        "Go through the reference answer sentence by sentence. Say of each claim whether it can be attributed to the "
        "contexts: whether somebody who read only these could have written it. Give a short reason before each "
        "verdict. A reference that states nothing has no claims: give an empty list."
    ),
    schema=an_object(claims=a_list(an_object(claim=TEXT, reason=TEXT, attributed=FLAG))),
)


@dataclass(frozen=True, kw_only=True)
class ContextRecall(Judged):
    """Share of the reference's claims that a judge can attribute to the contexts."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    ragas_compat: Annotated[bool, Meta(description="Say in the evidence where RAGAS would say NaN")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "context_recall"

    prompts = (ATTRIBUTION,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        material = {"question": question_of(case), "reference": answers_of(case)[0], "contexts": passages_of(output)}
        said: Any = await hearing.ask(ATTRIBUTION, material)
        claims = said["claims"]
        if not claims:
            evidence = {"claims": claims, "ragas": "NaN"} if self.ragas_compat else {"claims": claims}
            return [Score(name=self.name, note="the reference claims nothing", evidence=evidence)]
        value = sum(each["attributed"] for each in claims) / len(claims)
        return [bounded(self.name, value, self.threshold, evidence={"claims": claims})]


@dataclass(frozen=True, kw_only=True)
class TextContextRecall:
    """Share of the reference's contexts that a retrieved one is alike to, without a judge."""

    similar: Annotated[float, Meta(ge=0, le=1, description="Two texts are alike above this similarity")] = 0.5
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "text_context_recall"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        found, wanted = passages_of(output), contexts_of(case)
        likeness = [max((similarity(each, other) for other in found), default=0.0) for each in wanted]
        value = sum(each > self.similar for each in likeness) / len(wanted)
        return bounded(self.name, value, self.threshold, evidence={"similarities": likeness})


@dataclass(frozen=True, kw_only=True)
class IdContextRecall:
    """Share of the relevant ids that were retrieved."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "id_context_recall"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        relevant = {document for document, grade in relevant_of(case).items() if grade > 0}
        if not relevant:
            return Score(name=self.name, note="no document is relevant to this case")
        found = {passage.id for passage in output.passages}
        return bounded(self.name, len(found & relevant) / len(relevant), self.threshold)
