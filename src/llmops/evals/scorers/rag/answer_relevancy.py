"""Does the answer answer the question? Questions that it would answer are made of it and held against the real one.

The mean cosine similarity of their embeddings, times 0 if all of the makers found the answer noncommittal (RAGAS; its
"strictness" is `questions`). Cosines may be below 0, so the figure may be. It says nothing about truth.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from ...case import Case
from ...judge import FLAG, TEXT, Hearing, Prompt, an_object
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import bounded, question_of, text_of
from .embedder import Embedder, cosine, embed_priced

QUESTION = Prompt(
    name="question",
    instructions=(
        "Write the one question that the answer most likely is the answer to, in the answer's language. Then say "
        "whether the answer is noncommittal: evasive, vague, or a statement that it does not know. For an answer from "
        "which no question can be told, give an empty question."
    ),
    schema=an_object(question=TEXT, noncommittal=FLAG),
)


@dataclass(frozen=True, kw_only=True)
class AnswerRelevancy(Judged):
    """How near the questions that the answer would answer are to the one that was asked."""

    embedder: Embedder = field(metadata={"handed_in": True})
    questions: Annotated[int, Meta(ge=1, le=20, description="How many are made; RAGAS' strictness")] = 3
    threshold: Annotated[float | None, Meta(description="From which on it has passed")] = None
    ragas_compat: Annotated[bool, Meta(description="Say in the evidence where RAGAS would say NaN")] = False
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "answer_relevancy"

    prompts = (QUESTION,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name, scale="bounded", low=-1.0),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        asked, material = question_of(case), {"answer": text_of(output)}
        made: list[Any] = await asyncio.gather(
            *(hearing.ask(QUESTION, material, sample=sample) for sample in range(self.questions))
        )
        evidence: dict[str, Any] = {"questions": made}
        texts = [each["question"] for each in made]
        if not any(texts):
            evidence |= {"ragas": "NaN"} if self.ragas_compat else {}
            return [Score(name=self.name, note="no question can be told from the answer", evidence=evidence)]
        vectors, cost_nanousd = await embed_priced(self.embedder, [asked, *texts])
        hearing.charge(cost_nanousd)
        first, *others = vectors
        likeness = [cosine(first, each) for each in others]
        evidence["similarities"] = likeness
        value = sum(likeness) / len(likeness) * (not all(each["noncommittal"] for each in made))
        return [bounded(self.name, value, self.threshold, evidence=evidence)]
