"""chrF of one answer as sacrebleu computes it (six letters, beta 2), from 0 to 1; for any script."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import answers_of, bounded, text_of


@dataclass(frozen=True, kw_only=True)
class Chrf:
    """chrF, or chrF++ with `word_order` 2, against all of the case's references."""

    word_order: Annotated[int, Meta(ge=0, le=4, description="Longest n-grams of words; 0: of letters only")] = 0
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "chrf"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        from sacrebleu import sentence_chrf

        said = sentence_chrf(text_of(output), answers_of(case), word_order=self.word_order)
        return bounded(self.name, min(1.0, said.score / 100), self.threshold)
