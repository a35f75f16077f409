"""What the ledger and the counters need done beside the calls: once at the start, then now and then.

Journals of dead processes are recovered at the start, before the first call, and looked for again while running: a
sibling may have died. They go when our own journal says what shared counters are to be told of their calls, so it is
told however often the rescuers die in their turn. The file that our journal begins next is made ready in a thread.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager, suppress
from typing import TypeVar

from ..clock import Clock
from ..telemetry.log_file import LogFile
from .desk import Desk
from .recovery import Recovered, recovering

_log = logging.getLogger(__name__)
_TIDY_S = 1.0
_RECOVER_EVERY = 10
_T = TypeVar("_T")


class Housekeeping:
    """Owns its tasks between ``start`` and ``aclose``. ``failing`` says why dead journals cannot be recovered.

    ``on_recovered`` is told of all calls of dead processes, also of those that were in the log.
    """

    def __init__(
        self,
        desk: Desk,
        log_file: Callable[[], LogFile],
        clock: Clock,
        on_recovered: Callable[[Sequence[Recovered]], None] | None = None,
    ) -> None:
        self.failing: str | None = None
        self.recovered = 0
        self._desk = desk
        self._log_file = log_file
        self._clock = clock
        self._on_recovered = on_recovered
        self._task: asyncio.Task[None] | None = None
        self._preparing: asyncio.Future[None] | None = None

    def problems(self) -> list[str]:
        """What the operator should know."""
        if self.failing is None:
            return []
        return [f"journals of a gateway that died cannot be recovered: {self.failing}"]

    async def start(self) -> None:
        """Recover what a crash has left, then go on in the background."""
        self._desk.ledger.on_begun = self._prepare
        await self._recover()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._desk.ledger.on_begun = None
        if self._preparing is not None:
            await self._preparing

    def _prepare(self) -> None:
        """Have the ledger's next journal made, and its last ones let go of."""
        if self._preparing is None or self._preparing.done():
            loop = asyncio.get_running_loop()
            self._preparing = loop.run_in_executor(None, self._desk.ledger.prepare)

    async def _keep(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(_TIDY_S)
            turn += 1
            try:
                self._desk.tidy()
                if self._desk.ledger.is_unprepared:
                    self._prepare()
                if turn % _RECOVER_EVERY == 0:
                    await self._recover()
            except Exception:  # noqa: BLE001 - a border: what fails once must not end all housekeeping
                _log.exception("the ledger's housekeeping failed; it is tried again")

    async def _recover(self) -> None:
        try:
            async with _in_thread(self._recovering()) as found:
                self.recovered += sum(call.entered for call in found)
                if found and self._on_recovered is not None:
                    self._on_recovered(found)
                self._desk.ledger.carry((call.request_id, call.tokens, call.nanousd) for call in found)
        except OSError as exc:
            if self.failing is None:
                _log.error("the journals of a gateway that died cannot be recovered yet: %s", exc)
            self.failing = str(exc)
        else:
            self.failing = None

    @contextmanager
    def _recovering(self) -> Iterator[list[Recovered]]:
        folder, now_s = self._desk.journal_folder, self._clock.now_s()
        with closing(self._log_file()) as file, recovering(folder, file, now_s) as found:
            yield found


@asynccontextmanager
async def _in_thread(context: AbstractContextManager[_T]) -> AsyncIterator[_T]:
    """A context whose beginning and regular end take a while."""
    value = await asyncio.to_thread(context.__enter__)
    try:
        yield value
    except BaseException as exc:
        context.__exit__(type(exc), exc, exc.__traceback__)
        raise
    await asyncio.to_thread(context.__exit__, None, None, None)
