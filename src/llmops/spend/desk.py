"""The desk: rules, counters, estimates and ledger of one process, put together.

What is counted and what is open outlives a reload; rules and prices are exchanged.
"""

from collections.abc import Iterable
from typing import Literal

from ..clock import Clock
from ..store.counters.local import LocalCounters
from ..store.journal import Journal
from .admission import Admission
from .estimate import Estimator, Prices
from .ledger import Ledger, Log
from .output_lengths import OutputLengths
from .rule import Rule
from .rulebook import Rulebook


class Desk:
    def __init__(
        self,
        log: Log,
        clock: Clock,
        prices: Prices,
        *,
        rules: Iterable[Rule] = (),
        assumed_output_tokens: int = 1000,
        journal: bool = True,
        when_unwritable: Literal["serve", "refuse"] = "serve",
    ) -> None:
        self.rules = Rulebook(rules)
        self.counters = LocalCounters(clock.now_s, clock.monotonic_s)
        self.journal_folder = log.path.parent / "journal"
        self.lengths = OutputLengths(assumed_output_tokens)
        self.ledger = Ledger(
            log,
            Journal(self.journal_folder),
            counters=self.counters,
            prices=prices,
            lengths=self.lengths,
            clock=clock,
            enabled=journal,
            when_unwritable=when_unwritable,
        )
        log.before_write = self.ledger.note
        self._clock = clock
        self.admission = self._admission(prices)

    def reload(self, prices: Prices, rules: Iterable[Rule]) -> None:
        """Other prices and rules for the calls to come; calls under way are settled at the new prices."""
        self.rules.replace(rules)
        self.ledger.prices = prices
        self.admission = self._admission(prices)

    def _admission(self, prices: Prices) -> Admission:
        return Admission(self.rules, Estimator(prices, self.lengths), self.counters, self.ledger, self._clock)

    def tidy(self) -> None:
        """Let go of what is needed no more; called about once a second."""
        self.ledger.tidy()
        self.counters.sweep()
