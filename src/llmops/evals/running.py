"""A run from its beginning to its end: what there is to do, who does it, and what is written where.

`Runner` joins the parts: it asks the journal what is done, hands the rest to an engine (`Local`, or the cluster's),
counts, keeps the budget, and stores. It is the same for a new run and for one that goes on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..errors import ConfigError
from .dataset import Dataset
from .engine import Engine, Stop
from .journal import Ending, Journal
from .output import Output
from .result import Cell, Result
from .run import RunSpec, cells_of
from .scorer import Scorer, version_of
from .storing import Storing
from .subject import Subject
from .summary import Summary, Tally

_TOLD_EVERY_S = 0.1


class Progress(msgspec.Struct, kw_only=True, eq=False):
    """How far a run is; for whoever shows it."""

    total: int
    before: int = 0
    """Cells that were done when this process began."""
    tally: Tally
    started_s: float
    stop: Stop

    @property
    def done(self) -> int:
        return self.tally.cells

    @property
    def left_s(self) -> float | None:
        """How long it will probably take; None where nothing is known."""
        here = self.done - self.before
        return (time.monotonic() - self.started_s) / here * (self.total - self.done) if here else None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has ended, one way or the other."""

    spec: RunSpec
    ending: Ending
    total: int
    """How many cells it has."""
    summary: Summary
    results: list[Result] | None = None
    """Where they were asked for."""
    store_failure: str | None = None
    """Why it is not in the database, or not wholly."""


class Doing(Protocol):
    """Works on cells: `engine.Engine` in this process, or a cluster's."""

    @property
    def in_flight(self) -> int: ...
    async def run(self, cells: Sequence[Cell], answers: Mapping[Cell, Output], /) -> None: ...


MakeEngine = Callable[
    [RunSpec, Dataset, Subject, Sequence[Scorer], Journal | None, Stop, Callable[[Result], None]], Doing
]


def local_engine(
    spec: RunSpec,
    dataset: Dataset,
    subject: Subject,
    scorers: Sequence[Scorer],
    journal: Journal | None,
    stop: Stop,
    on_result: Callable[[Result], None],
) -> Doing:
    return Engine(spec, dataset.by_id, subject, scorers, keeper=journal, stop=stop, on_result=on_result)


def spec_of(dataset: Dataset, subject: Subject, scorers: Sequence[Scorer], *, run_id: str, **fields: Any) -> RunSpec:
    """Everything that the figures depend on; ``fields`` are the others of `RunSpec`. `ConfigError` for two scorers
    that say scores of one name."""
    metrics = [metric for scorer in scorers for metric in scorer.metrics]
    names = [metric.name for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError([f"{name!r}: two scorers measure it; give one of them another name" for name in twice])
    try:
        return RunSpec(
            run_id=run_id,
            dataset=dataset.name,
            dataset_version=dataset.version,
            subject=dict(subject.versions),
            scorers=tuple(version_of(scorer) for scorer in scorers),
            metrics=tuple(metrics),
            **{"started_at_ms": time.time_ns() // 1_000_000, **fields},
        )
    except ValueError as exc:
        raise ConfigError([str(exc)], source="the run") from exc


class Runner:
    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        subject: Subject,
        scorers: Sequence[Scorer],
        *,
        journal: Journal | None = None,
        storing: Storing | None = None,
        max_nanousd: int | None = None,
        slices: Sequence[str] | None = None,
        stop: Stop | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        keep_results: bool = False,
        make_engine: MakeEngine = local_engine,
    ) -> None:
        self.stop = stop or Stop()
        self._spec = spec
        self._dataset = dataset
        self._subject = subject
        self._scorers = scorers
        self._journal = journal
        self._storing = storing
        self._max_nanousd = max_nanousd
        self._on_progress = on_progress
        self._results: list[Result] | None = [] if keep_results else None
        self._tally = Tally(spec.metrics, dataset.cases, slices)
        self._told_s = 0.0
        self._dearest = 0
        self._make_engine = make_engine

    async def run(self) -> Run:
        """Do what is not done yet. A journal that cannot be written is raised; all else that fails is a value."""
        todo = cells_of(self._dataset.cases, self._spec.repeats, self._spec.seed)
        self._progress = Progress(total=len(todo), tally=self._tally, started_s=time.monotonic(), stop=self.stop)
        ending = Ending(state="interrupted", reason="failed")
        if self._storing is not None:
            await self._storing.begin()
        done, answers = self._done()
        self._progress.before = self._tally.cells
        if done:
            todo = [cell for cell in todo if cell not in done]
        self._engine = self._make_engine(
            self._spec, self._dataset, self._subject, self._scorers, self._journal, self.stop, self._take
        )
        if self._journal is not None:
            self._journal.end(Ending(state="running"))
        try:
            await self._engine.run(todo, answers)
            left = self._progress.total - self._tally.cells
            ending = Ending(state="interrupted", reason=self.stop.reason) if left else Ending(state="complete")
        except asyncio.CancelledError:
            ending = Ending(state="interrupted", reason="cancelled")
            raise
        finally:
            ending = msgspec.structs.replace(ending, ended_at_ms=time.time_ns() // 1_000_000)
            run = await self._end(ending)
        return run

    def _done(self) -> tuple[set[Cell], dict[Cell, Output]]:
        """What the journal has: whole cells, which are counted, and answers that nobody has judged."""
        done: set[Cell] = set()
        answers: dict[Cell, Output] = {}
        if self._journal is not None:
            for result in self._journal.cells():
                if result.score_ms is None:
                    answers[result.cell] = result.output
                else:
                    done.add(result.cell)
                    self._count(result)
        return done, answers

    async def _end(self, ending: Ending) -> Run:
        summary = self._tally.summary()
        if self._journal is not None:
            self._journal.end(ending)
        if self._storing is not None:
            await self._storing.end(ending, summary, self._journal.results if self._journal is not None else None)
        self._tell(force=True)
        return Run(
            spec=self._spec,
            ending=ending,
            total=self._progress.total,
            summary=summary,
            results=self._results,
            store_failure=self._storing.failure if self._storing is not None else None,
        )

    def _take(self, result: Result) -> None:
        self._count(result)
        if self._max_nanousd is not None:
            self._keep_budget(self._max_nanousd, result)
        self._tell()

    def _count(self, result: Result) -> None:
        self._tally.add(result)
        if self._storing is not None:
            self._storing.add(result)
        if self._results is not None:
            self._results.append(result)

    def _keep_budget(self, most: int, result: Result) -> None:
        """Stop while there is enough left for the cells under way, even if each were as dear as the dearest so far."""
        tally = self._tally
        cost = (result.output.cost_nanousd or 0) + sum(score.cost_nanousd or 0 for score in result.scores)
        self._dearest = max(self._dearest, cost)
        spent = tally.cost_nanousd + tally.judge_cost_nanousd
        if tally.unpriced:
            self.stop("unpriced")
        elif spent + (self._engine.in_flight + 1) * self._dearest > most:
            self.stop("budget")

    def _tell(self, *, force: bool = False) -> None:
        if self._on_progress is not None:
            now_s = time.monotonic()
            if force or now_s - self._told_s >= _TOLD_EVERY_S:
                self._told_s = now_s
                self._on_progress(self._progress)
