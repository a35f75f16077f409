"""What is in a queue: one input and output, the marks that reviewers made on it, and where it stands."""

import hashlib
from typing import Any, Literal

import msgspec

from .question import Question

State = Literal["open", "disputed", "agreed", "settled"]
"""``open``: not enough answers. ``disputed``: enough, and they differ: somebody else has to settle it."""
DONE: tuple[State, ...] = ("agreed", "settled")
MarkState = Literal["leased", "answered", "skipped"]


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """JSON values, shown as text. ``trace_id``, or ``run_id`` with ``case_id`` and ``repeat``, say where it is from."""

    input: Any
    output: Any
    reference: Any = None
    metadata: dict[str, Any] = {}
    cluster: str | None = None
    trace_id: str | None = None
    run_id: str | None = None
    case_id: str | None = None
    repeat: int = 0

    @property
    def id(self) -> str:
        """Made of where it is from, or of what it says: the same thing is in a queue once."""
        said: list[Any] = [self.input, self.output]
        if self.run_id is not None:
            said = [self.run_id, self.case_id, self.repeat]
        elif self.trace_id is not None:
            said = [self.trace_id]
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:32]


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """``reviewers`` answers are wanted for each item; who takes one has ``lease_s`` for it."""

    id: str
    tenant: str
    name: str
    question: Question
    reviewers: int
    lease_s: float
    created_at_ms: int
    created_by: str | None


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """``settles``: the answer of whoever decided between others."""

    item_id: str
    reviewer: str
    state: MarkState
    at_ms: int
    lease_until_ms: int | None
    settles: bool
    answer: str | int | None
    assessment_id: str | None


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An item in its queue."""

    id: str
    place: int
    state: State
    agreed: str | int | None
    item: Item
    marks: tuple[Mark, ...] = ()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """``mine``: how many one reviewer has answered; ``waiting`` for that reviewer."""

    items: int
    open: int
    disputed: int
    agreed: int
    settled: int
    answers: int
    mine: int | None = None
    waiting: int | None = None
