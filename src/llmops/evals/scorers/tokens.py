"""Tokens of question and answer, as the provider counted them; lower is better."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import observed


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens in and out: `tokens_in`, `tokens_out`."""

    limit_out: Annotated[float | None, Meta(description="Tokens out up to which it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the scores' names begin with")] = "tokens"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(
            Metric(name=f"{self.name}_{way}", direction="lower", scale="ratio", unit="tokens") for way in ("in", "out")
        )

    def score(self, case: Case, output: Output) -> tuple[Score, ...]:
        return (
            observed(f"{self.name}_in", output, output.tokens_in, None),
            observed(f"{self.name}_out", output, output.tokens_out, self.limit_out),
        )
