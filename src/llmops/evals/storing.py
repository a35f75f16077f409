"""Results on their way to the database: in batches, in another thread, beside the run.

What the database does not take is in the journal, and is stored from there at the end, or whenever the run is resumed:
a database that is away costs a run nothing but its place in the lists.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from ..errors import StoreUnavailable
from .journal import Ending
from .result import Result
from .run import RunSpec
from .summary import Summary

_BATCH = 2_000


class Runs(Protocol):
    """Keeps runs (`repository.runs`)."""

    def store(self, spec: RunSpec, ending: Ending, summary: Summary | None, /) -> None: ...


class Results(Protocol):
    """Keeps results, each cell once (`repository.results`)."""

    def store(self, run_id: str, results: Iterable[Result], /) -> int: ...


class Storing:
    """``failure`` says why not everything is stored, where that is so."""

    def __init__(self, spec: RunSpec, runs: Runs, results: Results) -> None:
        self.failure: str | None = None
        self._spec = spec
        self._runs = runs
        self._results = results
        self._waiting: list[Result] = []
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        await self._try(lambda: self._runs.store(self._spec, Ending(state="running"), None))

    def add(self, result: Result) -> None:
        if self.failure is not None:
            return
        self._waiting.append(result)
        if len(self._waiting) >= _BATCH and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        await self._try(lambda: self._results.store(self._spec.run_id, batch))
        self._task = None

    async def end(self, ending: Ending, summary: Summary, everything: Callable[[], Iterable[Result]] | None) -> None:
        """Store what waits, and the run as it has ended. ``everything`` reads the journal, where something failed."""
        if self._task is not None:
            await self._task
        if self.failure is not None and everything is not None:
            self.failure, self._waiting = None, []
            await self._try(lambda: self._results.store(self._spec.run_id, everything()))
        elif self._waiting:
            await self._flush()
        await self._try(lambda: self._runs.store(self._spec, ending, summary))

    async def _try(self, work: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(work)
        except StoreUnavailable as exc:
            self.failure = exc.message
