"""The life of a gateway process: start, configuration reloads, draining, stop.

Draining has two steps: from SIGTERM on ``/ready`` says 503 while calls are still taken, so that a load balancer can
turn away; then new calls are refused and those under way get the rest of the drain time. The server that runs the
application has its own handler for SIGTERM and SIGINT: it gets the signal after the drain, or at once the second time.
"""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from types import FrameType

from ..errors import ConfigError
from .process_memory import keep_one_arena, settle

_log = logging.getLogger(__name__)
_POLL_S = 0.05
ServerHandler = Callable[[int, FrameType | None], object]


class GatewayLifecycle:
    """Runs the hooks it is given. ``reload`` returns notes for the operator and raises `ConfigError` on a bad file."""

    def __init__(
        self,
        *,
        on_start: Callable[[], Awaitable[None]],
        on_stop: Callable[[], Awaitable[None]],
        reload: Callable[[], list[str]],
        in_flight: Callable[[], int],
        degradations: Callable[[], list[str]],
        drain_s: float,
        drain_delay_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.draining = False
        self.refusing = False
        self.config_generation = 1
        self.config_error: str | None = None
        self.config_read_at_s = now_s()
        """When the configuration was last read, accepted or not."""
        self._on_start = on_start
        self._on_stop = on_stop
        self._reload = reload
        self._in_flight = in_flight
        self._degradations = degradations
        self._drain_s = drain_s
        self._drain_delay_s = drain_delay_s
        self._now_s = now_s
        self._leaving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        keep_one_arena()
        await self._on_start()
        settle()
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
            self._drain_before_exit()

    def reload(self) -> None:
        """Take the configuration anew; a bad one is refused and the old one stays in force."""
        self.config_read_at_s = self._now_s()
        try:
            notes = self._reload()
        except ConfigError as exc:
            self.config_error = str(exc)
            _log.error("the new configuration is refused, the old one stays: %s", exc)
            return
        self.config_error = None
        self.config_generation += 1
        _log.info("configuration reloaded (generation %d)", self.config_generation)
        for note in notes:
            _log.warning("%s", note)

    def _drain_before_exit(self) -> None:
        """Put draining before what the server does on SIGTERM and SIGINT.

        Nothing where no server has a handler, or where it gave it to the event loop (granian does, and closes its
        port first): such a handler cannot be handed the signal later.
        """
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        on_term = handlers[signal.SIGTERM]
        if not callable(on_term) or on_term.__module__.startswith(("asyncio.", "uvloop.")):
            return
        for number, handler in handlers.items():
            if callable(handler):
                asyncio.get_running_loop().add_signal_handler(number, self._on_exit_signal, number, handler)

    def _on_exit_signal(self, number: signal.Signals, handler: ServerHandler) -> None:
        async def leave() -> None:
            await self.drain(self._drain_delay_s if number == signal.SIGTERM else 0.0)  # nobody balances a terminal
            handler(number, None)

        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(leave())
            return
        if not self._leaving.done():
            self._leaving.cancel()
            handler(number, None)  # what it would have got after the drain
        handler(number, None)

    async def drain(self, delay_s: float | None = None) -> None:
        """From the signal to the moment when nothing is under way or the drain time is over.

        New calls are taken for ``delay_s`` more seconds, by default as long as configured.
        """
        if self.draining:
            return
        self.draining = True
        _log.info("draining: %d calls under way", self._in_flight())
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._drain_s
        await asyncio.sleep(min(self._drain_delay_s if delay_s is None else delay_s, self._drain_s))
        self.refusing = True
        while self._in_flight() > 0 and loop.time() < deadline_s:  # noqa: ASYNC110 - the hot path sets no event
            await asyncio.sleep(_POLL_S)
        if left := self._in_flight():
            _log.warning("%d calls did not end within %g s and are cut", left, self._drain_s)

    async def stop(self) -> None:
        self.draining = self.refusing = True
        await self._on_stop()

    def degradations(self) -> list[str]:
        """What does not work as it should, in words; empty when all is well."""
        problems = self._degradations()
        if self.config_error is not None:
            problems.append("the last configuration was refused; the one before is in force")
        return problems
