"""What a run is: everything that a figure depends on, written down before the first call."""

import hashlib
from typing import Literal

import msgspec

from .case import Case
from .result import Cell
from .score import Metric

RunState = Literal["running", "complete", "interrupted"]


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two runs can be compared where dataset version, scorers and repeats are the same."""

    run_id: str
    dataset: str
    dataset_version: str
    """The content's hash, see `Dataset.version`."""
    subject: dict[str, str]
    """`Subject.versions`."""
    scorers: tuple[str, ...]
    """`version_of` each."""
    metrics: tuple[Metric, ...]
    repeats: int = 1
    timeout_s: float = 120.0
    concurrency: int = 16
    seed: int = 0
    code_revision: str | None = None
    started_at_ms: int = 0
    tenant: str = "default"
    labels: dict[str, str] = {}

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"repeats: {self.repeats!r}: at least 1")
        if self.concurrency < 1:
            raise ValueError(f"concurrency: {self.concurrency!r}: at least 1")


def cells_of(cases: tuple[Case, ...], repeats: int, seed: int) -> list[Cell]:
    """All cells in an order that is random but the same for the same seed: whole rounds of repeats, so that a run that
    is stopped early has looked at all kinds of cases, and drift of a provider falls on all of them alike."""

    def place(cell: Cell) -> bytes:
        return hashlib.blake2b(f"{seed}:{cell.repeat}:{cell.case_id}".encode(), digest_size=8).digest()

    return [cell for repeat in range(repeats) for cell in sorted((Cell(case.id, repeat) for case in cases), key=place)]
