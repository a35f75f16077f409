"""Counters under contract, in-process and in Redis, behind one face and on one clock that the test moves."""

import inspect
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from llmops.clock import ManualClock
from llmops.redis_settings import RedisSettings
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Concurrency, Meter, Quota, Rate, Unit
from llmops.store.counters.redis import RedisCounters

from ..store.redis_server import RedisServer

REQUESTS, TOKENS, NANOUSD = Unit.REQUESTS, Unit.TOKENS, Unit.NANOUSD
LEASE_S = 60.0


def rate(count: int = 10, *, period_us: int = 1_000_000, burst: int | None = None, **fields: Any) -> Rate:
    given = {"name": f"rate {count}/{period_us}/{burst}", "rule": "rate", "unit": REQUESTS, **fields}
    return Rate(count=count, period_us=period_us, burst=burst or count, **given)


def quota(limit: int, **fields: Any) -> Quota:
    return Quota(**{"name": "quota", "rule": "quota", "unit": TOKENS, "limit": limit, "window": "day", **fields})


def concurrency(limit: int, **fields: Any) -> Concurrency:
    return Concurrency(**{"name": "concurrency", "rule": "concurrency", "limit": limit, **fields})


class Counting:
    """Takes and settles as the ledger does. What has returned has happened."""

    def __init__(self, counters: LocalCounters | RedisCounters, clock: ManualClock) -> None:
        self.counters = counters
        self.clock = clock
        self._numbers = itertools.count()

    async def take(self, *meters: Meter, tokens: int = 0, nanousd: int = 0) -> Hold | Refused:
        outcome = self.counters.reserve(f"req_{next(self._numbers)}", meters, (1, tokens, nanousd))
        return await outcome if inspect.isawaitable(outcome) else outcome  # type: ignore[return-value]

    async def hold(self, *meters: Meter, tokens: int = 0, nanousd: int = 0) -> Hold:
        outcome = await self.take(*meters, tokens=tokens, nanousd=nanousd)
        assert isinstance(outcome, Hold), outcome
        return outcome

    async def refused(self, *meters: Meter, tokens: int = 0, nanousd: int = 0) -> Refused:
        outcome = await self.take(*meters, tokens=tokens, nanousd=nanousd)
        assert isinstance(outcome, Refused), outcome
        return outcome

    async def settle(self, hold: Hold, tokens: int = 0, nanousd: int = 0) -> None:
        self.counters.settle(hold, tokens, nanousd)
        await self.used(quota(1))  # settlements go before questions

    async def used(self, *meters: Quota) -> list[int]:
        found = self.counters.used(meters)
        return await found if inspect.isawaitable(found) else found  # type: ignore[return-value]

    async def raise_to(self, used: dict[str, int], meters: Sequence[Quota]) -> None:
        done = self.counters.raise_to(used, meters)
        if inspect.isawaitable(done):
            await done


def in_process() -> Counting:
    clock = ManualClock(float(int(time.time())))
    return Counting(LocalCounters(clock.now_s, clock.monotonic_s), clock)


@asynccontextmanager
async def in_redis(server: RedisServer) -> AsyncIterator[Counting]:
    clock = ManualClock(float(int(time.time())))  # near the real one: Redis forgets windows that are long over
    begun_us = int(clock.now_s()) * 1_000_000
    counters = redis_counters(server, simulated_us=lambda: begun_us + int(clock.monotonic_s() * 1_000_000))
    await counters.start()
    yield Counting(counters, clock)
    await counters.aclose()
    assert (counters.lost_times, counters.problems()[1:]) == (0, [])


def redis_counters(server: RedisServer, namespace: str | None = None, **fields: Any) -> RedisCounters:
    """Not started yet; in a namespace of its own where none is given. Patient, since tests share their machine."""
    chosen = {"connect_timeout_seconds": 5.0, "command_timeout_seconds": 5.0}
    chosen |= {name: fields.pop(name) for name in RedisSettings.model_fields if name in fields}
    settings = RedisSettings(url=server.url, namespace=namespace or uuid4().hex, **chosen)
    return RedisCounters(settings, **{"lease_s": LEASE_S, **fields})
