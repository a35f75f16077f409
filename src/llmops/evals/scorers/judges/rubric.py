"""A grade on a scale whose steps are described ("anchors"), since a bare number from 1 to 5 means nothing twice."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from msgspec import Meta

from ...case import Case
from ...judge import TEXT, Hearing, Prompt, an_object
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import answers_of, bounded, passages_of, question_of, text_of

GRADE = Prompt(
    name="grade",
    instructions=(
        "Grade the answer to the question by the criterion. The scale says what each grade means; give the grade whose "
        "description fits best, and no other number. Length, tone and layout count only where the criterion names "
        "them. If there is a reference, it is right: hold the answer against it, and do not ask for its wording. "
        "First write the reason, naming what in the answer decides, then the grade."
    ),
    schema=an_object(reason=TEXT, grade={"type": "integer"}),
)
MET = {0: "the criterion is not met, or not by all of the answer", 1: "the criterion is met"}


@dataclass(frozen=True, kw_only=True)
class Rubric(Judged):
    """A judge's grade by a criterion, on a scale whose steps are described."""

    criterion: Annotated[str, Meta(min_length=1, description="What is looked at, in a sentence")]
    scale: Annotated[
        dict[int, str],
        Meta(
            min_length=2, description="Grade: what an answer is like that gets it; by default 0 and 1, not met and met"
        ),
    ] = field(default_factory=lambda: dict(MET))
    with_reference: Annotated[bool, Meta(description="Show the judge the case's reference")] = False
    with_contexts: Annotated[bool, Meta(description="Show the judge what was looked up")] = False
    threshold: Annotated[float | None, Meta(description="From which grade on it has passed")] = None
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "rubric"

    prompts = (GRADE,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        if self.scale.keys() == MET.keys():
            return (Metric(name=self.name),)
        return (Metric(name=self.name, scale="bounded", low=min(self.scale), high=max(self.scale)),)

    @property
    def _enough(self) -> float | None:
        return 1.0 if self.threshold is None and self.scale.keys() == MET.keys() else self.threshold

    @cached_property
    def _prompt(self) -> Prompt:
        grades = {"enum": sorted(self.scale)}
        return Prompt(name=GRADE.name, instructions=GRADE.instructions, schema=an_object(reason=TEXT, grade=grades))

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        material: dict[str, Any] = {
            "criterion": self.criterion,
            "scale": {str(grade): meaning for grade, meaning in sorted(self.scale.items())},
            "question": question_of(case),
            "answer": text_of(output),
        }
        if self.with_reference:
            material["reference"] = answers_of(case)
        if self.with_contexts:
            material["contexts"] = passages_of(output)
        said = await hearing.ask(self._prompt, material)
        return [bounded(self.name, float(said["grade"]), self._enough, explanation=said["reason"])]
