"""BLEU of one answer as sacrebleu computes it (13a tokens, exponential smoothing, effective order), from 0 to 1.

The mean over answers is not the BLEU of a corpus, which counts n-grams over all of them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import answers_of, bounded, text_of


@dataclass(frozen=True, kw_only=True)
class Bleu:
    """BLEU against all of the case's references."""

    tokens: Annotated[
        Literal["13a", "intl", "char", "zh"], Meta(description="sacrebleu's way to cut texts into tokens")
    ] = "13a"
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "bleu"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        from sacrebleu import sentence_bleu

        said = sentence_bleu(text_of(output), answers_of(case), tokenize=self.tokens)
        return bounded(self.name, min(1.0, said.score / 100), self.threshold)
