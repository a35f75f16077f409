"""Admission: a call is measured, takes its place under every limit and budget, and is entered in the ledger.

All of that happens before it is routed, and without waiting while the counters are this process's own.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ..clock import Clock
from ..store.counters.counters import Hold, Refused
from ..store.counters.meter import Amounts, Meter
from ..types import Call, Deployment
from .estimate import Estimate, Estimator
from .ledger import Ledger
from .refusal import headroom_of, refusal
from .rulebook import Rulebook


class Takes(Protocol):
    """The part of counters that admission needs; those in Redis answer later."""

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]: ...


class Admission:
    def __init__(self, rules: Rulebook, estimator: Estimator, counters: Takes, ledger: Ledger, clock: Clock) -> None:
        self._rules = rules
        self._estimator = estimator
        self._counters = counters
        self._ledger = ledger
        self._clock = clock

    def admit(self, call: Call, deployments: Sequence[Deployment]) -> Awaitable[None] | None:
        """Let a call in, at once or when the awaitable is done; raises `LimitReached` or `BudgetExceeded`."""
        estimate = self._estimator.estimate(call, deployments)
        meters = self._rules.meters(call)
        outcome = self._counters.reserve(call.request_id, meters, (1, estimate.tokens, estimate.nanousd or 0))
        if type(outcome) is Hold:
            self._enter(call, outcome, estimate)
            return None
        if type(outcome) is Refused:
            raise refusal(outcome, estimate, self._clock.now_s())
        return self._admit_later(call, estimate, outcome)  # type: ignore[arg-type]

    async def _admit_later(self, call: Call, estimate: Estimate, outcome: Awaitable[Hold | Refused]) -> None:
        verdict = await outcome
        if isinstance(verdict, Refused):
            raise refusal(verdict, estimate, self._clock.now_s())
        self._enter(call, verdict, estimate)

    def _enter(self, call: Call, hold: Hold, estimate: Estimate) -> None:
        self._ledger.reserve(call, hold, estimate)
        if hold.meters:
            call.headroom = headroom_of(hold)
