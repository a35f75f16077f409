"""Admission: a call is measured, takes its place under every limit and budget, and is entered in the ledger.

All of that happens before it is routed, and without waiting while it fits and the counters are this process's own.
Where there is a queue, a call that does not fit now may wait for its turn (`usher`).
"""

from collections.abc import Awaitable, Sequence
from inspect import iscoroutine
from typing import Protocol

from ..clock import Clock
from ..errors import LLMOpsError
from ..store.counters.counters import Hold, Refused
from ..store.counters.meter import Amounts, Meter
from ..types import Call, Deployment
from .estimate import Estimate, Estimator
from .ledger import Ledger
from .refusal import headroom_of, refusal
from .refusals import Refusals
from .rulebook import Rulebook
from .usher import Ticket, Usher
from .waiting_room import RANKS, waited_for


class Takes(Protocol):
    """The part of counters that admission needs; those in Redis answer later."""

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]: ...


class Admission:
    """Without an ``usher`` no call waits. Without ``refusals`` nobody counts them."""

    def __init__(
        self,
        rules: Rulebook,
        estimator: Estimator,
        counters: Takes,
        ledger: Ledger,
        clock: Clock,
        usher: Usher | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._rules = rules
        self._estimator = estimator
        self._counters = counters
        self._ledger = ledger
        self._clock = clock
        self._usher = usher
        self._refusals = refusals

    def admit(self, call: Call, deployments: Sequence[Deployment]) -> Awaitable[None] | None:
        """Let a call in, at once or when the awaitable is done; raises `LimitReached` or `BudgetExceeded`."""
        estimate = self._estimator.estimate(call, deployments)
        meters = self._rules.meters(call)
        amounts = (1, estimate.tokens, estimate.nanousd or 0)
        usher = self._usher
        if usher is not None and usher.waiting and usher.bars(call.tenant, meters):
            return usher.wait(self._ticket(call, meters, amounts, estimate))
        outcome = self._counters.reserve(call.request_id, meters, amounts)
        if type(outcome) is Hold:
            self._enter(call, outcome, estimate)
            return None
        if type(outcome) is Refused:
            if usher is not None and usher.takes(outcome):
                return usher.wait(self._ticket(call, meters, amounts, estimate), outcome)
            raise self._refusal(call, outcome, estimate)
        return self._admit_later(call, meters, amounts, estimate, outcome)  # type: ignore[arg-type]

    async def _admit_later(
        self,
        call: Call,
        meters: Sequence[Meter],
        amounts: Amounts,
        estimate: Estimate,
        outcome: Awaitable[Hold | Refused],
    ) -> None:
        verdict = await self._ask(call, estimate, outcome)
        if isinstance(verdict, Hold):
            self._enter(call, verdict, estimate)
        elif self._usher is not None and self._usher.takes(verdict):
            await self._usher.wait(self._ticket(call, meters, amounts, estimate), verdict, elsewhere=True)
        else:
            raise self._refusal(call, verdict, estimate)

    async def _ask(self, call: Call, estimate: Estimate, outcome: Awaitable[Hold | Refused]) -> Hold | Refused:
        """Wait for counters that answer later. They outlive this process, so the ledger hears of the call first."""
        try:
            self._ledger.announce(call, estimate)
        except BaseException:
            if iscoroutine(outcome):
                outcome.close()
            raise
        return await outcome

    def _ticket(self, call: Call, meters: Sequence[Meter], amounts: Amounts, estimate: Estimate) -> Ticket:
        return Ticket(
            tenant=call.tenant,
            rank=RANKS[call.priority],
            meters=waited_for(meters),
            request_id=call.request_id,
            needs=meters,
            amounts=amounts,
            estimate=estimate,
            ask=lambda outcome: self._ask(call, estimate, outcome),
            enter=lambda hold: self._enter(call, hold, estimate),
        )

    def _refusal(self, call: Call, refused: Refused, estimate: Estimate) -> LLMOpsError:
        if self._refusals is not None:
            self._refusals.count(refused.meter, call.tenant)
        return refusal(refused, estimate, self._clock.now_s())

    def _enter(self, call: Call, hold: Hold, estimate: Estimate) -> None:
        self._ledger.reserve(call, hold, estimate)
        call.admitted_s = self._clock.monotonic_s()
        if hold.meters:
            call.headroom = headroom_of(hold)
