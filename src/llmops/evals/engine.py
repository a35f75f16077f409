"""The engine: every cell of a run gets its result, so many at a time, and each result is handed out at once.

A few workers draw cells from one list; no task is made for a cell. What a cell's subject raises, or the time that it
does not keep, is its output; what was answered is in the journal before it is judged. The engine ends early in two
ways only: it is told to stop (`Stop`: cells under way are finished, none is begun), or a result cannot be kept.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from .case import Case
from .cell_key import current_cell
from .output import Failure, Output
from .result import Cell, Result
from .run import RunSpec
from .score import Score
from .scorer import Scorer, judge
from .subject import Subject

_BREATH_S = 0.005
"""So long workers may go on without a pause: a subject that never waits would starve clocks and signals."""


class Keeper(Protocol):
    """Writes down what there is of a cell (`Journal`)."""

    def answered(self, cell: Cell, output: Output, /) -> None: ...
    def scored(self, cell: Cell, scores: tuple[Score, ...], score_ms: float | None, /) -> None: ...


class Stop:
    """Tells an engine to begin no further cell. ``reason`` says why; the first one stays."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, reason: str = "stopped") -> None:
        self.reason = self.reason or reason


class Engine:
    """``on_result`` hears of every whole cell, in the order in which they are done."""

    def __init__(
        self,
        spec: RunSpec,
        cases: Mapping[str, Case],
        subject: Subject,
        scorers: Sequence[Scorer],
        *,
        keeper: Keeper | None = None,
        stop: Stop | None = None,
        on_result: Callable[[Result], None],
    ) -> None:
        self.stop = stop or Stop()
        self.in_flight = 0
        self._spec = spec
        self._cases = cases
        self._subject = subject
        self._scorers = scorers
        self._keeper = keeper
        self._on_result = on_result
        self._breath_s = 0.0

    async def run(self, cells: Iterable[Cell], answers: Mapping[Cell, Output] | None = None) -> None:
        """Work on these cells. Those with one of ``answers`` are only judged: their call is paid for."""
        source, answers = iter(cells), answers or {}
        workers = [asyncio.create_task(self._work(source, answers)) for _ in range(self._spec.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, source: Iterator[Cell], answers: Mapping[Cell, Output]) -> None:
        run_id, keeper = self._spec.run_id, self._keeper
        for cell in source:
            if self.stop.reason is not None:
                return
            current_cell.set((run_id, cell))
            self.in_flight += 1
            try:
                case, output = self._cases[cell.case_id], answers.get(cell)
                if output is None:
                    output = await self._answer(case, cell)
                    if keeper is not None:
                        keeper.answered(cell, output)
                started_s = time.perf_counter()
                scores = await self._judge(case, output)
                score_ms = round((time.perf_counter() - started_s) * 1000, 3)
                if keeper is not None:
                    keeper.scored(cell, scores, score_ms)
            finally:
                self.in_flight -= 1
            self._on_result(
                Result(case_id=cell.case_id, repeat=cell.repeat, output=output, scores=scores, score_ms=score_ms)
            )
            if time.perf_counter() >= self._breath_s:
                await asyncio.sleep(0)
                self._breath_s = time.perf_counter() + _BREATH_S

    async def _answer(self, case: Case, cell: Cell) -> Output:
        started_s = time.perf_counter()
        timeout_s = self._spec.timeout_s
        try:
            async with asyncio.timeout(timeout_s) as patience:
                output = await self._subject.answer(case, cell.repeat)
        except Exception as exc:  # noqa: BLE001 - the border: a subject is anybody's code, and its failure is a value
            if isinstance(exc, TimeoutError) and patience.expired():
                failure = Failure(code="timeout", message=f"no answer within {timeout_s:g} s")
            else:
                failure = Failure.of(exc)
            return Output(error=failure, latency_ms=_since_ms(started_s))
        if output.cached and self._spec.repeats > 1:
            said = "the answer came from a cache: it is no observation of its own, and each repeat has to be one"
            return msgspec.structs.replace(output, text=None, data=None, error=Failure(code="cached", message=said))
        if output.latency_ms is None and not output.recovered:
            return msgspec.structs.replace(output, latency_ms=_since_ms(started_s))
        return output

    async def _judge(self, case: Case, output: Output) -> tuple[Score, ...]:
        scores: list[Score] = []
        for scorer in self._scorers:
            scores += await judge(scorer, case, output)
        return tuple(scores)


async def stream_cells(
    spec: RunSpec,
    cases: Mapping[str, Case],
    subject: Subject,
    scorers: Sequence[Scorer],
    cells: Iterable[Cell],
    *,
    keeper: Keeper | None = None,
    answers: Mapping[Cell, Output] | None = None,
) -> AsyncIterator[Result]:
    """The results one by one as they come, for who would rather iterate than be called."""
    queue: asyncio.Queue[Result | None] = asyncio.Queue()
    engine = Engine(spec, cases, subject, scorers, keeper=keeper, on_result=queue.put_nowait)
    work = asyncio.create_task(engine.run(cells, answers))
    work.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (result := await queue.get()) is not None:
            yield result
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _since_ms(started_s: float) -> float:
    return round((time.perf_counter() - started_s) * 1000, 3)
