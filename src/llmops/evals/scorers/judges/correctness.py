"""Is the answer right, by a reference that is? For answers whose words may differ: the judge compares what is said."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ...case import Case
from ...judge import TEXT, Hearing, Prompt, an_object
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import answers_of, question_of, text_of

CORRECT = Prompt(
    name="correct",
    instructions=(
        "The references are right; any of them will do. Say whether the answer says the same in substance. 'correct': "
        "everything the question asks for is there and agrees with a reference; more that does not contradict it "
        "does no harm. 'incomplete': what is there agrees, but something that was asked for is missing. 'wrong': "
        "something that matters disagrees, or there is no answer. Give the reason first."
    ),
    schema=an_object(reason=TEXT, verdict={"enum": ["correct", "incomplete", "wrong"]}),
)


@dataclass(frozen=True, kw_only=True)
class Correctness(Judged):
    """A judge finds the answer correct by the reference; the label tells incomplete from wrong."""

    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "correctness"

    prompts = (CORRECT,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        material = {"question": question_of(case), "references": answers_of(case), "answer": text_of(output)}
        said = await hearing.ask(CORRECT, material)
        right = said["verdict"] == "correct"
        return [
            Score(name=self.name, value=float(right), passed=right, label=said["verdict"], explanation=said["reason"])
        ]
