"""What the ledger and the counters need done beside the calls: once at the start, then now and then.

Journals of dead processes are recovered at the start, before the first call, and looked for again while running: a
sibling may have died.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..clock import Clock
from ..telemetry.log_file import LogFile
from .desk import Desk
from .recovery import Recovered, recover

_log = logging.getLogger(__name__)
_TIDY_S = 1.0
_RECOVER_EVERY = 10


class Housekeeping:
    """Owns one task between ``start`` and ``aclose``. ``failing`` says why dead journals cannot be recovered."""

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

    def problems(self) -> list[str]:
        """What the operator should know."""
        if self.failing is None:
            return []
        return [f"journals of a gateway that died cannot be recovered: {self.failing}"]

    async def start(self) -> None:
        """Recover what a crash has left, then go on in the background."""
        await self._recover()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(_TIDY_S)
            turn += 1
            try:
                self._desk.tidy()
                if turn % _RECOVER_EVERY == 0:
                    await self._recover()
            except Exception:  # noqa: BLE001 - a border: what fails once must not end all housekeeping
                _log.exception("the ledger's housekeeping failed; it is tried again")

    async def _recover(self) -> None:
        try:
            recovered = await asyncio.to_thread(self._recover_now)
        except OSError as exc:
            if self.failing is None:
                _log.error("the journals of a gateway that died cannot be recovered yet: %s", exc)
            self.failing = str(exc)
            return
        self.failing = None
        self.recovered += len(recovered)
        if recovered and self._on_recovered is not None:
            self._on_recovered(recovered)

    def _recover_now(self) -> list[Recovered]:
        file = self._log_file()
        try:
            return recover(self._desk.journal_folder, file, self._clock.now_s())
        finally:
            file.close()
