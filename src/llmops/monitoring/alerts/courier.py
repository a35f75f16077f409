"""Delivering letters: each is taken up by one process, tried again with growing pauses, and given up when it is too
old.

What the receiver will never take is given up at once. Nothing is lost without a trace: what waits, what fails and what
has been given up is counted by receiver, shown in ``/health`` and at ``/api/alerts/receivers``.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from ...alert_settings import AlertSettings
from ...clock import Clock
from ...errors import LLMOpsError
from ...store.database import Database
from .receivers.backoff import next_wait_s
from .receivers.opening import open_receivers
from .receivers.receiver import DeliveryFailed, Receiver
from .repository.letters import LetterRepository, Post, Taken

_log = logging.getLogger(__name__)
_MOST_AT_ONCE = 20
_HOLD_S = 90.0
"""How long a letter is one process's: longer than any delivery may take."""


class Courier:
    """Belongs to one event loop."""

    def __init__(
        self,
        database: Database,
        settings: Callable[[], AlertSettings],
        clock: Clock,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self.post: dict[str, Post] = {}
        self._letters = LetterRepository(database)
        self._settings = settings
        self._clock = clock
        self._luck = luck
        self._opened: tuple[AlertSettings, Mapping[str, Receiver]] | None = None
        self._failing: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def problems(self) -> list[str]:
        found = [f"alerts cannot be delivered: {self._failing}"] if self._failing is not None else []
        for name, post in sorted(self.post.items()):
            if post.failing:
                found.append(
                    f"{post.failing} messages to the receiver {name!r} cannot be delivered yet: {post.failure}"
                )
            if post.given_up:
                found.append(f"{post.given_up} messages to the receiver {name!r} were given up: {post.failure}")
        return found

    def soon(self) -> None:
        """There is a new letter; called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def wait(self, limit_s: float) -> None:
        """Until there is a new letter, or so long."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(self._wake.wait(), limit_s)
        except TimeoutError:
            pass
        self._wake.clear()

    async def safe_round(self) -> None:
        """`round` that raises nothing; what is wrong is among the `problems`."""
        try:
            await self.round()
        except LLMOpsError as exc:
            self._fails(exc.message)
        except Exception as exc:  # noqa: BLE001 - a border: deliveries go on
            self._fails(f"{type(exc).__name__}: {exc}", exc)
        else:
            self._failing = None

    async def round(self) -> None:
        """Deliver what is due. Raises `StoreUnavailable`, and `ConfigError` where receivers cannot be opened."""
        if not self._settings().enabled:
            return
        taken = await asyncio.to_thread(self._letters.take, self._clock.now_s(), _HOLD_S, _MOST_AT_ONCE)
        if taken:
            receivers = self._receivers()
            async with asyncio.TaskGroup() as group:
                for each in taken:
                    group.create_task(self._deliver(each, receivers))
        if taken or self.post:
            self.post = await asyncio.to_thread(self._letters.post)

    async def _deliver(self, taken: Taken, receivers: Mapping[str, Receiver]) -> None:
        letter = taken.letter
        receiver = receivers.get(letter.receiver)
        try:
            if receiver is None:
                raise DeliveryFailed("the configuration has no such receiver any more", permanent=True)
            await receiver.deliver(letter, self._clock.now_s())
        except DeliveryFailed as exc:
            await self._failed(taken, exc)
        except Exception as exc:  # noqa: BLE001 - a border: a defect with one letter must not hold up the others
            _log.exception("a message to the receiver %r failed", letter.receiver)
            await self._failed(taken, DeliveryFailed(type(exc).__name__))
        else:
            await asyncio.to_thread(self._letters.delivered, letter.id)

    async def _failed(self, taken: Taken, failure: DeliveryFailed) -> None:
        now_s, letter = self._clock.now_s(), taken.letter
        due_s = now_s + next_wait_s(taken.attempts, failure.wait_s, self._luck())
        too_old = due_s - taken.written_at_s > self._settings().retry_hours * 3600
        if failure.permanent or too_old:
            _log.error("a message to the receiver %r is given up: %s", letter.receiver, failure.reason)
            await asyncio.to_thread(self._letters.give_up, letter.id, failure.reason)
            return
        if taken.attempts == 1:
            _log.warning("a message to the receiver %r is tried again: %s", letter.receiver, failure.reason)
        await asyncio.to_thread(self._letters.put_off, letter.id, due_s, failure.reason)

    def _receivers(self) -> Mapping[str, Receiver]:
        settings = self._settings()
        if self._opened is None or self._opened[0] is not settings:
            self._opened = settings, open_receivers(settings)
        return self._opened[1]

    def _fails(self, reason: str, cause: Exception | None = None) -> None:
        if self._failing is None:
            _log.error("alerts cannot be delivered: %s", reason, exc_info=cause)
        self._failing = reason
