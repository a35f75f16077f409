"""Watching for a client that leaves, or that stops reading, while its call is under way.

ASGI tells of a departure only to who waits in ``receive``. Most calls are over before that is worth a task of its own,
so the watch begins after a tenth of a second. A client that does not take a piece of its stream for a minute is treated
as gone.
"""

import asyncio

from .asgi import Receive

_BEGIN_AFTER_S = 0.1
_STALL_LIMIT_S = 60.0


class ClientWatch:
    """Cancels the current task when the client is gone, and then says so by ``left``. Call ``stop`` at the end."""

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._serving = task
        self._waiting: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(_BEGIN_AFTER_S, self._begin)
        self._sending_since_s: float | None = None

    def sending(self) -> None:
        """A piece is being handed to the client from now on."""
        self._sending_since_s = self._loop.time()

    def sent(self) -> None:
        self._sending_since_s = None

    def stop(self) -> None:
        self._timer.cancel()
        if self._waiting is not None:
            self._waiting.cancel()

    def _begin(self) -> None:
        self._waiting = self._loop.create_task(self._wait())
        self._timer = self._loop.call_later(_STALL_LIMIT_S / 4, self._check_stall)

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _check_stall(self) -> None:
        since_s = self._sending_since_s
        if since_s is not None and self._loop.time() - since_s >= _STALL_LIMIT_S:
            self._leave()
        else:
            self._timer = self._loop.call_later(_STALL_LIMIT_S / 4, self._check_stall)

    def _leave(self) -> None:
        self.left = True
        self._serving.cancel()
