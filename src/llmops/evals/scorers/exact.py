"""Is the answer the same text as the reference, after both were laid out alike?"""

import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import answers_of, binary, text_of

Normalisation = Literal["unicode", "case", "articles", "punctuation", "whitespace", "trim"]
_ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

#: In the order in which they are applied.
_STEPS: dict[Normalisation, Callable[[str], str]] = {
    "unicode": lambda text: unicodedata.normalize("NFKC", text),
    "case": str.casefold,
    "articles": lambda text: _ARTICLES.sub(" ", text),
    "punctuation": lambda text: text.translate(_NO_PUNCTUATION),
    "whitespace": lambda text: " ".join(text.split()),
    "trim": str.strip,
}


def normalised(text: str, steps: tuple[Normalisation, ...]) -> str:
    for name, step in _STEPS.items():
        if name in steps:
            text = step(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The answer is one of the reference's texts."""

    normalise: Annotated[
        tuple[Normalisation, ...],
        Meta(description="What does not count: `unicode` (NFKC), `case`, `articles` (English), `punctuation` (ASCII)"),
    ] = ("trim",)
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "exact"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        said = normalised(text_of(output), self.normalise)
        return binary(self.name, any(said == normalised(each, self.normalise) for each in answers_of(case)))
