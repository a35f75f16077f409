"""One arm as the gate reads it: the facts of a run, and of each cell the figures alone.

Made of a run that just ended or of one in the database; ``content`` is the same for both, so that a stored run whose
rows were changed afterwards is found out.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from ..repository.results import StoredResult
from ..repository.runs import StoredRun
from ..result import Cell, Result
from ..run import RunSpec
from ..score import Metric

Kept = tuple[float | None, bool | None, str | None]
"""Of a score: value, passed, the error's code."""


class Reading(msgspec.Struct, frozen=True):
    """One cell."""

    case_id: str
    repeat: int
    error: str | None
    scores: Mapping[str, Kept]
    cached: bool = False

    @property
    def cell(self) -> Cell:
        return Cell(self.case_id, self.repeat)

    def value(self, name: str) -> float | None:
        """None where there is none: no answer, no score, an error, an answer out of a cache."""
        kept = self.scores.get(name)
        if self.error is not None or self.cached or kept is None or kept[2] is not None:
            return None
        return kept[0]


class Arm:
    """Immutable. ``promised``: how many cells the run says it has; None where nobody said."""

    def __init__(self, spec: RunSpec, readings: Iterable[Reading], *, state: str, promised: int | None = None) -> None:
        self.spec = spec
        self.readings = tuple(readings)
        self.state = state
        self.promised = promised

    @cached_property
    def by_cell(self) -> Mapping[Cell, Reading]:
        return {each.cell: each for each in self.readings}

    @cached_property
    def repeats(self) -> Mapping[str, int]:
        """How often each case was asked."""
        found: dict[str, int] = {}
        for each in self.readings:
            found[each.case_id] = found.get(each.case_id, 0) + 1
        return found

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        return {each.name: each for each in self.spec.metrics}

    @cached_property
    def content(self) -> str:
        """SHA-256 over what was run and every cell's figures, whatever their order."""
        digest = hashlib.sha256()
        spec = self.spec
        about = [spec.run_id, spec.dataset, spec.dataset_version, spec.subject, spec.scorers, spec.metrics]
        digest.update(msgspec.json.encode(about, order="deterministic"))
        for each in sorted(self.readings, key=lambda reading: reading.cell):
            digest.update(msgspec.json.encode(each, order="deterministic") + b"\n")
        return digest.hexdigest()


def arm_of(spec: RunSpec, results: Iterable[Result], *, state: str) -> Arm:
    """Of results in memory."""
    readings = [
        Reading(
            each.case_id,
            each.repeat,
            each.output.error.code if each.output.error is not None else None,
            {
                score.name: (score.value, score.passed, score.error.code if score.error is not None else None)
                for score in each.scores
            },
            each.output.cached,
        )
        for each in results
    ]
    return Arm(spec, readings, state=state, promised=len(readings))


def stored_arm(run: StoredRun, results: Iterable[StoredResult]) -> Arm:
    """Of rows in the database."""
    readings = [Reading(each.case_id, each.repeat, each.error, each.scores, each.cached) for each in results]
    return Arm(
        run.spec, readings, state=run.ending.state, promised=run.summary.cells if run.summary is not None else None
    )
