"""Keeping a keyring up to date: the database's version counter is looked at often; when it has moved, the rows that
were written since are read. That takes as long for a million keys as for ten.

All of them are read at the start, when the counter has gone back or has leapt (another database is in the place of the
one that was known; counters begin anywhere in 62 bits) and when no row carries the counter's number (somebody has
written past the repository). One thing is not noticed: a database restored from a backup in which more was written,
between two looks, than had been lost. Restart the gateways after a restoration.

A database that does not answer, or has lost its keys, leaves the ring as it is: calls go on under the keys that were
known last.
"""

import asyncio
from itertools import chain

from ..errors import StoreUnavailable
from ..store.follower import Follower
from .keyring import Keyring
from .repository import IdentityRepository

_NOTHING = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""


class KeyringRefresher:
    """Follows between ``start`` and ``aclose``. ``failing`` says why keys may be out of date."""

    def __init__(self, keyring: Keyring, repository: IdentityRepository, *, period_s: float) -> None:
        self._keyring = keyring
        self._repository = repository
        self._known = _NOTHING
        """The version that the ring has; `_NOTHING` from when all keys must be read until they have been."""
        self._turn = asyncio.Lock()
        self._follower = Follower("keys", self.refresh, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        """Read the keys; from now on follow their changes. Raises when they cannot be read now: a gateway that does not
        know its keys must not begin to serve."""
        await self._follower.start()

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:  # of two threads the one with the older rows might write last
            await asyncio.to_thread(self._load)

    async def aclose(self) -> None:
        await self._follower.aclose()

    def _load(self) -> None:
        """In a thread: read what has changed. What is written meanwhile has a higher version, for the next turn."""
        version, known = self._repository.version(), self._known
        if version != known and not (0 < known < version < known + _LEAP and self._update(known, version)):
            self._known = _NOTHING
            batches = self._repository.every_key()
            first = next(batches, None)
            if self._keyring.count and not first:  # none is ever deleted, and an empty ring would be an open door
                raise StoreUnavailable(
                    "the database has lost its keys; restore it, or restart the gateway without them"
                )
            keys = chain(first or (), chain.from_iterable(batches))
            self._keyring.replace(keys, self._repository.tenants())
        self._known = version

    def _update(self, known: int, version: int) -> bool:
        """Whether the rows written since ``known`` tell all that has changed."""
        changes = self._repository.changes(known)
        if changes.newest < version:
            return False
        self._keyring.update(changes.keys, changes.tenants)
        return True
