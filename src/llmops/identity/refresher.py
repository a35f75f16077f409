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
import logging
import time
from contextlib import suppress
from itertools import chain

from ..errors import LLMOpsError, StoreUnavailable
from .keyring import Keyring
from .repository import IdentityRepository

_log = logging.getLogger(__name__)
_NOTHING = -1
_LEAP = 2**32
"""More than any database is written to between two looks."""


class KeyringRefresher:
    """Owns one task between ``start`` and ``aclose``. ``failing`` says why keys may be out of date."""

    def __init__(self, keyring: Keyring, repository: IdentityRepository, *, period_s: float) -> None:
        self.failing: str | None = None
        self._keyring = keyring
        self._repository = repository
        self._period_s = period_s
        self._known = _NOTHING
        """The version that the ring has; `_NOTHING` from when all keys must be read until they have been."""
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys; from now on follow their changes. Raises when they cannot be read now: a gateway that does not
        know its keys must not begin to serve."""
        await self.refresh()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        async with self._turn:  # of two threads the one with the older rows might write last
            await asyncio.to_thread(self._load)

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
                await self.refresh()
            except LLMOpsError as exc:
                self._fails(exc.message)
            except Exception as exc:  # noqa: BLE001 - a border: a revocation must never go unnoticed for good
                self._fails(f"{type(exc).__name__}: {exc}", cause=exc)
                pause_s = max(pause_s, time.monotonic() - begun_s)  # reading a million in vain, again and again
            else:
                if self.failing is not None:
                    _log.info("keys are refreshed again")
                self.failing = None

    def _fails(self, reason: str, *, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error("keys cannot be refreshed, the last known ones stay in force: %s", reason, exc_info=cause)
        self.failing = reason

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
