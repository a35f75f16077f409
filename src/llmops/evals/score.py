"""One judgement about one output: a figure and why; or why there is none."""

from typing import Any, Literal

import msgspec

from .output import Failure

Direction = Literal["higher", "lower"]
"""Which way is better."""
Scale = Literal["binary", "bounded", "ratio"]
"""``binary``: 0 or 1. ``bounded``: from ``low`` to ``high``. ``ratio``: positive without a bound (milliseconds, tokens,
money), compared by quotients."""


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``value`` is None, never NaN, where nothing could be measured; ``error`` says so if that was a failure, ``note``
    if it was the nature of the case (a faithfulness without claims)."""

    name: str
    value: float | None = None
    passed: bool | None = None
    """Against the scorer's own threshold, where it has one."""
    label: str | None = None
    explanation: str | None = None
    evidence: Any = None
    """What led to the value, e.g. the verdict about each claim; JSON."""
    note: str | None = None
    error: Failure | None = None
    cost_nanousd: int | None = None
    """What the judge cost, where there was one."""

    @classmethod
    def failed(cls, name: str, error: BaseException) -> "Score":
        return cls(name=name, error=Failure.of(error))


class Metric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a figure means: the name that scores carry, and how two of them are compared."""

    name: str
    direction: Direction = "higher"
    scale: Scale = "binary"
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    advisory: bool = False
    """A model's opinion that nobody has calibrated against people: it is shown and decides nothing."""
