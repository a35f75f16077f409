"""Keeping the rules in force up to date with the database: its version counter is looked at often; when it has moved,
all rules are read and handed on.

A database that does not answer, or has lost its rules, leaves those in force that were known last: a limit must not
vanish because a disk did. It has lost them when none is left and the counter says that it is another database: that
one has gone back, or has leapt (counters begin anywhere in 62 bits).
"""

import asyncio
from collections.abc import Callable, Sequence

from ..errors import StoreUnavailable
from ..store.follower import Follower
from .repository_rules import RuleRepository
from .rule import Rule

_UNKNOWN = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""


class RuleRefresher:
    """``known`` are the database's rules as they were last read; ``failing`` says why they may be out of date."""

    def __init__(self, repository: RuleRepository, apply: Callable[[Sequence[Rule]], None], *, period_s: float) -> None:
        """``apply`` is called in the event loop with all of the database's rules whenever they have changed."""
        self.known: Sequence[Rule] = ()
        self._repository = repository
        self._apply = apply
        self._version = _UNKNOWN
        self._turn = asyncio.Lock()
        self._follower = Follower("limits and budgets", self.refresh, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read the rules; from now on follow their changes. Raises when they cannot be read now: a gateway that does
        not know its limits must not begin to serve."""
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:  # of two looks the one with the older rows might come last
            found = await asyncio.to_thread(self._read)
            if found is None:
                return
            version, rules = found
            self._apply(rules)
            self.known, self._version = rules, version

    def _read(self) -> tuple[int, list[Rule]] | None:
        """In a thread: the rules and their version, if that has moved. What is written meanwhile has a higher one, for
        the next turn."""
        version = self._repository.version()
        if version == self._version:
            return None
        rules = [stored.rule() for stored in self._repository.rules()]
        if self.known and not rules and not 0 < version - self._version < _LEAP:
            raise StoreUnavailable(
                "the database has lost its limits and budgets; restore it, or restart the gateway without them"
            )
        return version, rules
