"""What became of the calls of a rule that were in its sample, each judgement counted once."""

from typing import Literal

import msgspec

Fate = Literal["scored", "failed", "unmeasured", "no_texts", "over_budget", "too_old"]
FATES: tuple[Fate, ...] = ("scored", "failed", "unmeasured", "no_texts", "over_budget", "too_old")


class Counts(msgspec.Struct, kw_only=True):
    """``failed``: the scorer did; ``unmeasured``: there was nothing to measure; ``no_texts``: its words were not
    captured, or it has no answer; ``over_budget``, ``too_old``: left out."""

    scored: int = 0
    failed: int = 0
    unmeasured: int = 0
    no_texts: int = 0
    over_budget: int = 0
    too_old: int = 0
    spent_nanousd: int = 0

    def count(self, fate: Fate, more: int = 1) -> None:
        setattr(self, fate, getattr(self, fate) + more)

    def add(self, other: "Counts") -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)
