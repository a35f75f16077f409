"""The desk: rules, counters, estimates and ledger of one process, put together.

What is counted and what is open outlives a reload; rules and prices are exchanged.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from ..clock import Clock
from ..store.counters.local import LocalCounters
from ..store.journal import Journal
from ..telemetry.figures import Figure
from .admission import Admission
from .estimate import Estimator, Prices
from .ledger import Ledger, Log
from .output_lengths import OutputLengths
from .refusals import Refusals
from .rule import Rule
from .rulebook import Rulebook
from .usage.seeder import QuotaCounters
from .usher import Counted, QueueBounds, Usher


class CounterStore(Counted, QuotaCounters, Protocol):
    """Counters of this process, or in Redis."""

    def sweep(self) -> None: ...


class SharedCounters(CounterStore, Protocol):
    """Counters that outlive this process."""

    def unsettled(self) -> Iterator[tuple[str, int, int]]: ...


class Desk:
    """Without ``counters`` this process counts by itself."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        prices: Prices,
        *,
        counters: SharedCounters | None = None,
        rules: Iterable[Rule] = (),
        assumed_output_tokens: int = 1000,
        journal: bool = True,
        when_unwritable: Literal["serve", "refuse"] = "serve",
        queue: QueueBounds | None = None,
    ) -> None:
        self.rules = Rulebook(rules)
        self.counters: CounterStore = (
            counters if counters is not None else LocalCounters(clock.now_s, clock.monotonic_s)
        )
        self._refusals = Refusals()
        self.usher = Usher(self.counters, clock, queue, self._refusals)
        self.journal_folder = log.path.parent / "journal"
        self.lengths = OutputLengths(assumed_output_tokens)
        self.ledger = Ledger(
            log,
            Journal(self.journal_folder),
            counters=self.usher,
            prices=prices,
            lengths=self.lengths,
            clock=clock,
            enabled=journal,
            when_unwritable=when_unwritable,
            unsettled=counters.unsettled if counters is not None else None,
        )
        log.before_write = self.ledger.note
        self._clock = clock
        self.admission = self._admission(prices)

    def reload(self, prices: Prices, rules: Iterable[Rule], queue: QueueBounds | None = None) -> None:
        """Other prices and rules for the calls to come; calls under way are settled at the new prices, and calls that
        wait do so under the rules they came under and, where given, the new bounds of the queue."""
        self.rules.replace(rules)
        if queue is not None:
            self.usher.bound(queue)
        self.ledger.prices = prices
        self.admission = self._admission(prices)

    def _admission(self, prices: Prices) -> Admission:
        estimator = Estimator(prices, self.lengths)
        return Admission(self.rules, estimator, self.counters, self.ledger, self._clock, self.usher, self._refusals)

    def figures(self) -> list[Figure]:
        """For the metrics."""
        waiting = Figure("llm_limiter_waiting", self.usher.waiting)
        return [*self.ledger.figures(), *self._refusals.figures(), waiting]

    def tidy(self) -> None:
        """Let go of what is needed no more; called about once a second."""
        self.ledger.tidy()
        self.counters.sweep()
