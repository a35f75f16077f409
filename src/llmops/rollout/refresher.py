"""Keeping the rollouts in memory up to date: the database's version counter is looked at often, and when it has moved,
the open ones are read. Every gateway that sees one rolled back lets go of the answers that its candidate has left.

A database that does not answer leaves those in force that were known last.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ..errors import NotFound
from ..store.follower import Follower
from .assignment import RolloutTable
from .repository.rollouts import RolloutRepository
from .rollout import Rollout

_UNKNOWN = -1

Drop = Callable[[dict[str, str]], Awaitable[object]]
"""Lets go of the kept answers that agree in all that is named."""


class _Found(NamedTuple):
    version: int
    open: list[Rollout]
    gone_back: list[Rollout]


class RolloutRefresher:
    """``failing`` says why rollouts may be out of date."""

    def __init__(
        self, repository: RolloutRepository, table: RolloutTable, *, period_s: float, drop: Drop | None = None
    ) -> None:
        self._repository = repository
        self._table = table
        self._drop = drop
        self._version = _UNKNOWN
        self._known: set[str] = set()
        self._to_drop: list[dict[str, str]] = []
        self._turn = asyncio.Lock()
        self._follower = Follower("rollouts", self.refresh, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read the rollouts; from now on follow their changes. Raises when they cannot be read now."""
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:
            found = await asyncio.to_thread(self._read)
            if found is not None:
                self._table.replace(each.running for each in found.open)
                self._version, self._known = found.version, {each.id for each in found.open}
                for rollout in found.gone_back:
                    whose = {} if rollout.tenant is None else {"tenant": rollout.tenant}
                    self._to_drop.append({"release": rollout.plan.candidate, **whose})
            while self._drop is not None and self._to_drop:
                await self._drop(self._to_drop[0])
                del self._to_drop[0]

    def _read(self) -> _Found | None:
        """In a thread."""
        version = self._repository.version()
        if version == self._version:
            return None
        found = self._repository.open()
        gone = [self._get(each) for each in self._known - {rollout.id for rollout in found}]
        back = [each for each in gone if each is not None and each.state.status == "rolled_back"]
        return _Found(version, found, back)

    def _get(self, rollout_id: str) -> Rollout | None:
        try:
            return self._repository.get(rollout_id, None)
        except NotFound:
            return None
