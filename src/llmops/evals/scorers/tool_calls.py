"""Were the right tools called, with the right arguments? Accuracy and F1 as RAGAS defines them.

Accuracy: 0 unless the names are the reference's in its order (or, unordered, the same names); then the mean share of
right arguments over the calls. F1: over whole calls, name and all arguments, each counted once. Arguments are
compared as JSON; ``ragas_compat`` compares their ``str`` for accuracy, rounds F1 to four places, and says 0 of F1 where
no call was wanted and none made (which is 1 here).
"""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..case import Case
from ..output import Output, ToolCall
from ..score import Metric, Score
from .reading import tool_calls_of


@dataclass(frozen=True, kw_only=True)
class ToolCalls:
    """Accuracy and F1 of tool calls: `tool_call_accuracy`, `tool_call_f1`."""

    ordered: Annotated[bool, Meta(description="Whether the order of calls counts for accuracy")] = True
    ragas_compat: Annotated[bool, Meta(description="The very figures of RAGAS")] = False
    name: Annotated[str, Meta(min_length=1, description="What the scores' names begin with")] = "tool_call"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(Metric(name=f"{self.name}_{what}", scale="bounded") for what in ("accuracy", "f1"))

    def score(self, case: Case, output: Output) -> tuple[Score, ...]:
        wanted, made = tool_calls_of(case), list(output.tool_calls)
        return (
            Score(name=f"{self.name}_accuracy", value=self._accuracy(wanted, made)),
            Score(name=f"{self.name}_f1", value=self._f1(wanted, made)),
        )

    def _accuracy(self, wanted: list[ToolCall], made: list[ToolCall]) -> float:
        if not self.ordered:
            wanted, made = sorted(wanted, key=_place), sorted(made, key=_place)
        if [each.name for each in wanted] != [each.name for each in made]:
            return 0.0
        shares = [
            self._right_arguments(one.arguments, other.arguments) for one, other in zip(wanted, made, strict=True)
        ]
        return sum(shares) / len(shares) if shares else 1.0

    def _right_arguments(self, wanted: Any, made: Any) -> float:
        wanted, made = wanted or {}, made or {}
        if not isinstance(wanted, dict) or not isinstance(made, dict):
            return float(canonical(wanted) == canonical(made))
        if not wanted:
            return float(not made)
        tell = str if self.ragas_compat else canonical
        return sum(name in made and tell(made[name]) == tell(value) for name, value in wanted.items()) / len(wanted)

    def _f1(self, wanted: list[ToolCall], made: list[ToolCall]) -> float:
        right, said = {_place(each) for each in wanted}, {_place(each) for each in made}
        if not right and not said:
            return 0.0 if self.ragas_compat else 1.0
        f1 = 2 * len(right & said) / (len(right) + len(said))
        return round(f1, 4) if self.ragas_compat else f1


def _place(call: ToolCall) -> tuple[str, str]:
    return call.name, canonical(call.arguments or {})


def canonical(value: Any) -> str:
    """The JSON of a value; equal for equal values: 1 and 1.0 are, 1 and true are not."""
    return msgspec.json.encode(_plain(value), order="deterministic").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
