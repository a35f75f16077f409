"""Runs as the control plane shows them: lists, one run's figures, its cells worst first, one case, two runs compared.

Figures come from the database, texts from the run's journal where that is on this machine (`archive`). A tenant of None
sees all; another tenant's run is not found. Runs that have ended do not change, so the last few comparisons are kept.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from ..errors import InvalidRequest, NotFound
from ..store.database import Database
from .archive import RunArchive
from .case import Case
from .comparison import Arm, CasePair, Comparison, compared, criterion_of, default_margin, mismatches, pairs_of
from .datasets.repository.reading import DatasetReader
from .datasets.version import Reference
from .distribution import Bin, bins
from .journal import DEFAULT_FOLDER
from .repository.baselines import BaselineRepository
from .repository.decisions import DecisionRepository
from .repository.reading import Row, RunReader
from .repository.runs import RunRepository, StoredRun
from .result import Result
from .score import Metric

Order = Literal["worst", "best", "slowest", "dearest", "case"]
Which = Literal["all", "failed", "unpassed"]
_KEPT = 2
"""Comparisons; one of 100,000 cases takes about 25 MB."""


class Shown(NamedTuple):
    """One case of a run. ``case`` is None where its texts are not on this machine."""

    case: Case | None
    rows: list[Row]
    results: dict[int, Result]


class EvalDirectory:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database, folder: Path = DEFAULT_FOLDER) -> None:
        self._runs = RunRepository(database)
        self._reader = RunReader(database)
        self._datasets = DatasetReader(database)
        self.archive = RunArchive(folder)
        self.page = self._reader.page
        self.metrics = self._reader.metrics
        self.trend = self._runs.trend
        self._decisions = DecisionRepository(database)
        self.decisions = self._decisions.find
        self.baselines = BaselineRepository(database).all_current
        self._kept: OrderedDict[tuple[object, ...], tuple[Comparison, list[CasePair]]] = OrderedDict()
        self._comparing = threading.Lock()

    def run(self, run_id: str, tenant: str | None) -> StoredRun:
        found = self._runs.get(run_id, tenant)
        if found is None:
            raise NotFound(f"there is no run {run_id[:100]!r}", param="run")
        return found

    def decision(self, decision_id: str, tenant: str | None) -> dict[str, Any]:
        """What a gate decided, whole."""
        found = self._decisions.get(decision_id, tenant)
        if found is None:
            raise NotFound(f"there is no decision {decision_id[:100]!r}", param="decision")
        return found

    def distribution(self, run: StoredRun, metric: str) -> list[Bin]:
        """Of the metric's values over all cells."""
        metric_of(run, metric)
        rows = self._reader.rows(run.spec.run_id)
        return bins(value for row in rows if (value := row.value(metric)) is not None)

    def cells(
        self,
        run: StoredRun,
        metric: str | None,
        *,
        which: Which = "all",
        order: Order = "worst",
        search: str = "",
        group: str = "",
    ) -> list[Row]:
        """In that order, those without a value last. ``group``: a slice ``key=value``; ``search``: part of an id."""
        wanted = metric_of(run, metric) if metric is not None else None
        members = self._members(run, group) if group else None
        found = [
            row
            for row in self._reader.rows(run.spec.run_id)
            if _is(row, which) and search in row.case_id and (members is None or row.case_id in members)
        ]
        if order in ("slowest", "dearest"):
            figure = attrgetter("latency_ms" if order == "slowest" else "cost_nanousd")
            found.sort(key=lambda row: -math.inf if figure(row) is None else figure(row), reverse=True)
        elif order != "case" and wanted is not None:
            sign = 1.0 if (wanted.direction == "higher") == (order == "worst") else -1.0
            found.sort(key=lambda row: math.inf if (value := row.value(wanted.name)) is None else sign * value)
        return found

    def case(self, run: StoredRun, case_id: str) -> Shown:
        rows = list(self._reader.rows(run.spec.run_id, case_id))
        case = self.archive.case(run.spec, case_id)
        if not rows and case is None:
            raise NotFound(f"the run {run.spec.run_id!r} has no case {case_id[:100]!r}", param="case")
        return Shown(case or self._stored_case(run, case_id), rows, self.archive.results(run.spec, case_id))

    def compare(
        self, first: StoredRun, second: StoredRun, metric: str, margin: float | None, alpha: float = 0.05
    ) -> tuple[Comparison, list[CasePair]]:
        """The second against the first, which is the baseline. `InvalidRequest` for a margin that means nothing."""
        wanted = metric_of(second, metric)
        margin = default_margin(wanted) if margin is None else margin
        try:
            criterion = criterion_of(wanted, margin, alpha)
        except ValueError as exc:
            raise InvalidRequest(str(exc), param="margin") from exc
        stamps = [(each.spec.run_id, each.ending.state, each.ending.ended_at_ms) for each in (first, second)]
        key = (*stamps, metric, margin, alpha)
        with self._comparing:  # one at a time: a bootstrap takes a core
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            repeats = max(first.spec.repeats, second.spec.repeats)
            one, other = (Arm(self._reader.rows(each.spec.run_id), metric, repeats) for each in (first, second))
            pairs = pairs_of(one, other, criterion)
            reasons = mismatches(first.spec, second.spec, metric)
            found = compared(wanted, criterion, reasons, one, other, pairs, self._units(second)), pairs
            if all(each.ending.state != "running" for each in (first, second)):
                self._kept[key] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return found

    def _units(self, run: StoredRun) -> Mapping[str, str] | None:
        found = {case.id: case.unit for case in self._cases(run)}
        return found or None

    def _members(self, run: StoredRun, group: str) -> set[str]:
        """The cases of a slice."""
        from .summary import facets

        key, _, value = group.partition("=")
        return {case.id for case in self._cases(run) if (key, value) in facets(case)}

    def _cases(self, run: StoredRun) -> Sequence[Case]:
        """From the journal, or from the dataset where that version is kept; none where neither is."""
        if found := list(self.archive.cases(run.spec)):
            return found
        try:
            reference = Reference(run.spec.dataset, run.spec.dataset_version)
            return list(self._datasets.cases(run.spec.tenant, reference))
        except NotFound:
            return ()

    def _stored_case(self, run: StoredRun, case_id: str) -> Case | None:
        return next((case for case in self._cases(run) if case.id == case_id), None)


def metric_of(run: StoredRun, name: str) -> Metric:
    """`InvalidRequest` for one that the run does not measure."""
    found = next((each for each in run.spec.metrics if each.name == name), None)
    if found is None:
        right = ", ".join(repr(each.name) for each in run.spec.metrics[:20])
        raise InvalidRequest(f"metric {name[:60]!r}: the run {run.spec.run_id!r} has {right}", param="metric")
    return found


def header(run: StoredRun) -> dict[str, Any]:
    """A run in a list: everything but its slices."""
    summary = run.summary
    if summary is not None and summary.slices:
        summary = msgspec.structs.replace(summary, slices={})
    return {
        **msgspec.to_builtins(run.spec),
        "repeats": run.spec.repeats,
        "tenant": run.spec.tenant,
        "started_at_ms": run.spec.started_at_ms,
        "state": run.ending.state,
        "reason": run.ending.reason,
        "ended_at_ms": run.ending.ended_at_ms,
        "summary": None if summary is None else _filled(summary),
    }


def _filled(summary: Any) -> dict[str, Any]:
    """With what is at its default, which a reader of the API should not have to know."""
    given = {name: getattr(summary, name) for name in summary.__struct_fields__}
    given["metrics"] = [{name: getattr(each, name) for name in each.__struct_fields__} for each in summary.metrics]
    given["slices"] = {
        group: [{name: getattr(each, name) for name in each.__struct_fields__} for each in figures]
        for group, figures in summary.slices.items()
    }
    found: dict[str, Any] = msgspec.to_builtins(given)
    return found


def whole(run: StoredRun) -> dict[str, Any]:
    """A run by itself: its header, with slices."""
    return {**header(run), "summary": None if run.summary is None else _filled(run.summary)}


def _is(row: Row, which: Which) -> bool:
    if which == "failed":
        return row.error is not None
    if which == "unpassed":
        return row.error is not None or any(passed is False for _, passed, _ in row.scores.values())
    return True
