"""A gateway that lags says so: under full load its calls come into the database later than the conductor looks.

Then the evidence waits for them, instead of passing them by. Not covered: a lag below `_SHORT_S`; calls that come that
much later than ``settle`` are missing.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping

from ..clock import Clock
from ..errors import LLMOpsError
from ..store.follower import Follower
from .repository.readings import Readings

_log = logging.getLogger(__name__)
_SHORT_S = 1.0


class ReadingReporter:
    """``read_until_ms`` says up to when this process's calls are in the database; ``settle_s`` names the open rollouts.
    ``failing`` says why nobody is told."""

    def __init__(
        self,
        repository: Readings,
        read_until_ms: Callable[[], int],
        settle_s: Callable[[], Mapping[str, float]],
        clock: Clock,
        *,
        period_s: float,
    ) -> None:
        self._process = secrets.token_hex(8)
        self._repository = repository
        self._read_until_ms = read_until_ms
        self._settle_s = settle_s
        self._clock = clock
        self._lags = False
        self._follower = Follower("how far calls are stored", self.report, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()
        try:
            await self._caught_up()
        except LLMOpsError as exc:
            _log.warning("rollouts may wait half a minute for calls of this process: %s", exc.message)

    async def report(self) -> None:
        """Look now instead of at the next turn."""
        now_ms, until_ms = round(self._clock.now_s() * 1000), self._read_until_ms()
        if self._settle_s() and now_ms - until_ms > _SHORT_S * 1000:
            self._lags = True
            await asyncio.to_thread(self._repository.note, self._process, now_ms, until_ms)
        else:
            await self._caught_up()

    async def _caught_up(self) -> None:
        if self._lags:
            await asyncio.to_thread(self._repository.forget, self._process)
            self._lags = False
