"""What the answer cost, in US dollars; lower is better. A price that nobody knows is not 0: it is not measured."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import observed


@dataclass(frozen=True, kw_only=True)
class Cost:
    """US dollars of the answer."""

    limit_usd: Annotated[float | None, Meta(description="Up to which it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "cost_usd"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, direction="lower", scale="ratio", unit="USD"),)

    def score(self, case: Case, output: Output) -> Score:
        cost = None if output.cost_nanousd is None else output.cost_nanousd / 1e9
        return observed(self.name, output, cost, self.limit_usd)
