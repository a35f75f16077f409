"""Keeping the flags in memory up to date: the database's version counter is looked at often, and when it has moved, all
flags are read. A database that does not answer, or has lost its flags, leaves those in force that were known last.
"""

import asyncio

from ..errors import StoreUnavailable
from ..store.follower import Follower
from .repository.flags import FlagRepository, StoredFlag
from .table import FlagTable

_UNKNOWN = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""


class FlagRefresher:
    """``failing`` says why flags may be out of date."""

    def __init__(self, repository: FlagRepository, table: FlagTable, *, period_s: float) -> None:
        self._repository = repository
        self._table = table
        self._version = _UNKNOWN
        self._count = 0
        self._turn = asyncio.Lock()
        self._follower = Follower("flags", self.refresh, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read the flags; from now on follow their changes. Raises when they cannot be read now."""
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:  # of two looks the one with the older rows might come last
            found = await asyncio.to_thread(self._read)
            if found is not None:
                version, stored = found
                self._table.replace(stored)
                self._version, self._count = version, len(stored)

    def _read(self) -> tuple[int, list[StoredFlag]] | None:
        """In a thread. What is written meanwhile has a higher version, for the next turn."""
        version = self._repository.version()
        if version == self._version:
            return None
        stored = self._repository.all()
        if self._count and not stored and not 0 < version - self._version < _LEAP:
            raise StoreUnavailable("the database has lost its flags; restore it, or restart the gateway without them")
        return version, stored
