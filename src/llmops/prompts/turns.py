"""Whose turn it is where something takes a thread for a while: few at once, and of one tenant fewer than that.

Whoever waits does so in the event loop and keeps no thread busy, so that a tenant whose templates are slow takes its
own time and not that of the others: one place at least is always free for them. Belongs to one event loop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from ..errors import Overloaded


class _Tenant(msgspec.Struct, eq=False):
    places: asyncio.Semaphore
    users: int = 0


class Turns:
    """``at_once`` in all, ``each`` of one tenant; who waits longer than ``wait_s`` is sent away, and so is who comes
    when ``waiting`` of the same tenant are there already."""

    def __init__(self, at_once: int = 3, each: int = 2, *, wait_s: float = 5.0, waiting: int = 200) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._each = each
        self._wait_s = wait_s
        self._most = each + waiting
        self._tenants: dict[str, _Tenant] = {}

    @asynccontextmanager
    async def take(self, tenant: str) -> AsyncIterator[None]:
        """`Overloaded` where it takes too long."""
        mine = self._tenants.setdefault(tenant, _Tenant(asyncio.Semaphore(self._each)))
        if mine.users >= self._most:
            raise _too_many()
        mine.users += 1
        try:
            try:
                async with asyncio.timeout(self._wait_s) as patience, mine.places, self._places:
                    patience.reschedule(None)  # it is our turn
                    yield
            except TimeoutError:
                raise _too_many() from None
        finally:
            mine.users -= 1
            if not mine.users:
                self._tenants.pop(tenant, None)


def _too_many() -> Overloaded:
    return Overloaded("too many Jinja templates of this tenant are being rendered; try again", retry_after_s=1)
