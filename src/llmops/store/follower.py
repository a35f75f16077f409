"""Following something that changes elsewhere: look at it again and again, and say so once while that fails.

What is followed, and what is done with it, is the owner's. A look that fails changes nothing of what is known, and the
next one comes after the same pause; nothing that it raises ends the following.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..errors import LLMOpsError

_log = logging.getLogger(__name__)


class Follower:
    """Owns one task between ``start`` and ``aclose``. ``failing`` says why what is known may be out of date."""

    def __init__(self, what: str, look: Callable[[], Awaitable[None]], *, period_s: float) -> None:
        """``what`` names what is followed, in the plural, for the operator."""
        self.failing: str | None = None
        self._what = what
        self._look = look
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for the first time, which raises when it fails; from now on go on looking."""
        await self._look()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        pause_s = self._period_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s, begun_s = self._period_s, time.monotonic()
            try:
                await self._look()
            except LLMOpsError as exc:
                self._fails(exc.message)
            except Exception as exc:  # noqa: BLE001 - a border: a change must never go unnoticed for good
                self._fails(f"{type(exc).__name__}: {exc}", cause=exc)
                pause_s = max(pause_s, time.monotonic() - begun_s)  # reading much in vain, again and again
            else:
                if self.failing is not None:
                    _log.info("%s are refreshed again", self._what)
                self.failing = None

    def _fails(self, reason: str, *, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error(
                "%s cannot be refreshed, the last known ones stay in force: %s", self._what, reason, exc_info=cause
            )
        self.failing = reason
