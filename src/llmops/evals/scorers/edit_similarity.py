"""How alike are answer and reference, letter by letter? 1 - Levenshtein distance / length of the longer text."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import TooLong, answers_of, bounded, text_of

MOST_PAIRS = 20_000_000_000
"""Letters of one times letters of the other: about half a second."""


def similarity(one: str, other: str) -> float:
    """From 0 to 1; two empty texts are alike. `TooLong` where the time would be."""
    from rapidfuzz.distance import Levenshtein

    if len(one) * len(other) > MOST_PAIRS:
        raise TooLong(f"texts of {len(one):,} and {len(other):,} characters are too long to be compared by letter")
    return Levenshtein.normalized_similarity(one, other)


@dataclass(frozen=True, kw_only=True)
class EditSimilarity:
    """Levenshtein similarity to the reference nearest to the answer."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "edit_similarity"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        said = text_of(output)
        return bounded(self.name, max(similarity(said, each) for each in answers_of(case)), self.threshold)
