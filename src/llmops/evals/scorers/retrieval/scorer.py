"""Did the retriever find the right documents, high up? Any of the measures in `measures`, for the passages of a case.

The reference names the relevant documents. A case for which none is relevant cannot be measured, and says so; trec_eval
would say 0.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ...case import Case
from ...output import Output
from ...score import Metric, Score
from ..reading import relevant_of
from .measures import measure_of


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Measures of the ranking: `hit@k`, `mrr`, `recall@k`, `precision@k`, `map`, `ndcg_linear`, `bpref` and more."""

    measures: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="`hit@k`, `mrr[@k]`, `precision@k`, `recall@k`, `map[@k]`, `ndcg_linear[@k]`, "
            "`ndcg_burges[@k]`, `r_precision`, `bpref`",
        ),
    ] = ("hit@10", "mrr", "recall@10", "precision@10", "map", "ndcg_linear@10")
    order: Annotated[
        Literal["score", "given"],
        Meta(description="`score`: as trec_eval does, where all passages have one; `given`: as the retriever said"),
    ] = "score"
    without_relevant: Annotated[
        Literal["unmeasured", "zero"], Meta(description="A case without relevant documents; trec_eval says zero")
    ] = "unmeasured"

    def __post_init__(self) -> None:
        for name in self.measures:
            measure_of(name)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(
            Metric(name=name, scale="binary" if measure_of(name).kind == "hit" else "bounded") for name in self.measures
        )

    def score(self, case: Case, output: Output) -> list[Score]:
        from .batch import measure
        from .ranked import ranked

        judged = relevant_of(case)
        if self.without_relevant == "unmeasured" and not any(grade > 0 for grade in judged.values()):
            return [Score(name=name, note="no document is relevant to this case") for name in self.measures]
        found, note = self._ranking(output)
        values = measure(ranked([found], [judged]), self.measures)
        return [Score(name=name, value=float(values[name][0]), note=note) for name in self.measures]

    def _ranking(self, output: Output) -> tuple[list[str], str | None]:
        if any(passage.id is None for passage in output.passages):
            raise ValueError("passages: one has no id, by which it could be found among the relevant documents")
        scores: dict[str, float] = {}
        for passage in output.passages:
            scores.setdefault(str(passage.id), float("nan") if passage.score is None else passage.score)
        twice = len(output.passages) - len(scores)
        note = f"{twice} passages are of a document that was there before: its first place counts" if twice else None
        if self.order == "given" or any(score != score for score in scores.values()):
            return list(scores), note
        from .ranked import ranking

        return ranking(scores), note
