"""What all scorers share that ask a model: a judge, what it costs, and whether anybody may rely on it.

Without a `Calibration` of this very version (judge, prompts, settings) that stands up, a metric is advisory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from ..calibration import Calibration
from ..case import Case
from ..judge import Hearing, Judge, Prompt
from ..output import Output
from ..score import Metric, Score
from ..scorer import version_of


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A subclass names its ``prompts`` and says its ``kinds`` of metric and how it ``hear``s one output."""

    judge: Judge = field(metadata={"handed_in": True})
    calibration: Calibration | None = field(default=None, compare=False, metadata={"handed_in": True})

    prompts: ClassVar[tuple[Prompt, ...]] = ()
    revision: ClassVar[str] = ""
    """Of the class: its prompts' versions, so that a run judged by other words is known to be."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.revision = " ".join(prompt.version for prompt in cls.prompts)

    @property
    def calibrated(self) -> bool:
        return self.calibration is not None and self.calibration.holds_for(version_of(self))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(msgspec.structs.replace(metric, advisory=not self.calibrated) for metric in self.kinds)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        raise NotImplementedError

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> Sequence[Score]:
        raise NotImplementedError

    async def score(self, case: Case, output: Output) -> Sequence[Score]:
        hearing = Hearing(self.judge)
        try:
            scores = await self.hear(hearing, case, output)
        except Exception as exc:  # noqa: BLE001 - a border: what was paid until here must not be lost with the opinion
            scores = [Score.failed(metric.name, exc) for metric in self.kinds]
        return _accounted(scores, hearing)


def _accounted(scores: Sequence[Score], hearing: Hearing) -> list[Score]:
    """The whole cost stands in the first score, so that a sum over scores is right."""
    note = f"{hearing.cut_chars:,} characters were too many for the judge and not shown to it"
    return [
        msgspec.structs.replace(
            each,
            cost_nanousd=hearing.cost_nanousd if place == 0 else 0,
            note="; ".join(filter(None, [each.note, note])) if hearing.cut_chars else each.note,
        )
        for place, each in enumerate(scores)
    ]
