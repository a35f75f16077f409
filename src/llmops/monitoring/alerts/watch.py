"""The service of alerts: looks at the rules every so often, and has letters delivered.

With several processes each tells what it sees of itself; the one that holds the lease judges, and each delivers
letters, every letter by one. All state is the database's: after a restart it goes on where it was. Without a database
file there is nothing to judge yet, and none is made.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from ...alert_settings import AlertSettings
from ...clock import Clock
from ...errors import LLMOpsError
from ...store.database import Database
from .alert import Reading
from .announcing import Addressee, Announcer
from .courier import Courier
from .judgement import judge
from .letter import write_letter
from .repository.signals import SignalRepository
from .repository.state import AlertRepository
from .seeing import Seeing
from .signals import Watcher
from .silence import Silence
from .sources import Sources

_log = logging.getLogger(__name__)
_LEAST_LEASE_S = 15.0
_MOST_DELIVERY_PAUSE_S = 5.0
_FORGET_S = 3600.0
_STALE_S = 60.0


class AlertWatch:
    """Owns its tasks between ``start`` and ``aclose``. ``settings`` are asked for at each round, so a reload counts."""

    def __init__(
        self,
        database: Database,
        settings: Callable[[], AlertSettings],
        sources: Sources,
        watcher: Watcher,
        clock: Clock,
        *,
        name: str | None = None,
    ) -> None:
        self.process = name or secrets.token_hex(8)
        self.failing: str | None = None
        self.left_out = 0
        self._settings = settings
        self._watcher = watcher
        self._clock = clock
        self._seeing = Seeing(sources)
        self._alerts = AlertRepository(database)
        self._signals = SignalRepository(database)
        self._courier = Courier(database, settings, clock)
        self._blind: dict[str, str] = {}
        self._forgotten_s = 0.0
        self._held = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._judge_on()), loop.create_task(self._deliver_on())]

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._held:
            with suppress(LLMOpsError):
                await asyncio.to_thread(self._alerts.give_up_lease, self.process)

    def problems(self) -> list[str]:
        """What the operator should know."""
        if not self._settings().enabled:
            return []
        found = [f"alerts are not judged: {self.failing}"] if self.failing is not None else []
        found += [f"the alert rule {name!r} cannot be judged: {reason}" for name, reason in self._blind.items()]
        if self.left_out:
            found.append(f"{self.left_out} alerts are not kept: their rules tell too many things apart")
        return found + self._courier.problems()

    def round(self) -> None:
        """One look at all rules; blocks. Raises `StoreUnavailable`."""
        settings, now_s = self._settings(), self._clock.now_s()
        if not settings.enabled or not self._alerts.exists:
            return
        windows = [rule.window_seconds for rule in settings.rules if rule.kind == "drops"]
        self._signals.tell(self.process, self._watcher.look(now_s, max(windows, default=0.0)), now_s)
        self._held = self._alerts.is_turn(self.process, now_s)
        if not self._held:
            self._blind, self.left_out = {}, 0
            return
        readings = self._read(settings, now_s)
        lease_s = max(_LEAST_LEASE_S, 3 * settings.interval_seconds)
        with self._alerts.round(self.process, now_s, lease_s) as turn:
            self._held = turn is not None
            if turn is None:
                return
            before = turn.known()
            found = judge(settings.rules, readings, before.values(), now_s)
            announcer = _announcer(settings, turn.silences(now_s))
            told, notices = announcer.announce(found.alerts, now_s)
            turn.keep(before, told, found.forgotten)
            turn.note(found.events)
            letters: dict[str, tuple[str, str]] = {}
            for receiver in dict.fromkeys(notice.receiver for notice in notices):
                mine = [notice for notice in notices if notice.receiver == receiver]
                letter_id = secrets.token_hex(16)
                letter = write_letter(letter_id, receiver, mine, settings.rules, link=settings.link, now_s=now_s)
                letters[letter_id] = receiver, msgspec.json.encode(letter).decode()
            turn.write_letters(letters, now_s, settings.max_waiting)
        self.left_out = found.left_out
        if letters:
            self._courier.soon()
        self._forget(settings, now_s)

    async def deliver(self) -> None:
        """Deliver what is due now."""
        await self._courier.round()

    def _read(self, settings: AlertSettings, now_s: float) -> Mapping[str, list[Reading]]:
        fresh_s = max(_STALE_S, 3 * settings.interval_seconds)
        signals = [
            signals if now_s - at_s <= fresh_s else msgspec.structs.replace(signals, breakers={})
            for at_s, signals in self._signals.all()
        ]
        readings = {}
        blind = {}
        for rule in settings.rules:
            try:
                readings[rule.name] = self._seeing.see(rule, signals, now_s)
            except Exception as exc:  # noqa: BLE001 - a border: one rule that fails must not end all others
                reason = exc.message if isinstance(exc, LLMOpsError) else f"{type(exc).__name__}: {exc}"
                if rule.name not in self._blind:
                    _log.error("the alert rule %r cannot be judged: %s", rule.name, reason, exc_info=exc)
                blind[rule.name] = reason
        self._blind = blind
        return readings

    def _forget(self, settings: AlertSettings, now_s: float) -> None:
        if now_s - self._forgotten_s < _FORGET_S:
            return
        self._forgotten_s = now_s
        self._alerts.forget(now_s - settings.history_days * 86_400)
        windows = [rule.window_seconds for rule in settings.rules]
        self._signals.forget(now_s - max([_FORGET_S, *windows]))

    async def _judge_on(self) -> None:
        while True:
            await asyncio.sleep(self._settings().interval_seconds)
            try:
                await asyncio.to_thread(self.round)
            except LLMOpsError as exc:
                self._fails(exc.message)
            except Exception as exc:  # noqa: BLE001 - a border: alerts must not end because one round has
                self._fails(f"{type(exc).__name__}: {exc}", exc)
            else:
                if self.failing is not None:
                    _log.warning("alerts are judged again")
                self.failing = None

    def _fails(self, reason: str, cause: Exception | None = None) -> None:
        if self.failing is None:
            _log.error("alerts cannot be judged: %s", reason, exc_info=cause)
        self.failing = reason

    async def _deliver_on(self) -> None:
        while True:
            await self._courier.wait(min(_MOST_DELIVERY_PAUSE_S, self._settings().interval_seconds))
            await self._courier.safe_round()


def _announcer(settings: AlertSettings, silences: list[Silence]) -> Announcer:
    return Announcer(
        addressees={
            each.name: Addressee(name=each.name, tenant=each.tenant, send_resolved=each.send_resolved)
            for each in settings.receivers
        },
        notify={rule.name: rule.notify for rule in settings.rules},
        silences=silences,
        repeat_s=settings.repeat_seconds,
    )
