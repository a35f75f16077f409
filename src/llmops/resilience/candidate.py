"""A deployment as the balancer sees it: its breaker, its pool, its latency, and what it costs.

One object for each deployment and process; models that share a deployment share it. ``begin`` and one of its three ends
keep breaker, pool and latency in step, so that no caller has to know in which order.
"""

from collections.abc import Callable

from .breaker import Breaker, Change
from .failure import Failure
from .latency import PeakEwma
from .pool import AdaptivePool
from .tally import AttemptTally


class Candidate:
    """``rank``: places of a higher rank get calls only when none of a lower one is to be had. ``price``: any number
    that grows with what a call costs; None where it is not known, which counts as dearest."""

    __slots__ = ("breaker", "latency", "name", "on_change", "pool", "price", "rank", "tally", "weight")

    def __init__(
        self,
        name: str,
        breaker: Breaker,
        pool: AdaptivePool,
        *,
        weight: float = 1.0,
        rank: int = 0,
        price: float | None = None,
        tally: AttemptTally | None = None,
    ) -> None:
        self.name = name
        self.breaker = breaker
        self.pool = pool
        self.latency = PeakEwma()
        self.weight = weight
        self.rank = rank
        self.price = price
        self.tally = tally or AttemptTally()
        self.on_change: Callable[[str, Change, str], None] | None = None
        """Told of the deployment, what has become of its breaker, and why."""

    def is_free(self, now_s: float) -> bool:
        """An attempt may begin at once."""
        return (self.breaker.is_plain or self.breaker.ready_in_s(now_s) == 0.0) and not self.pool.is_full

    def begin(self, now_s: float) -> int:
        """Take a place for an attempt: its ticket, or 0 where the pool is full. Each ticket needs ``succeed``, ``fail``
        or ``abandon``, and ``leave`` when the attempt is over, for a stream with its last byte."""
        return self.breaker.begin(now_s) if self.pool.enter() else 0

    def succeed(self, ticket: int, now_s: float, first_token_s: float) -> Change | None:
        """The answer, or a stream's first content, came after ``first_token_s``."""
        self.tally.succeeded += 1
        self.pool.succeed()
        self.latency.observe(first_token_s, now_s)
        change = self.breaker.succeed(ticket, now_s)
        if change is not None:
            self.note(change)
        return change

    def fail(self, ticket: int, failure: Failure, *, began_s: float, now_s: float, luck: float) -> Change | None:
        """The attempt that began at ``began_s`` failed."""
        self.tally.fail(failure)
        if failure.is_busy:
            self.pool.refuse(began_s, now_s)
        if failure.kind == "timeout" and not failure.committed:
            self.latency.observe(now_s - began_s, now_s)
        change = self.breaker.fail(ticket, failure, now_s, luck)
        if change is not None:
            self.note(change)
        return change

    def note(self, change: Change) -> None:
        """The breaker has changed, by an answer or by what another process knows."""
        self.tally.note(change)
        if self.on_change is not None:
            self.on_change(self.name, change, self.breaker.state.reason)

    def abandon(self, ticket: int) -> None:
        """The caller left before there was an answer."""
        self.tally.abandoned += 1
        self.breaker.abandon(ticket)

    def leave(self) -> None:
        """The attempt is over."""
        self.pool.leave()
