"""Keeping the rollouts in memory up to date: the database's version counter is looked at often, and when it has moved,
the open ones are read. Every gateway that sees one rolled back lets go of the answers that its candidate has left.

A database that does not answer leaves those in force that were known last.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from ..errors import NotFound
from ..store.follower import Follower
from ..types import SHADOW
from .assignment import RolloutTable
from .mirror import Mirror
from .repository.rollouts import RolloutRepository
from .rollout import Rollout

_UNKNOWN = -1

Drop = Callable[[dict[str, str]], Awaitable[object]]
"""Lets go of the kept answers that agree in all that is named."""

Bound = Callable[[Mapping[str, Decimal]], Awaitable[None]]
"""Puts the budgets of these shadows in force, in US dollars by rollout, at what has been spent of them; others end."""


class _Found(NamedTuple):
    version: int
    open: list[Rollout]
    gone_back: list[Rollout]


class RolloutRefresher:
    """``failing`` says why rollouts may be out of date."""

    def __init__(
        self,
        repository: RolloutRepository,
        table: RolloutTable,
        *,
        period_s: float,
        drop: Drop | None = None,
        bound: Bound | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self._repository = repository
        self._table = table
        self._drop = drop
        self._bound = bound
        self._mirror = mirror
        self._version = _UNKNOWN
        self._known: set[str] = set()
        self._bounded: set[str] = set()
        """Shadows whose budgets are in force."""
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
                await self._follow([each for each in found.open if each.state.status != "scheduled"])
                self._version, self._known = found.version, {each.id for each in found.open}
                for rollout in found.gone_back:
                    whose = {} if rollout.tenant is None else {"tenant": rollout.tenant}
                    self._to_drop += [{"release": release_id, **whose} for release_id in rollout.plan.challengers]
            while self._drop is not None and self._to_drop:
                await self._drop(self._to_drop[0])
                del self._to_drop[0]

    async def _follow(self, open_: list[Rollout]) -> None:
        """First what needs no money: nobody waits for a shadow, and a return must not. A call is mirrored only when
        its rollout's budget is in force, at what has been spent."""
        shadows = [each for each in open_ if each.plan.kind == SHADOW]
        others = [each.running for each in open_ if each.plan.kind != SHADOW]
        if self._bound is None or self._mirror is None:
            self._table.replace(others)
            return
        running = [each for each in shadows if each.share > 0]
        ready = [each.running for each in running if each.id in self._bounded]
        self._table.replace([*others, *ready])
        self._mirror.follow((each.id, each.plan.max_at_once) for each in running)
        wanted = {each.id for each in shadows}
        if wanted != self._bounded:
            await self._bound({each.id: each.plan.budget_usd for each in shadows if each.plan.budget_usd is not None})
            self._bounded = wanted
            self._table.replace([*others, *(each.running for each in running)])

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
