"""Counters that many processes share, in Redis: the same meaning as `LocalCounters`, one round trip for each call.

Whatever calls want in one turn of the event loop, or while an exchange is under way, goes to Redis together, and
settlements ride along (`redis_exchange`). Each operation is atomic there (``counters.lua``). A reservation is kept in
Redis by its request id until it is settled, so a settlement counts once however often it is sent, and a process may
settle the calls of another that died (`settle_by_id`).

While Redis is lost calls take this process's share of the limits (`fallback`). A Redis that came back without its
memory is told the ledger's (``on_empty``) before a hard budget is trusted to it again.

Not covered: Redis Cluster, and a Redis that evicts keys under memory pressure.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from ...errors import StoreUnavailable
from ...redis_settings import RedisSettings
from .counters import Hold, Refused
from .fallback import LocalShare, Unpushed, hard_budget_of, unavailable
from .meter import Amounts, Meter, Quota
from .redis_exchange import Asked, Exchange
from .redis_link import RedisLink
from .redis_wire import Answer, Do, Op, Plans, asking, failure, raising, reserving, settling, verdict

_log = logging.getLogger(__name__)
_RAISED_TOGETHER = 200
_SEED_AGAIN_S = 1.0
_ALL_TIME = (0, 0, 0, 0)


class RedisCounters:
    """Belongs to one event loop, between ``start`` and ``aclose``; before and after, calls take the local share.

    ``lease_s`` is the longest time that a call may take, with some reserve: then its place among concurrent calls is
    free even if nobody settles it. ``processes`` is how many there are at least, until Redis has told. ``on_empty`` is
    called when Redis does not hold what the ledger knows; it calls `raise_to` with that, and raises where it cannot.
    ``simulated_us`` replaces Redis' clock, for simulations.
    """

    def __init__(
        self,
        settings: RedisSettings,
        *,
        lease_s: float,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
        processes: int = 1,
        on_empty: Callable[[], Awaitable[None]] | None = None,
        simulated_us: Callable[[], int] | None = None,
    ) -> None:
        self.on_empty = on_empty
        self.lost_times = 0
        self._settings = settings
        self._closed_budgets = settings.budgets_on_loss == "closed"
        self._plans = Plans()
        self._share = LocalShare(
            now_s, monotonic_s, limits_on_loss=settings.limits_on_loss, budgets_on_loss=settings.budgets_on_loss
        )
        self._exchange = Exchange(RedisLink(settings, lease_s, simulated_us), self, monotonic_s, processes)
        self._empty = False
        self._seed_failing: str | None = None
        self._seeding: asyncio.Task[None] | None = None
        self._closing = False

    # --- what calls need ---

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]:
        """Take ``amounts`` from all meters, or from none. `StoreUnavailable` where Redis is lost and a meter is not to
        be passed without."""
        if not meters:
            return Hold(request_id=request_id, meters=meters, amounts=amounts, windows=_ALL_TIME)
        if self._exchange.lost is not None:
            return self._share.reserve(request_id, meters, amounts)
        return self._reserve_there(request_id, meters, amounts)

    async def _reserve_there(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        if self._exchange.lost is not None:  # since the call was made
            return self._share.reserve(request_id, meters, amounts)
        plan = self._plans.find(meters)
        future: asyncio.Future[Hold | Refused] = asyncio.get_running_loop().create_future()
        needs_marker = plan.hard_budget and self._closed_budgets
        self._exchange.ask((reserving(request_id, plan, amounts, needs_marker), future, plan))
        try:
            return await future
        except asyncio.CancelledError:  # the caller left; the outcome may be here already, and nobody will take it
            if not future.cancelled() and future.exception() is None:
                self._give_back(future.result())
            raise

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Replace what was held by what was used, soon: nobody waits for it."""
        if hold.shared:
            self.settle_by_id(hold.request_id, tokens, nanousd)
        elif hold.meters:
            self._share.settle(hold, tokens, nanousd)
            if self._share.has_unpushed:
                self._exchange.settle_soon()

    def settle_by_id(self, request_id: str, tokens: int, nanousd: int) -> None:
        """Settle a call of whichever process, for instance of one that died. Without effect where it is settled."""
        self._exchange.settling.append(settling(request_id, tokens, nanousd))
        self._exchange.settle_soon()

    def unsettled(self) -> Iterator[tuple[str, int, int]]:
        """What Redis has not confirmed, for whoever has to tell it should this process die: request id, tokens,
        nano-dollars."""
        return self._exchange.unsettled()

    async def used(self, meters: Sequence[Quota]) -> list[int]:
        """What is used of quotas in their present windows, reservations included. `StoreUnavailable` without Redis."""
        found: list[int] = await self._ask(asking(meters)) if meters else []
        return found

    async def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> None:
        """Bring quotas up to at least these uses, by meter name. `StoreUnavailable` without Redis."""
        for start in range(0, len(meters), _RAISED_TOGETHER):  # a script holds everybody else up while it runs
            await self._ask(raising(used, meters[start : start + _RAISED_TOGETHER]))

    def sweep(self) -> None:
        """Forget local counters that say nothing any more. Called about once a second."""
        self._share.sweep()

    # --- how it is ---

    @property
    def lost(self) -> str | None:
        """Why Redis cannot be counted with; None while it can."""
        return self._exchange.lost

    @property
    def needs_seed(self) -> bool:
        """Whether Redis has come without what the ledger knows, and has not been told yet."""
        return self._empty

    @property
    def processes(self) -> int:
        """How many gateway processes count in this Redis, as far as is known."""
        return self._exchange.processes

    @property
    def settlements_waiting(self) -> int:
        return len(self._exchange.settling)

    def problems(self) -> list[str]:
        """What does not work as it should, in words."""
        found = []
        if self.lost is not None:
            found.append(f"Redis is out of reach: {self.lost}; {self._consequences()}")
        elif self._empty:
            why = f" ({self._seed_failing})" if self._seed_failing else ""
            budgets = "calls under one are refused meanwhile" if self._closed_budgets else "meanwhile they count from 0"
            found.append(f"Redis came without counts; hard budgets wait for the ledger's{why}: {budgets}")
        if failed := self._exchange.failed_operations:
            found.append(f"{failed} operations on counters in Redis failed; the log says why")
        return found

    # --- its life ---

    async def start(self) -> None:
        """Connect, and from then on come back by itself. Does not fail where Redis cannot be reached: that is a
        loss like any other."""
        await self._exchange.start()
        self._share.begin(self.processes)

    async def aclose(self) -> None:
        """Send what is to be settled, as far as Redis takes it."""
        self._closing = True
        if self._seeding is not None:
            self._seeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._seeding
        await self._exchange.aclose()

    # --- what the exchange tells ---

    def hand_out(self, answer: Answer, result: Any, asked: Asked) -> None:
        """Redis has answered."""
        op, future, plan = asked
        if plan is None:
            failed = failure(result)
            if not future.done():
                if failed is not None:
                    future.set_exception(failed)
                else:
                    future.set_result(result)
            return
        if not self._exchange.check(op, result):
            self.let_down(asked)
            return
        outcome = verdict(answer, result, op, plan)
        if future.done():  # the caller left
            if outcome is not None:
                self._give_back(outcome)
        elif outcome is not None:
            if plan.token_quotas and type(outcome) is Hold:
                for index in plan.token_quotas:
                    self._share.know(plan.meters[index], answer.windows, outcome.readings[index])
            future.set_result(outcome)
        elif (budget := hard_budget_of(plan.meters)) is not None and not answer.marked:
            future.set_exception(unavailable("budget", budget.rule))
        else:
            self.let_down(asked)

    def let_down(self, asked: Asked) -> None:
        """Redis is lost: a reservation is decided here."""
        op, future, plan = asked
        if future.done():
            return
        if plan is None:
            future.set_exception(StoreUnavailable("the shared counters are out of reach; try again later"))
            return
        try:
            future.set_result(self._share.reserve(op[1], plan.meters, (1, op[2], op[3])))
        except StoreUnavailable as exc:
            future.set_exception(exc)

    def lost_redis(self, why: str) -> None:
        """Shares are enforced from now on."""
        self._share.begin(self.processes)
        if not self._closing:
            self.lost_times += 1
            _log.error("Redis is out of reach: %s; %s", why, self._consequences())

    def found_redis(self, after_s: float | None) -> None:
        """Redis counts again."""
        if self.lost_times:
            waited = f" after {after_s:.1f} s" if after_s is not None else ""
            _log.info("Redis is back%s; %d settlements are sent now", waited, self.settlements_waiting)

    def came_empty(self, empty: bool) -> None:
        """After every exchange: whether Redis lacks what the ledger knows."""
        self._empty = empty
        if empty and not self._closing and (self._seeding is None or self._seeding.done()):
            self._seeding = asyncio.get_running_loop().create_task(self._seed())

    def take_unpushed(self, most: int) -> Unpushed:
        """What was counted here and has to be told."""
        return self._share.take_unpushed(most)

    async def _seed(self) -> None:
        """Have Redis told what the ledger knows, then say that it was."""
        while self.lost is None:
            try:
                if self.on_empty is not None:
                    await self.on_empty()
                await self._ask((Do.MARK, "marker"))
            except Exception as exc:  # noqa: BLE001 - a border: whatever keeps the ledger from answering, ask again
                if self._seed_failing is None and self.lost is None:
                    _log.error("Redis came without counts and could not be told the ledger's: %s", exc)
                self._seed_failing = str(exc)
                await asyncio.sleep(_SEED_AGAIN_S)
            else:
                if self.on_empty is not None:
                    _log.info("Redis was told the ledger's counts")
                self._empty, self._seed_failing = False, None
                return

    async def _ask(self, op: Op) -> Any:
        if self.lost is not None:
            raise StoreUnavailable(f"Redis is out of reach: {self.lost}")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._exchange.ask((op, future, None))
        return await future

    def _give_back(self, outcome: Hold | Refused) -> None:
        if isinstance(outcome, Hold):
            self.settle(outcome, 0, 0)

    def _consequences(self) -> str:
        limits = {
            "local": f"limits: this process enforces its share, 1/{self.processes}",
            "open": "limits are not enforced",
            "closed": "calls under a limit are refused",
        }[self._settings.limits_on_loss]
        budgets = "refused" if self._closed_budgets else "let pass and counted later"
        return f"{limits}; calls under a hard budget are {budgets}"
