"""Are certain words in the answer: any of them, all, or none?"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import answers_of, binary, text_of


@dataclass(frozen=True, kw_only=True)
class Contains:
    """The answer has any (all, none) of the texts in it."""

    texts: Annotated[tuple[str, ...], Meta(description="What is looked for; empty: the case's reference")] = ()
    mode: Annotated[Literal["any", "all", "none"], Meta(description="How many of them have to be there")] = "any"
    ignore_case: Annotated[bool, Meta(description="Whether capitals do not count")] = True
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "contains"

    def __post_init__(self) -> None:
        if "" in self.texts:
            raise ValueError("texts: '': an empty text is in every answer")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        said, wanted = text_of(output), self.texts or tuple(answers_of(case))
        if self.ignore_case:
            said, wanted = said.casefold(), tuple(each.casefold() for each in wanted)
        there = [each in said for each in wanted]
        ok = {"any": any(there), "all": all(there), "none": not any(there)}[self.mode]
        return binary(self.name, ok, f"{sum(there)} of {len(there)} found")
