"""Keeping the releases in memory up to date: the database's version counter is looked at often, and when it has moved,
pointers and verdicts are read, and of the releases, which never change, those that are new.

A database that does not answer, or has lost its releases, leaves those in force that were known last. Where a name's
live release has moved, the kept answers that its bundle names are let go, in every gateway that notices.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ..errors import StoreUnavailable
from ..store.follower import Follower
from .release import Pointer, Release
from .repository.releases import ReleaseRepository
from .table import ReleaseTable

_UNKNOWN = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""
_MOST = 2000
"""Releases in memory beside the live ones, the newest: what rollouts and evals ask for."""

Drop = Callable[[dict[str, str]], Awaitable[object]]
"""Lets go of the kept answers that agree in all that is named."""


class _Found(NamedTuple):
    version: int
    pointers: list[Pointer]
    keys: list[tuple[str | None, str]]
    fresh: list[Release]
    verdicts: Mapping[tuple[str | None, str], str]


class ReleaseRefresher:
    """``failing`` says why releases may be out of date."""

    def __init__(
        self, repository: ReleaseRepository, table: ReleaseTable, *, period_s: float, drop: Drop | None = None
    ) -> None:
        self._repository = repository
        self._table = table
        self._drop = drop
        self._version = _UNKNOWN
        self._to_drop: list[dict[str, str]] = []
        """Outlives a look that fails: what was to be let go still has to be."""
        self._turn = asyncio.Lock()
        self._follower = Follower("releases", self.refresh, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read the releases; from now on follow their changes. Raises when they cannot be read now."""
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:  # of two looks the one with the older rows might come last
            found = await asyncio.to_thread(self._read)
            if found is not None:
                moved = self._table.replace(found.pointers, found.fresh, found.keys, found.verdicts)
                self._version = found.version
                for pointer, released in moved:
                    own = {} if pointer.tenant is None else {"tenant": pointer.tenant}
                    self._to_drop += [{**each, **own} for each in released.bundle.drop_caches]
            while self._drop is not None and self._to_drop:
                await self._drop(self._to_drop[0])
                del self._to_drop[0]

    def _read(self) -> _Found | None:
        """In a thread. What is written meanwhile has a higher version, for the next turn."""
        version = self._repository.version()
        if version == self._version:
            return None
        known, keys = self._table.known, self._repository.ids(_MOST)
        if known and not keys and not 0 < version - self._version < _LEAP:
            raise StoreUnavailable(
                "the database has lost its releases; restore it, or restart the gateway without them"
            )
        if not 0 < version - self._version < _LEAP:
            known = set()  # another database may have other releases under these ids
        fresh = self._repository.read([key for key in keys if key not in known]) if keys else []
        keep = [key for key in keys if key in known]
        return _Found(version, self._repository.pointers(), keep, fresh, self._repository.latest_verdicts())
