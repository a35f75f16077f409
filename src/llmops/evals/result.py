"""One cell of a run: a case, one of its repeats, what came out and how it was judged."""

from typing import NamedTuple

import msgspec

from .output import Output
from .score import Score


class Cell(NamedTuple):
    case_id: str
    repeat: int


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    case_id: str
    repeat: int
    output: Output
    scores: tuple[Score, ...] = ()
    score_ms: float | None = None

    @property
    def cell(self) -> Cell:
        return Cell(self.case_id, self.repeat)

    def value(self, name: str) -> float | None:
        """The figure under this name; None if it was not measured."""
        return next((each.value for each in self.scores if each.name == name), None)
