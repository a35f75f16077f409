"""Coarse timers for very many short-lived things: one timer for all of them instead of one for each.

What is registered gets ``tick(now_s)`` every ``period_s`` until it is removed; with nothing registered, no timer runs.
An event loop's own timer costs microseconds to make and to cancel, which every call would pay twice.
"""

import asyncio
from typing import Protocol

PERIOD_S = 0.05


class Ticking(Protocol):
    def tick(self, now_s: float) -> None:
        """Called about every `PERIOD_S` seconds with the loop's time."""
        ...


class Ticker:
    """Belongs to the event loop that first adds something."""

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._period_s = period_s
        self._registered: set[Ticking] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False

    def add(self, ticking: Ticking) -> None:
        self._registered.add(ticking)
        if not self._running:
            self._running = True
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_later(self._period_s, self._tick)

    def remove(self, ticking: Ticking) -> None:
        self._registered.discard(ticking)

    def _tick(self) -> None:
        assert self._loop is not None
        now_s = self._loop.time()
        for ticking in list(self._registered):
            ticking.tick(now_s)
        if self._registered:
            self._loop.call_later(self._period_s, self._tick)
        else:
            self._running = False
