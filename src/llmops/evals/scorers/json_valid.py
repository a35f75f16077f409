"""Is the answer JSON? Strictly: no NaN, no comments, no words around it."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import binary, json_in, text_of


@dataclass(frozen=True, kw_only=True)
class JsonValid:
    """The answer is JSON."""

    fenced: Annotated[bool, Meta(description="Also right inside one Markdown fence")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "json_valid"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        try:
            json_in(text_of(output), fenced=self.fenced)
        except ValueError as exc:
            return binary(self.name, False, str(exc)[:200])
        return binary(self.name, True)
