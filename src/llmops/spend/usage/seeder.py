"""Keeping the counters of quotas and budgets at least at what the database knows to be used.

At the start, when rules appear, and once a minute: a counter is raised to the ledger's sum of its window, never
lowered, since it also holds what is under way and what the database has not got yet. Counters in Redis outlive
processes, so they are told when they have forgotten, and when rules appear.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec

from ...errors import LLMOpsError, StoreUnavailable
from ...store.counters.meter import Quota
from ..rule import Rule
from .repository.sums import UsageRepository
from .seeding import CounterDifference, counter_differences, used_quotas

_log = logging.getLogger(__name__)
_PERIOD_S = 60.0
_AGAIN_S = 5.0
"""After a failure: what was away is back long before a minute is over."""
_ANSWER_S = 5.0
_DEAR_S = 0.1
"""Sums that took longer are not made anew for everybody who looks."""


class QuotaCounters(Protocol):
    """What is used of quotas; counters in Redis answer later."""

    def used(self, meters: Sequence[Quota]) -> list[int] | Awaitable[list[int]]: ...
    def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> Awaitable[None] | None: ...


class CounterComparison(msgspec.Struct, frozen=True, kw_only=True):
    """How many counters of quotas and budgets were compared with the database, and those that differ."""

    compared: int
    differences: list[CounterDifference] = []


class _Latest(NamedTuple):
    """The quotas that were found last, under which rules, and how long it took."""

    rules: Sequence[Rule]
    quotas: list[Quota]
    took_s: float


class Seeder:
    """Owns one task between ``start`` and ``aclose``. ``failing`` says why counters may be too low."""

    def __init__(
        self,
        rules: Callable[[], Sequence[Rule]],
        sums: UsageRepository,
        counters: QuotaCounters,
        now_s: Callable[[], float],
        *,
        period_s: float = _PERIOD_S,
        again_s: float = _AGAIN_S,
        dear_s: float = _DEAR_S,
    ) -> None:
        self.failing: str | None = None
        self._rules = rules
        self._sums = sums
        self._counters = counters
        self._now_s = now_s
        self._period_s = period_s
        self._again_s = again_s
        self._dear_s = dear_s
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest: _Latest | None = None

    async def start(self) -> None:
        """Raise the counters now, and again from time to time. Raises `StoreUnavailable` when the database cannot say
        what has been used: a gateway that does not know must not begin to spend. Redis out of reach is no reason:
        it is told when it is back."""
        self._loop = asyncio.get_running_loop()
        used, quotas = await asyncio.to_thread(self._used)
        with suppress(StoreUnavailable):
            await self._raise(used, quotas)
        self._task = self._loop.create_task(self._keep())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def soon(self) -> None:
        """Rules have changed: raise the counters now instead of at the next turn."""
        self._wanted.set()

    async def seed(self) -> None:
        """Raise the counters to what the database knows. `StoreUnavailable` where one of both is out of reach."""
        await self._raise(*await asyncio.to_thread(self._used))

    def problems(self) -> list[str]:
        return [f"counters of budgets cannot be compared with the database: {self.failing}"] if self.failing else []

    # --- for threads ---

    def state(self) -> list[tuple[str, int]]:
        """Name and use of every quota and budget of which something is used in its present window.

        The uses are those of now. Which quotas there are is looked up; where that takes long, those that were found
        last will do, and it is done behind the reader's back."""
        quotas = self._quotas()
        return [(quota.name, use) for quota, use in zip(quotas, self.counted(quotas), strict=True)]

    def comparison(self) -> CounterComparison:
        """The counters beside what the database says; with calls under way the counters are ahead."""
        counted: list[Quota] = []

        def count(quotas: Sequence[Quota]) -> list[int]:
            counted.extend(quotas)
            return self.counted(quotas)

        differences = counter_differences(self._rules(), self._sums, self._now_s(), count)
        return CounterComparison(compared=len(counted), differences=differences)

    def counted(self, quotas: Sequence[Quota]) -> list[int]:
        """What the counters say is used."""
        if self._loop is None:
            raise StoreUnavailable("the counters are not in use yet")
        found: list[int] = asyncio.run_coroutine_threadsafe(self._count(quotas), self._loop).result(_ANSWER_S)
        return found

    # --- inner ---

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                pause_s = self._period_s if self.failing is None else self._again_s
                await asyncio.wait_for(self._wanted.wait(), pause_s)
            self._wanted.clear()
            try:
                await self.seed()
            except LLMOpsError as exc:
                if self.failing is None:
                    _log.error("counters of budgets cannot be compared with the database: %s", exc.message)
                self.failing = exc.message
            except Exception:  # noqa: BLE001 - a border: the next turn may do better
                _log.exception("counters of budgets could not be compared with the database")
            else:
                self.failing = None

    def _quotas(self) -> list[Quota]:
        latest = self._latest
        if latest is None or latest.took_s < self._dear_s or latest.rules != list(self._rules()) or self._loop is None:
            return self._used()[1]
        self._loop.call_soon_threadsafe(self.soon)
        return latest.quotas

    def _used(self) -> tuple[dict[str, int], list[Quota]]:
        rules, began_s = list(self._rules()), time.monotonic()
        used, quotas = used_quotas(rules, self._sums, self._now_s())
        self._latest = _Latest(rules, quotas, time.monotonic() - began_s)
        return used, quotas

    async def _raise(self, used: Mapping[str, int], quotas: Sequence[Quota]) -> None:
        told = self._counters.raise_to(used, quotas)
        if told is not None:
            await told

    async def _count(self, quotas: Sequence[Quota]) -> list[int]:
        found = self._counters.used(quotas)
        return found if isinstance(found, list) else await found
