"""What does the answer make up? Claims that the contexts do not support, and those that they contradict, / claims.

`hallucination` is 1 - faithfulness; `contradiction` is the worse part of it. One of the two scorers is enough.
"""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ...case import Case
from ...judge import Hearing
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import passages_of, question_of, text_of
from .claims import CLAIMS, VERDICTS, claims_of


@dataclass(frozen=True, kw_only=True)
class Hallucination(Judged):
    """Share of claims without support in the contexts (`hallucination`), or against them (`contradiction`)."""

    limit: Annotated[float | None, Meta(description="Up to which `hallucination` has passed")] = None

    prompts = (CLAIMS, VERDICTS)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return tuple(
            Metric(name=name, direction="lower", scale="bounded") for name in ("hallucination", "contradiction")
        )

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        claims = await claims_of(hearing, question_of(case), text_of(output), passages_of(output))
        if not claims:
            return [Score(name=kind.name, note="the answer claims nothing") for kind in self.kinds]
        against = sum(claim.verdict == "contradicted" for claim in claims) / len(claims)
        without = sum(claim.verdict != "supported" for claim in claims) / len(claims)
        passed = None if self.limit is None else without <= self.limit
        evidence = {"claims": [claim.told() for claim in claims]}
        return [
            Score(name="hallucination", value=without, passed=passed, evidence=evidence),
            Score(name="contradiction", value=against),
        ]
