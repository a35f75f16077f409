"""Threads for functions that block: daemons, so that one that never returns does not keep the process.

What ends while the event loop is busy is handed over together, with one wake-up.
"""

import asyncio
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

_Ended = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Threads:
    """Belongs to the event loop of its first call; ``most`` threads, made as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle = 0
        self._count = 0
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ended: deque[_Ended] = deque()
        self._is_told = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns or raises. A caller that is cancelled leaves it running."""
        self._loop = loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self._jobs.qsize() >= self._idle and self._count < self._most:
            self._count += 1
            threading.Thread(target=self._work, name=f"eval-{self._count}", daemon=True).start()
        self._jobs.put((future, contextvars.copy_context(), function, arguments))
        return await future

    def _work(self) -> None:
        while True:
            self._idle += 1
            job = self._jobs.get()
            self._idle -= 1
            if job is None:
                return
            future, context, function, arguments = job
            if future.cancelled():
                continue
            try:
                value, error = context.run(function, *arguments), None
            except BaseException as exc:  # noqa: BLE001 - the border: it is raised where the call was made
                value, error = None, exc
            self._ended.append((future, value, error))
            if not self._is_told:
                self._is_told = True
                try:
                    assert self._loop is not None
                    self._loop.call_soon_threadsafe(self._hand_over)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return

    def _hand_over(self) -> None:
        self._is_told = False
        while self._ended:
            future, value, error = self._ended.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            elif isinstance(error, StopIteration):  # which no future takes
                future.set_exception(RuntimeError("the function raised StopIteration"))
            else:
                future.set_exception(error)

    def close(self) -> None:
        for _ in range(self._count):
            self._jobs.put(None)
