"""What a report needs of a gate's decision: `gate.decision.Decision` is one as it is."""

from collections.abc import Sequence
from typing import Protocol

from ...statistics.verdict import Finding


class Judged(Protocol):
    """One metric's part in a decision, on all cases or on a slice of them."""

    @property
    def metric(self) -> str: ...
    @property
    def slice(self) -> str | None: ...
    @property
    def tier(self) -> str:
        """``critical``, ``guard`` or ``advisory``."""
        ...

    @property
    def finding(self) -> Finding: ...
    @property
    def counts(self) -> bool:
        """Whether its verdict is part of the gate's."""
        ...


class Decision(Protocol):
    @property
    def verdict(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Judged]: ...
    @property
    def slices(self) -> Sequence[Judged]: ...
    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def warnings(self) -> Sequence[str]: ...


def judged(decision: Decision) -> list[Judged]:
    """Metrics first, then slices."""
    return [*decision.metrics, *decision.slices]


def name_of(each: Judged) -> str:
    return each.metric if each.slice is None else f"{each.metric} ({each.slice})"


def tier_of(each: Judged) -> str:
    return each.tier if each.counts else "advisory"
