"""ROUGE-L: the longest common subsequence of words, as F1. The same figures as the rouge-score package on ASCII.

Words are runs of letters and digits of any script, lower case, without stemming; a script without spaces is one word,
for which chrF is the better choice.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import TooLong, answers_of, bounded, text_of

_WORD = re.compile(r"[^\W_]+")
_MOST_PAIRS = 20_000_000_000


def rouge_l(reference: str, said: str) -> float:
    """F1 of the longest common subsequence; 0 if either has no words."""
    from rapidfuzz.distance import LCSseq

    one, other = _WORD.findall(reference.lower()), _WORD.findall(said.lower())
    if len(one) * len(other) > _MOST_PAIRS:
        raise TooLong(f"texts of {len(one):,} and {len(other):,} words are too long to be compared")
    common = LCSseq.similarity(one, other)
    return 2 * common / (len(one) + len(other)) if common else 0.0


@dataclass(frozen=True, kw_only=True)
class RougeL:
    """ROUGE-L F1 against the reference nearest to the answer."""

    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "rouge_l"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded"),)

    def score(self, case: Case, output: Output) -> Score:
        said = text_of(output)
        return bounded(self.name, max(rouge_l(each, said) for each in answers_of(case)), self.threshold)
