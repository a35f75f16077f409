"""Milliseconds from the question to the answer's end; lower is better. What came from a cache is no observation."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import observed


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds from the question to the end of the answer."""

    limit_ms: Annotated[float | None, Meta(description="Up to which it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "latency_ms"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, direction="lower", scale="ratio", unit="ms"),)

    def score(self, case: Case, output: Output) -> Score:
        return observed(self.name, output, output.latency_ms, self.limit_ms)
