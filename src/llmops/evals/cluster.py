"""The same cells on a Ray cluster: workers elsewhere ask and judge, and this process keeps the journal, as ever.

Each worker runs the engine of `engine.py` over chunks of cells and streams back an answer as soon as it is there, then
its scores. So the results are those of a run in one process: which cells there are, what each call is known by (its
cell key) and how failures are values does not depend on where a cell is worked on. Subject and scorers travel to the
workers, so they have to be picklable: an endpoint, a function, a replay; the pipeline in-process is not.

Needs the extra ``ray``. ``RAY_ADDRESS`` names a cluster; without one it is made on this machine.
"""

import asyncio
import importlib
import pickle
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from .case import Case
from .dataset import Dataset
from .engine import Engine, Stop
from .journal import Journal
from .output import Output
from .result import Cell, Result
from .run import RunSpec
from .score import Score
from .scorer import Scorer
from .subject import Subject

_CHUNK = 64
"""Cells in one request to a worker: enough to hide the way there, few enough to stop soon."""
_Told = tuple[Cell, Output | None, tuple[Score, ...], float | None]
"""An answer (no time of judging yet), or the scores of one that was told before."""


def ray_engine(
    spec: RunSpec,
    dataset: Dataset,
    subject: Subject,
    scorers: Sequence[Scorer],
    journal: Journal | None,
    stop: Stop,
    on_result: Callable[[Result], None],
) -> "RayEngine":
    """`ConfigError` where ray is not installed, or the subject cannot travel."""
    try:
        ray: Any = importlib.import_module("ray")
        cloudpickle: Any = importlib.import_module("ray.cloudpickle")
    except ImportError as exc:
        raise ConfigError(["engine: 'ray': is not installed; pip install 'llmops-lab[ray]'"]) from exc
    try:
        luggage = cloudpickle.dumps((subject, tuple(scorers)))
    except (pickle.PicklingError, TypeError, AttributeError) as exc:
        said = f"engine: 'ray': subject or scorers cannot travel to workers ({exc}); ask an endpoint by its url"
        raise ConfigError([said]) from exc
    return RayEngine(ray, spec, dataset, luggage, journal, stop, on_result)


class RayEngine:
    def __init__(
        self,
        ray: Any,
        spec: RunSpec,
        dataset: Dataset,
        luggage: bytes,
        journal: Journal | None,
        stop: Stop,
        on_result: Callable[[Result], None],
    ) -> None:
        self.in_flight = 0
        self._ray = ray
        self._spec = spec
        self._cases = dataset.by_id
        self._luggage = luggage
        self._journal = journal
        self._stop = stop
        self._on_result = on_result

    async def run(self, cells: Sequence[Cell], answers: Mapping[Cell, Output]) -> None:
        if not self._ray.is_initialized():
            await asyncio.to_thread(self._ray.init, log_to_driver=False)
        cpus = int(self._ray.cluster_resources().get("CPU", 1)) or 1
        workers = min(cpus, self._spec.concurrency, max(1, len(cells)))
        share = max(1, self._spec.concurrency // workers)
        remote = self._ray.remote(max_restarts=2)(_Worker)
        actors = [remote.remote(self._luggage, self._spec, share) for _ in range(workers)]
        chunks = iter([cells[at : at + _CHUNK] for at in range(0, len(cells), _CHUNK)])
        try:
            async with asyncio.TaskGroup() as tasks:
                for actor in actors:
                    tasks.create_task(self._drive(actor, chunks, answers))
        except* Exception as group:  # noqa: BLE001 - it is raised again, without the group around it
            raise group.exceptions[0] from None
        finally:
            for actor in actors:
                self._ray.kill(actor)

    async def _drive(self, actor: Any, chunks: Any, answers: Mapping[Cell, Output]) -> None:
        for chunk in chunks:
            if self._stop.reason is not None:
                return
            known = {cell: answers[cell] for cell in chunk if cell in answers}
            cases = {cell.case_id: self._cases[cell.case_id] for cell in chunk}
            self.in_flight += len(chunk)
            left = len(chunk)
            outputs = dict(known)
            try:
                async for reference in actor.work.remote(list(chunk), cases, known):
                    for told in await reference:
                        left -= self._take(told, outputs)
            finally:
                self.in_flight -= left

    def _take(self, told: _Told, outputs: dict[Cell, Output]) -> int:
        """Write down what a worker told; 1 for a whole cell."""
        cell, output, scores, score_ms = told
        if output is not None:
            outputs[cell] = output
            if self._journal is not None:
                self._journal.answered(cell, output)
            return 0
        if self._journal is not None:
            self._journal.scored(cell, scores, score_ms)
        self.in_flight -= 1
        self._on_result(
            Result(case_id=cell.case_id, repeat=cell.repeat, output=outputs.pop(cell), scores=scores, score_ms=score_ms)
        )
        return 1


class _Keeper:
    """Tells the driver, in place of a journal."""

    def __init__(self, queue: "asyncio.Queue[_Told | None]") -> None:
        self._queue = queue

    def answered(self, cell: Cell, output: Output) -> None:
        self._queue.put_nowait((cell, output, (), None))

    def scored(self, cell: Cell, scores: tuple[Score, ...], score_ms: float | None) -> None:
        self._queue.put_nowait((cell, None, scores, score_ms))


class _Worker:
    """Lives in a process of the cluster."""

    def __init__(self, luggage: bytes, spec: RunSpec, concurrency: int) -> None:
        import msgspec

        self._subject, self._scorers = pickle.loads(luggage)
        self._spec = msgspec.structs.replace(spec, concurrency=concurrency)

    async def work(
        self, cells: Sequence[Cell], cases: Mapping[str, Case], answers: Mapping[Cell, Output]
    ) -> AsyncIterator[list[_Told]]:
        """What there is to tell, as soon as it is there; what came together is told together."""
        queue: asyncio.Queue[_Told | None] = asyncio.Queue()
        keeper = _Keeper(queue)
        engine = Engine(self._spec, cases, self._subject, self._scorers, keeper=keeper, on_result=lambda _: None)
        work = asyncio.create_task(engine.run(cells, answers))
        work.add_done_callback(lambda _: queue.put_nowait(None))
        ended = False
        while not ended:
            found = [await queue.get()]
            while not queue.empty():
                found.append(queue.get_nowait())
            ended = None in found
            if told := [each for each in found if each is not None]:
                yield told
        await work
