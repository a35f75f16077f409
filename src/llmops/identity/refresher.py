"""Keeping a keyring up to date: the database's version counter is looked at often, the keys are read when it moved.

A database that does not answer, or has lost its keys, leaves the ring as it is: calls go on under the keys that were
known last.
"""

import asyncio
import logging
from contextlib import suppress

from ..errors import LLMOpsError, StoreUnavailable
from .keyring import Keyring
from .repository import IdentityRepository

_log = logging.getLogger(__name__)


class KeyringRefresher:
    """Owns one task between ``start`` and ``aclose``. ``failing`` says why keys may be out of date."""

    def __init__(self, keyring: Keyring, repository: IdentityRepository, *, period_s: float) -> None:
        self.failing: str | None = None
        self._keyring = keyring
        self._repository = repository
        self._period_s = period_s
        self._version = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys; from now on follow their changes. Raises when they cannot be read now: a gateway that does not
        know its keys must not begin to serve."""
        self._version = await asyncio.to_thread(self._load, -1)
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def refresh(self) -> None:
        """Look now instead of at the next turn."""
        self._version = await asyncio.to_thread(self._load, self._version)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            try:
                await self.refresh()
            except LLMOpsError as exc:
                self._fails(exc.message)
            except Exception as exc:  # noqa: BLE001 - a border: a revocation must never go unnoticed for good
                self._fails(f"{type(exc).__name__}: {exc}", cause=exc)
            else:
                if self.failing is not None:
                    _log.info("keys are refreshed again")
                self.failing = None

    def _fails(self, reason: str, *, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error("keys cannot be refreshed, the last known ones stay in force: %s", reason, exc_info=cause)
        self.failing = reason

    def _load(self, known: int) -> int:
        """In a thread: read everything when the version is another than ``known``; the version now."""
        version = self._repository.version()
        if version != known:
            keys = self._repository.keys()
            if self._keyring.count and not keys:  # none is ever deleted, and an empty ring would be an open door
                raise StoreUnavailable(
                    "the database has lost its keys; restore it, or restart the gateway without them"
                )
            self._keyring.replace(keys, self._repository.tenants())
        return version
