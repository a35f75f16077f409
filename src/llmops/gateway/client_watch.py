"""Watching for a client that leaves, or that stops reading, while its call is under way.

ASGI tells of a departure only to who waits in ``receive``. Most calls are over before that is worth a task of its own,
so the watch begins after a tenth of a second. A client that does not take a piece of its stream for a minute is treated
as gone. A caller that says ``x-llmops-on-disconnect: finish`` may leave: its call goes on to the end, and is recorded,
charged and kept as if it had stayed.
"""

import asyncio

from ..ticker import Ticker
from .asgi import Receive

_BEGIN_AFTER_S = 0.1
_STALL_LIMIT_S = 60.0


class ClientWatch:
    """Cancels the current task when the client is gone, and then says so by ``left``. Call ``stop`` at the end."""

    __slots__ = (
        "_begun_s",
        "_loop",
        "_may_leave",
        "_receive",
        "_sending_since_s",
        "_serving",
        "_ticker",
        "_waiting",
        "left",
    )

    def __init__(self, receive: Receive, ticker: Ticker, *, may_leave: bool = False) -> None:
        self.left = False
        self._may_leave = may_leave
        self._receive = receive
        self._ticker = ticker
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._serving = task
        self._waiting: asyncio.Task[None] | None = None
        self._sending_since_s: float | None = None
        self._begun_s = self._loop.time()
        ticker.add(self)

    def sending(self) -> None:
        """A piece is being handed to the client from now on."""
        self._sending_since_s = self._loop.time()

    def sent(self) -> None:
        self._sending_since_s = None

    def stop(self) -> None:
        self._ticker.remove(self)
        if self._waiting is not None:
            self._waiting.cancel()

    def tick(self, now_s: float) -> None:
        if self._sending_since_s is not None and now_s - self._sending_since_s >= _STALL_LIMIT_S:
            self._leave()
        elif self._waiting is None and not self._may_leave and now_s - self._begun_s >= _BEGIN_AFTER_S:
            self._waiting = self._loop.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.left = True
        self._serving.cancel()
