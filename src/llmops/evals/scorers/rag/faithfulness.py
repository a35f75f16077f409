"""Does the answer keep to what was looked up? Supported claims / claims (RAGAS). The verdicts are the evidence."""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from ...case import Case
from ...judge import Hearing
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import bounded, passages_of, question_of, text_of
from .claims import CLAIMS, VERDICTS, claims_of


@dataclass(frozen=True, kw_only=True)
class Faithfulness(Judged):
    """Share of the answer's claims that the contexts support."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    ragas_compat: Annotated[bool, Meta(description="Say in the evidence where RAGAS would say NaN")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "faithfulness"

    prompts = (CLAIMS, VERDICTS)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        claims = await claims_of(hearing, question_of(case), text_of(output), passages_of(output))
        if not claims:
            evidence: dict[str, Any] = {"claims": [], "ragas": "NaN"} if self.ragas_compat else {"claims": []}
            return [Score(name=self.name, note="the answer claims nothing", evidence=evidence)]
        supported = sum(claim.verdict == "supported" for claim in claims)
        evidence = {"claims": [claim.told() for claim in claims]}
        return [bounded(self.name, supported / len(claims), self.threshold, evidence=evidence)]
