"""Usage as a whole: the database, the log beside it, and what works on both."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...store.counters.meter import Quota
from ...store.database import Database
from ...telemetry.rollups.overview import Overview
from ...telemetry.rollups.repository.folding import FoldingRepository
from ..rule import Rule
from .ingester import Ingester
from .ingestion import Ingestion
from .reconciliation import Progress, Reconciliation, reconcile
from .repository.calls import CallRepository
from .repository.comparison import ComparisonRepository
from .repository.sums import UsageRepository
from .seeding import counter_differences

_STEP_BYTES = 8_000_000
_WAIT_FOR_GATEWAY_S = 120.0
_LOOK_S = 0.1


class UsageDirectory:
    """``database`` stays the caller's. Everything but ``ingester`` blocks: call it from a thread. ``keeps_texts``:
    whether captured texts go to the database, asked again and again."""

    def __init__(self, database: Database, log: Path, keeps_texts: Callable[[], bool] = lambda: True) -> None:
        self._database = database
        self.log = log
        self._calls = CallRepository(database, keeps_texts)
        self.sums = UsageRepository(database)
        self._folding = FoldingRepository(database)

    def ingester(self, *, lock_path: Path | None = None, now_s: Callable[[], float] = time.time) -> Ingester:
        """What keeps the database abreast of the log, for a gateway; with a lock of its own, of a copy. ``now_s`` is
        the clock that records are stamped by."""
        return Ingester(self.log, self._calls, lock_path=lock_path, now_s=now_s)

    def overview(self, now_s: Callable[[], float]) -> Overview:
        """Figures of the calls."""
        return Overview(self._database, now_s)

    def catch_up(self, progress: Progress | None = None) -> bool:
        """Bring the log, as it is now, into the database, or wait for the gateway that does so; False when that one
        has not got there after a while."""
        ingestion = Ingestion(self.log, self._calls)
        try:
            sizes = ingestion.sizes()
            if not sizes:
                return True
            step = ingestion.step(_STEP_BYTES, thoroughly=True)
            size = ingestion.behind_bytes
            while step is not None:
                if progress is not None:
                    progress(size - ingestion.behind_bytes, size)
                step = ingestion.step(_STEP_BYTES)
            deadline_s = time.monotonic() + _WAIT_FOR_GATEWAY_S
            while not ingestion.owner and not ingestion.reached(sizes):
                if time.monotonic() > deadline_s:
                    return False
                time.sleep(_LOOK_S)
            while ingestion.owner and self._folding.fold_hour(time.time()):
                pass
            return True
        finally:
            ingestion.close()

    def reconcile(
        self,
        progress: Progress | None = None,
        *,
        rules: Sequence[Rule] = (),
        counted: Callable[[Sequence[Quota]], Sequence[int]] | None = None,
        now_s: float | None = None,
    ) -> Reconciliation:
        """Compare log, calls and sums by day; what the log holds must be in the database before (`catch_up`).

        With ``counted`` (`Counters.used`) also the quotas and budgets of ``rules``.
        """
        found = reconcile(self.log, ComparisonRepository(self._database), progress=progress)
        if counted is not None:
            now_s = time.time() if now_s is None else now_s
            found.counter_differences = counter_differences(rules, self.sums, now_s, counted)
        return found

    def repair(self, progress: Progress | None = None) -> Reconciliation:
        """Read the whole log again, store what is missing or different, and sum up all calls anew.

        Returns what was found before. Calls that are in the database and not in the log stay.
        """
        found = reconcile(self.log, ComparisonRepository(self._database), progress=progress, mend=self._calls.replace)
        self._calls.rebuild_usage()
        return found
