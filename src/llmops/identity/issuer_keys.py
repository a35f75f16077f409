"""One issuer's keys, kept up to date: read at the start, then periodically, and when a token names an unknown one.

Strangers can name unknown keys as often as they like, so these readings are rationed: one in `MIN_INTERVAL_S`, however
many tokens ask. Nobody waits for one: the token that asked is refused at once, and may come again. An issuer publishes
a new key before it signs with it, so that this is the exception, and a stranger cannot keep calls waiting.

A source that fails leaves the last good keys in force; ``failing`` says why they may be out of date.
"""

import asyncio
import logging
from contextlib import suppress

from ..clock import Clock
from ..jwt_settings import JwtIssuerSettings
from .jwks import KeySet, UnusableKeys
from .jwks_source import read_file, read_keys

MIN_INTERVAL_S = 30.0
_log = logging.getLogger(__name__)


class IssuerKeys:
    """Owns one task between ``start`` and ``aclose``. ``current`` is another object when the keys have changed."""

    def __init__(self, issuer: JwtIssuerSettings, clock: Clock) -> None:
        self.issuer = issuer
        self.current = KeySet()
        self.failing: str | None = None
        self._clock = clock
        self._raw: bytes | None = None
        self._begun_s: float | None = None
        self._asked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def load_file(self) -> None:
        """Read an issuer's file, if that is where its keys are, and raise `UnusableKeys` when it is of no use: an
        address may be down for a while, a file is a mistake in the configuration."""
        if self.issuer.jwks_url is None:
            self._take(*read_file(self.issuer))

    async def start(self) -> None:
        """Read the keys, or note that they cannot be read; from now on follow their changes."""
        self._loop = asyncio.get_running_loop()
        await self.refresh()
        self._task = self._loop.create_task(self._follow())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def ask(self) -> None:
        """A token names a key that is not known: read the keys soon, unless that was done a moment ago. May be called
        from any thread."""
        if self._is_due() and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._is_due():  # many may have asked before the first reading began
            self._asked.set()

    def _is_due(self) -> bool:
        return self._begun_s is None or self._clock.monotonic_s() >= self._begun_s + MIN_INTERVAL_S

    async def refresh(self) -> None:
        """Read the keys now; never raises."""
        self._begun_s = self._clock.monotonic_s()
        try:
            raw, keys = await read_keys(self.issuer)
        except UnusableKeys as exc:
            self._fails(exc.message)
        except Exception as exc:  # noqa: BLE001 - a border: following an issuer's keys must never end
            self._fails(f"{type(exc).__name__}: {exc}", cause=exc)
        else:
            self._take(raw, keys)
            if self.failing is not None:
                _log.info("the keys of the token issuer %s are read again", self.issuer.name)
            self.failing = None

    async def _follow(self) -> None:
        while True:
            wait_s = self.issuer.refresh_seconds if self.failing is None else MIN_INTERVAL_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
            self._asked.clear()
            await self.refresh()

    def _take(self, raw: bytes, keys: KeySet) -> None:
        if raw != self._raw:
            self._raw, self.current = raw, keys

    def _fails(self, reason: str, *, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error(
                "the keys of the token issuer %s cannot be read, %s: %s",
                self.issuer.name,
                "the last known ones stay in force" if self.current.count else "so its tokens are refused",
                reason,
                exc_info=cause,
            )
        self.failing = reason
