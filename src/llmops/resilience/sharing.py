"""Breakers that several processes share: what one has learnt of a deployment, all know within about a second.

Each posts on a board what its breakers know and the board does not, a tenth of a second after it has happened, and
merges what others post, about once a second (`breaker_state.join`: order and repetition do not matter). What was heard
is not posted again, so a change is written once and not by everybody. Knows deployments by name and fingerprint: those
that only others have are none of its business.

No call ever waits for the board. While it is away each process judges by itself and keeps what it knows; when it is
back, or has come back empty, everybody posts and reads again, and they agree. What makes no sense, or would be of a
wrong clock, is ignored and counted.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from ..errors import StoreUnavailable
from .breaker_state import BreakerState, join
from .candidate import Candidate
from .epoch import Epoch, decode, encode, says_nothing
from .fleet import Fleet

_log = logging.getLogger(__name__)
_LOOK_S = 0.1
_EXCHANGE_S = 1.0
_RETRY_S = 0.5
_COMPLAIN_S = 600.0


class News(Protocol):
    """What the board answers: its time, whether it has forgotten all that was posted before, how much on it was no note
    at all, and what others have posted since the last time."""

    @property
    def now_s(self) -> float: ...
    @property
    def renewed(self) -> bool: ...
    @property
    def spoilt(self) -> int: ...
    @property
    def posted(self) -> Sequence[tuple[str, bytes]]: ...


class Board(Protocol):
    """Where processes leave notes for each other."""

    async def exchange(self, notes: dict[str, bytes]) -> News:
        """Post notes by identity and hear what is new, at once. `StoreUnavailable` without it."""
        ...

    def reread(self) -> None:
        """Hear everything next time."""
        ...

    async def aclose(self) -> None: ...


class Sharing:
    """Owns one task between ``start`` and ``aclose``, and follows the fleet's reloads."""

    def __init__(self, fleet: Fleet, board: Board, monotonic_s: Callable[[], float]) -> None:
        self.lost: str | None = "not connected yet"
        self.ignored = 0
        """Notes that made no sense."""
        self._fleet = fleet
        self._board = board
        self._now_s = monotonic_s
        self._epoch = Epoch()
        self._lanes: object = None
        self._candidates: dict[str, Candidate] = {}
        self._on_board: dict[str, BreakerState] = {}
        """What everybody can read there, joined; turned outward."""
        self._changes = -1
        self._ignored_at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over what others know, if the board is there, and go on from now. Does not fail without it."""
        await self._try()
        if self.lost is not None:
            _log.error("breakers are not shared: %s; each process judges by itself", self.lost)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop. What was posted stays for the others."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._fleet.shared = False
        await self._board.aclose()

    def problems(self) -> list[str]:
        """What does not work as it should, in words."""
        found = []
        if self.lost is not None:
            found.append(f"breakers are not shared, each process judges by itself: {self.lost}")
        if self.ignored and self._now_s() < self._ignored_at_s + _COMPLAIN_S:
            found.append(
                f"{self.ignored} notes on shared breakers made no sense and were ignored; is something else writing "
                "there, or do the gateways' settings differ?"
            )
        return found

    async def exchange(self) -> bool:
        """Post what the board does not know, and take over what is new there. Whether there is more to post."""
        self._follow_reload()
        states = self._unknown_there()
        begun_s = self._now_s()
        try:
            news = await self._board.exchange({identity: encode(state) for identity, state in states.items()})
        except StoreUnavailable as exc:
            self._lose(exc.message)
            return False
        self._find()
        moved_s = self._epoch.measure(news.now_s, (begun_s + self._now_s()) / 2)
        if news.renewed or moved_s:
            self._on_board.clear()
        if moved_s > 0:
            for candidate in self._candidates.values():
                candidate.breaker.age(moved_s)
        for identity, state in states.items():
            self._know(identity, state)
        if news.spoilt:
            self._ignore(news.spoilt, "no notes at all")
        for identity, note in news.posted:
            self._hear(identity, note)
        return bool(self._unknown_there())

    # --- its task ---

    async def _run(self) -> None:
        pause_s = 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            pause_s -= _LOOK_S
            if pause_s > 0 and (self.lost is not None or not self._has_changed()):
                continue
            more = await self._try()
            pause_s = 0.0 if more else _RETRY_S if self.lost is not None else _EXCHANGE_S

    async def _try(self) -> bool:
        try:
            return await self.exchange()
        except Exception as exc:  # noqa: BLE001 - a border: without this task breakers would be alone for good
            _log.error("an exchange of breakers failed", exc_info=exc)
            self._lose(f"{type(exc).__name__}: {exc}")
            return False

    def _has_changed(self) -> bool:
        """Whether something was learnt here that others should hear of."""
        if self._lanes is not self._fleet.lanes:
            return True
        changes = sum(candidate.breaker.changes for candidate in self._candidates.values())
        if changes == self._changes:
            return False
        self._changes = changes
        return bool(self._unknown_there())

    # --- its parts ---

    def _follow_reload(self) -> None:
        if self._lanes is not self._fleet.lanes:
            self._lanes, self._candidates = self._fleet.lanes, self._fleet.by_identity()
            self._on_board = {each: state for each, state in self._on_board.items() if each in self._candidates}
            self._board.reread()

    def _unknown_there(self) -> dict[str, BreakerState]:
        """What the breakers know and the board does not. Nothing, before the board has told the time."""
        found: dict[str, BreakerState] = {}
        if not self._epoch.is_known:
            return found
        for identity, candidate in self._candidates.items():
            state = candidate.breaker.state
            if says_nothing(state):
                continue
            state = self._epoch.outward(state)
            known = self._on_board.get(identity)
            if known is None or join(known, state) != known:
                found[identity] = state
        return found

    def _know(self, identity: str, state: BreakerState) -> None:
        known = self._on_board.get(identity)
        self._on_board[identity] = state if known is None else join(known, state)

    def _hear(self, identity: str, note: bytes) -> None:
        candidate = self._candidates.get(identity)
        if candidate is None:
            return
        try:
            told = decode(note)
        except ValueError as exc:
            self._ignore(1, f"on {identity!r}: {exc}")
            return
        change = candidate.breaker.merge(self._epoch.inward(told), self._now_s())
        if change is not None:
            candidate.note(change)
        now_known = self._epoch.outward(candidate.breaker.state)
        if join(now_known, told) == now_known:
            self._know(identity, told)
        else:
            self._ignore(1, f"on {identity!r}: its times are of a wrong clock, or longer than the settings here allow")

    def _ignore(self, count: int, why: str) -> None:
        if not self.ignored:
            _log.warning("notes of other processes on breakers make no sense and are ignored: %s", why)
        self.ignored += count
        self._ignored_at_s = self._now_s()

    def _lose(self, why: str) -> None:
        if self.lost is None:
            _log.error("breakers are not shared any more: %s; each process judges by itself", why)
        self.lost, self._fleet.shared = why, False

    def _find(self) -> None:
        if self.lost is not None:
            _log.info("breakers are shared")
        self.lost, self._fleet.shared = None, True
