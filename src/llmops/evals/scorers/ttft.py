"""Milliseconds to the answer's first content; lower is better. What came from a cache is no observation of it."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import observed


@dataclass(frozen=True, kw_only=True)
class TimeToFirstToken:
    """Milliseconds from the question to the first content of the answer."""

    limit_ms: Annotated[float | None, Meta(description="Up to which it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "ttft_ms"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, direction="lower", scale="ratio", unit="ms"),)

    def score(self, case: Case, output: Output) -> Score:
        return observed(self.name, output, output.ttft_ms, self.limit_ms)
