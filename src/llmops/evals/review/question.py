"""What reviewers are asked, and what can be answered: one of several choices, a number on a scale, or a text.

A queue asks one question; whoever has two makes two queues over the same items.
"""

from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest
from ...telemetry.assessments.assessment import MAX_COMMENT_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS

Kind = Literal["choices", "scale", "text"]
MAX_CHOICES = 100


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``name`` is what the scores are called. On a scale, answers no further apart than ``tolerance`` agree."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    low: int = 1
    high: int = 5
    tolerance: int = 0
    instructions: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= MAX_NAME_CHARS:
            raise InvalidRequest(f"name {self.name[:40]!r}: must be 1 to {MAX_NAME_CHARS} characters", param="name")
        if len(self.instructions) > MAX_COMMENT_CHARS:
            raise InvalidRequest(f"instructions: at most {MAX_COMMENT_CHARS:,} characters", param="instructions")
        if self.kind == "choices":
            fit = all(0 < len(each) <= MAX_LABEL_CHARS for each in self.choices)
            if not 2 <= len(set(self.choices)) == len(self.choices) <= MAX_CHOICES or not fit:
                raise InvalidRequest(
                    f"choices {list(self.choices)[:5]!r}: 2 to {MAX_CHOICES} different ones are right", param="choices"
                )
        elif self.choices:
            raise InvalidRequest(f"choices go with the kind 'choices', not {self.kind!r}", param="choices")
        if self.kind == "scale" and not 0 <= self.tolerance < self.high - self.low <= 1000:
            raise InvalidRequest(
                f"scale from {self.low!r} to {self.high!r}, tolerance {self.tolerance!r}: must be a rising scale, "
                "and a tolerance shorter than it",
                param="scale",
            )

    def checked(self, answer: Any) -> str | int:
        """The answer as it is kept; `InvalidRequest` says what would be one."""
        match self.kind:
            case "choices":
                if answer in self.choices and isinstance(answer, str):
                    return answer
                right = f"one of {', '.join(map(repr, self.choices))}"
            case "scale":
                whole = isinstance(answer, int) and not isinstance(answer, bool)
                if whole and self.low <= answer <= self.high:
                    return int(answer)
                right = f"a whole number from {self.low} to {self.high}"
            case _:
                if isinstance(answer, str) and 0 < len(answer.strip()) and len(answer) <= MAX_COMMENT_CHARS:
                    return answer.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
                right = f"a text of 1 to {MAX_COMMENT_CHARS:,} characters"
        raise InvalidRequest(f"answer {str(answer)[:80]!r}: must be {right}", param="answer")

    def agreed(self, answers: list[str | int]) -> str | int | None:
        """What these come to where they agree; None: they do not. Texts are never compared: the first stands."""
        if self.kind == "scale":
            numbers = sorted(each for each in answers if isinstance(each, int))
            return numbers[len(numbers) // 2] if numbers[-1] - numbers[0] <= self.tolerance else None
        if self.kind == "choices" and len(set(answers)) > 1:
            return None
        return answers[0]
