"""A run as reports show it: its figures and its cells, from its folder or from the database.

A folder knows the cases (clusters, slices) and what was answered; the database knows figures alone. Texts are there
only where they were asked for: whoever passes a report on passes them on as well.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from ..case import Case
from ..journal import Ending, Journal
from ..repository.results import StoredResult
from ..repository.runs import StoredRun
from ..result import Result
from ..run import RunSpec
from ..score import Metric
from ..summary import Summary, Tally

_MOST_CHARS = 2_000


class Mark(NamedTuple):
    """What a scorer said of a cell."""

    value: float | None
    passed: bool | None
    error: str | None
    """The code of why there is no value."""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    case_id: str
    repeat: int
    error: str | None
    """The code of why there is no answer."""
    marks: dict[str, Mark]
    latency_ms: float | None = None
    cost_nanousd: int | None = None
    trace_id: str | None = None
    asked: str | None = None
    answered: str | None = None
    """Texts, where they were asked for."""

    @property
    def is_bad(self) -> bool:
        return self.error is not None or any(each.passed is False or each.error for each in self.marks.values())

    def value(self, name: str) -> float | None:
        mark = self.marks.get(name)
        return mark.value if mark is not None else None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    spec: RunSpec
    ending: Ending
    summary: Summary
    total: int
    """How many cells it has, also those without a result."""
    cells: list[CellView]
    units: dict[str, str] = {}
    """The unit of chance of each case; without one a case is a unit of its own."""

    def unit(self, case_id: str) -> str:
        return self.units.get(case_id, case_id)

    @property
    def subject(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.spec.subject.items())

    @property
    def main_metric(self) -> Metric | None:
        """What quality is: the first that is neither time, tokens nor money, and no uncalibrated opinion."""
        metrics = [each for each in self.spec.metrics if each.scale != "ratio"]
        return next((each for each in metrics if not each.advisory), metrics[0] if metrics else None)


def view_of_folder(journal: Journal, *, texts: bool = False) -> RunView:
    """A run as it lies in its folder."""
    dataset, spec = journal.dataset(), journal.spec
    tally = Tally(spec.metrics, dataset.cases)
    cases = {case.id: case for case in dataset.cases} if texts else {}
    cells = []
    for result in journal.results():
        tally.add(result)
        cells.append(_cell(result, cases))
    return RunView(
        spec=spec,
        ending=journal.ending(),
        summary=tally.summary(),
        total=len(dataset) * spec.repeats,
        cells=cells,
        units={case.id: case.unit for case in dataset.cases if case.cluster is not None},
    )


def view_of_stored(run: StoredRun, results: Iterable[StoredResult]) -> RunView:
    """A run as the database has it."""
    cells = [
        CellView(
            case_id=each.case_id,
            repeat=each.repeat,
            error=each.error,
            marks={name: Mark(*mark) for name, mark in each.scores.items()},
            latency_ms=each.latency_ms,
            cost_nanousd=each.cost_nanousd,
            trace_id=each.trace_id,
        )
        for each in results
    ]
    return RunView(
        spec=run.spec,
        ending=run.ending,
        summary=run.summary or Summary(cells=len(cells)),
        total=max(len(cells), run.summary.cells if run.summary is not None else 0),
        cells=cells,
    )


def _cell(result: Result, cases: Mapping[str, Case]) -> CellView:
    output, case = result.output, cases.get(result.case_id)
    asked = answered = None
    if case is not None:
        said = output.text if output.text is not None else output.data
        asked = _text(case.input)
        answered = output.error.message if output.error is not None else _text(said)
    return CellView(
        case_id=result.case_id,
        repeat=result.repeat,
        error=output.error.code if output.error is not None else None,
        marks={
            each.name: Mark(each.value, each.passed, each.error.code if each.error is not None else None)
            for each in result.scores
        },
        latency_ms=output.latency_ms,
        cost_nanousd=output.cost_nanousd,
        trace_id=output.trace_id,
        asked=asked,
        answered=answered,
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return said if len(said) <= _MOST_CHARS else f"{said[:_MOST_CHARS]}…"
