"""The usher lets calls out of the waiting room: the thin shell of asyncio around `WaitingRoom`.

It stands between the ledger and the counters, so it hears of everything that is given back. A call that leaves the room
is entered in the ledger in the same step, so there is no moment in which it could be cancelled and its place be lost.
There is one timer, and none while nobody waits. Where counters answer later (Redis) a lane asks for one call at a
time, and looks every 50 ms for concurrent places, since other processes free them too. Order and turns are kept within
one process; processes that share a Redis compete.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from math import inf
from typing import Protocol

from ..clock import Clock
from ..errors import Draining, LimitReached, LLMOpsError, StoreUnavailable
from ..store.counters.counters import Hold, Refused
from ..store.counters.meter import Amounts, Concurrency, Meter, Quota, Rate, wait_s
from .estimate import Estimate
from .refusal import refusal
from .refusals import Refusals
from .waiting_room import Waiter, WaitingRoom

_POLL_S = 0.05
_LEAST_S = 0.001
_PER_LANE_S = 0.000_01
"""Pause between two looks at the room, for each lane: a look takes less than a tenth of that."""
_FULL = "; the queue for it is full"


class QueueBounds(Protocol):
    """How long calls may wait (0: there is no queue), and how many."""

    @property
    def max_wait_seconds(self) -> float: ...
    @property
    def max_waiting(self) -> int: ...


class Counted(Protocol):
    """The counters, in this process or elsewhere."""

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]: ...
    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None: ...
    def used(self, meters: Sequence[Quota]) -> list[int] | Awaitable[list[int]]: ...


class Ticket(Waiter, kw_only=True, eq=False):
    """A call in the room. ``ask`` waits for counters that answer later, ``enter`` puts it into the ledger."""

    request_id: str
    needs: Sequence[Meter]
    amounts: Amounts
    estimate: Estimate
    ask: Callable[[Awaitable[Hold | Refused]], Awaitable[Hold | Refused]]
    enter: Callable[[Hold], None]
    outcome: "asyncio.Future[None] | None" = None

    @property
    def is_over(self) -> bool:
        """Whether its outcome is known, or nobody waits for it any more."""
        return self.outcome is None or self.outcome.done()


class Usher:
    """Belongs to one event loop. Also a pair of counters, for whoever settles."""

    def __init__(
        self, counters: Counted, clock: Clock, queue: QueueBounds | None = None, refusals: Refusals | None = None
    ) -> None:
        self._counters = counters
        self._clock = clock
        self._refusals = refusals
        self._room: WaitingRoom[Ticket] = WaitingRoom(0.0, 1)
        self._elsewhere = False
        self._asking: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = inf
        if queue is not None:
            self.bound(queue)

    def bound(self, queue: QueueBounds) -> None:
        """Take other bounds, also for those who wait already."""
        self._room.max_wait_s, self._room.max_waiting = queue.max_wait_seconds, queue.max_waiting
        self._look_soon()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._room)

    def bars(self, tenant: str, meters: Sequence[Meter]) -> bool:
        """Whether a new call has to wait without being tried, since it would overtake others."""
        return self._room.bars(tenant, meters)

    def takes(self, refused: Refused) -> bool:
        """Whether a call that was refused may wait: for a rate or a concurrent place, and not in vain."""
        return self._may_wait(refused, self._room.max_wait_s)

    # --- the counters, as the ledger sees them ---

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]:
        return self._counters.reserve(request_id, meters, amounts)

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Settle, and see whether that lets somebody in."""
        self._counters.settle(hold, tokens, nanousd)
        if len(self._room) and self._room.free(hold.meters):
            self._look_soon()

    # --- waiting ---

    async def wait(self, ticket: Ticket, refused: Refused | None = None, *, elsewhere: bool = False) -> None:
        """Return when the call is let in; raise what refuses it. ``refused`` None: it was barred and not tried;
        ``elsewhere``: by counters that other processes share."""
        self._elsewhere = self._elsewhere or elsewhere
        if refused is None:
            await self._check(ticket)
        now_s = self._clock.monotonic_s()
        ticket.outcome = asyncio.get_running_loop().create_future()
        retry_s = self._retry_s(refused, now_s) if refused is not None else inf
        for gone in self._room.enter(ticket, now_s, refused, retry_s):
            self._turn_away(gone, now_s, _FULL)
        self._look_soon()
        try:
            await ticket.outcome
        finally:
            if self._room.leave(ticket):  # cancelled: its client has left
                self._look_soon()
            elif not ticket.outcome.cancelled():
                ticket.outcome.exception()  # cancelled as well, after the outcome: nobody else will look at it

    async def aclose(self) -> None:
        """Turn everybody away: the process ends. When this returns they have been told."""
        for ticket in self._room.waiters:
            self._end(ticket, Draining("the gateway is shutting down; try again"))
        for task in self._asking:
            task.cancel()
        self._stop_looking()
        await asyncio.sleep(0)

    async def _check(self, ticket: Ticket) -> None:
        """Raise what waiting would not change: the call is too large for a rate, or over a quota or budget."""
        now_s, amounts, quotas = self._clock.now_s(), ticket.amounts, []
        for meter in ticket.needs:
            if meter.shadow:
                continue
            if isinstance(meter, Rate) and amounts[meter.unit] > meter.burst:
                known = self._room.claim(meter.name)
                refused = Refused(meter=meter, reading=known.reading if known is not None else 0, wait_s=None)
                raise self._refuse(ticket, refused, now_s)
            if isinstance(meter, Quota) and meter.hard:
                quotas.append(meter)
        if not quotas:
            return
        try:
            answer = self._counters.used(quotas)
            used = await answer if isawaitable(answer) else answer
        except StoreUnavailable:
            return  # whoever decides without the store decides when the call's turn comes
        for quota, use in zip(quotas, used, strict=True):
            if use + amounts[quota.unit] > quota.limit:
                waits = wait_s(quota, use, amounts, now_s)
                raise self._refuse(ticket, Refused(meter=quota, reading=use, wait_s=waits), now_s)

    # --- letting in ---

    def _look(self) -> None:
        """Let in whoever fits, turn away who has waited too long, and see when to look again."""
        self._timer, self._timer_s = None, inf
        now_s = self._clock.monotonic_s()
        for ticket in self._room.turns(now_s):
            self._try(ticket)
        for ticket in self._room.overdue(now_s):
            self._room.leave(ticket)
            self._turn_away(ticket, now_s, f"; the call waited {now_s - ticket.since_s:.3g} s for it")
        self._look_at(max(self._room.wake_s(), now_s + self._pause_s()))

    def _look_soon(self) -> None:
        if len(self._room):
            self._look_at(self._clock.monotonic_s() + self._pause_s())
        else:
            self._stop_looking()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_s = None, inf

    def _look_at(self, at_s: float) -> None:
        if at_s >= self._timer_s:
            return
        self._stop_looking()
        pause_s = at_s - self._clock.monotonic_s()
        self._timer_s = at_s
        self._timer = asyncio.get_running_loop().call_later(pause_s if pause_s >= _LEAST_S else 0, self._look)

    def _pause_s(self) -> float:
        return self._room.lanes * _PER_LANE_S

    def _try(self, ticket: Ticket) -> None:
        if ticket.is_over:  # cancelled a moment ago
            self._room.leave(ticket)
            return
        try:
            verdict = self._counters.reserve(ticket.request_id, ticket.needs, ticket.amounts)
        except Exception as exc:  # noqa: BLE001 - a border: it is raised where the call waits
            self._end(ticket, exc)
            return
        if isinstance(verdict, Hold | Refused):
            self._decide(ticket, verdict)
            return
        self._elsewhere = True
        self._room.ask(ticket)
        task = asyncio.get_running_loop().create_task(self._decide_later(ticket, verdict))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _decide_later(self, ticket: Ticket, verdict: Awaitable[Hold | Refused]) -> None:
        try:
            self._decide(ticket, await ticket.ask(verdict))
        except Exception as exc:  # noqa: BLE001 - a border: it is raised where the call waits
            self._end(ticket, exc)
        self._look_soon()

    def _decide(self, ticket: Ticket, verdict: Hold | Refused) -> None:
        if isinstance(verdict, Hold):
            if ticket.is_over:  # turned away or cancelled while Redis was asked
                self._room.leave(ticket)
                self.settle(verdict, 0, 0)
                return
            self._room.admit(ticket)
            try:
                ticket.enter(verdict)
            except Exception as exc:  # noqa: BLE001 - a border: it is raised where the call waits
                self._end(ticket, exc)
            else:
                self._end(ticket, None)
            return
        if ticket.is_over:
            self._room.leave(ticket)
            return
        now_s = self._clock.monotonic_s()
        if self._may_wait(verdict, ticket.since_s + self._room.max_wait_s - now_s):
            self._room.refuse(ticket, verdict, self._retry_s(verdict, now_s), now_s)
        else:
            self._end(ticket, self._refuse(ticket, verdict, self._clock.now_s()))

    def _may_wait(self, refused: Refused, patience_s: float) -> bool:
        if patience_s <= 0 or isinstance(refused.meter, Quota):
            return False
        return isinstance(refused.meter, Concurrency) or (refused.wait_s is not None and refused.wait_s <= patience_s)

    def _retry_s(self, refused: Refused, now_s: float) -> float:
        if refused.wait_s is not None:
            return now_s + refused.wait_s
        return now_s + _POLL_S if self._elsewhere else inf  # in this process a free place is heard of

    # --- outcomes ---

    def _end(self, ticket: Ticket, error: Exception | None) -> None:
        self._room.leave(ticket)
        if ticket.outcome is None or ticket.outcome.done():
            return
        if error is None:
            ticket.outcome.set_result(None)
        else:
            ticket.outcome.set_exception(error)

    def _turn_away(self, ticket: Ticket, now_s: float, why: str) -> None:
        """Refuse a call that has left the room without having been let in."""
        if ticket.is_over:  # its client left a moment ago
            self._room.leave(ticket)
        else:
            self._end(ticket, self._refusal(ticket, now_s, why))

    def _refuse(self, ticket: Ticket, refused: Refused, now_s: float, why: str = "") -> LLMOpsError:
        if self._refusals is not None:
            self._refusals.count(refused.meter, ticket.tenant)
        return refusal(refused, ticket.estimate, now_s, why)

    def _refusal(self, ticket: Ticket, now_s: float, why: str) -> LLMOpsError:
        """In the words of the limit that holds up its lane, and with the wait of its own that is left by now."""
        if ticket.last is None:
            if self._refusals is not None:
                self._refusals.count(None, ticket.tenant)
            return LimitReached(f"too many calls wait for the limits of this one{why}; try again", retry_after_s=1.0)
        refused, at_s = ticket.last
        waits = wait_s(refused.meter, refused.reading, ticket.amounts, self._clock.now_s())
        waits = max(0.0, waits - (now_s - at_s)) if waits is not None else None
        known = Refused(meter=refused.meter, reading=refused.reading, wait_s=waits)
        return self._refuse(ticket, known, self._clock.now_s(), why)
