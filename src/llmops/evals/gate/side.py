"""One arm at work: its cells are asked for look by look, each once, through the eval engine and into its journal."""

import asyncio
from collections.abc import Callable, Sequence

from ..dataset import Dataset
from ..engine import Stop
from ..journal import Ending, Journal
from ..output import Output
from ..result import Cell, Result
from ..run import RunSpec
from ..running import MakeEngine, local_engine
from ..scorer import Scorer
from ..subject import Subject
from ..summary import Tally
from .arm import Arm, arm_of


class Side:
    """``tally`` counts as it goes; ``dearest`` is what the dearest cell so far cost."""

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        subject: Subject,
        scorers: Sequence[Scorer],
        *,
        stop: Stop,
        journal: Journal | None = None,
        make_engine: MakeEngine = local_engine,
    ) -> None:
        self.spec = spec
        self.dearest = 0
        self.ending = Ending(state="running")
        self.tally = Tally(spec.metrics, dataset.cases)
        self.results: dict[Cell, Result] = {}
        self._dataset = dataset
        self._subject = subject
        self._scorers = scorers
        self._stop = stop
        self._journal = journal
        self._make_engine = make_engine
        self._on_result: Callable[[], None] = lambda: None
        self._answers: dict[Cell, Output] = {}
        if journal is not None:
            self._read(journal)

    def _read(self, journal: Journal) -> None:
        """What an earlier process of this gate has paid for."""
        for result in journal.cells():
            if result.score_ms is None:
                self._answers[result.cell] = result.output
            else:
                self._count(result)

    async def ask(self, cells: Sequence[Cell], on_result: Callable[[], None]) -> None:
        """Have results of all these cells, unless the gate is stopped before."""
        todo = [cell for cell in cells if cell not in self.results]
        self._on_result = on_result
        if todo:
            engine = self._make_engine(
                self.spec, self._dataset, self._subject, self._scorers, self._journal, self._stop, self._take
            )
            await engine.run(todo, self._answers)

    def _take(self, result: Result) -> None:
        self._count(result)
        self._on_result()

    def _count(self, result: Result) -> None:
        self.results[result.cell] = result
        self.tally.add(result)
        judged = sum(score.cost_nanousd or 0 for score in result.scores)
        self.dearest = max(self.dearest, (result.output.cost_nanousd or 0) + judged)

    @property
    def cost_nanousd(self) -> int:
        return self.tally.cost_nanousd + self.tally.judge_cost_nanousd

    def arm(self, cells: Sequence[Cell]) -> Arm:
        """What is there of these cells."""
        found = [self.results[cell] for cell in cells if cell in self.results]
        return arm_of(self.spec, found, state="complete" if len(found) == len(cells) else "interrupted")

    async def end(self, ending: Ending) -> None:
        self.ending = ending
        if self._journal is not None:
            await asyncio.to_thread(self._journal.end, ending)

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
