"""Redis killed, frozen, emptied, read-only, full: calls are answered at once, and afterwards the counts are right."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.errors import StoreUnavailable
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.meter import Meter, Quota
from llmops.store.counters.redis import RedisCounters
from tests.contract.counting import NANOUSD, TOKENS, concurrency, quota, rate, redis_counters
from tests.serving import free_port
from tests.store.redis_server import RedisServer

PROMPT_S = 0.5
"""No call waits longer, whatever Redis does."""
QUICK = {"connect_timeout_seconds": 0.25, "command_timeout_seconds": 0.25}
BUDGET = quota(10**9, name="budget", unit=NANOUSD, window="total")


@asynccontextmanager
async def counting(server: RedisServer, **fields: Any) -> AsyncIterator[RedisCounters]:
    counters = redis_counters(server, "lost", **{**QUICK, **fields})
    await counters.start()
    try:
        yield counters
    finally:
        await counters.aclose()


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        await asyncio.sleep(0.01)


class LoopTime:
    """Seconds that the event loop was free to go on in: a machine that stalls it counts as one tick, so that only what
    was waited for is measured."""

    TICK_S = 0.01

    def __init__(self) -> None:
        self.now_s = 0.0
        self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            begun_s = time.perf_counter()
            await asyncio.sleep(self.TICK_S)
            self.now_s += min(time.perf_counter() - begun_s, 2 * self.TICK_S)


class Caller:
    """Makes calls and notes how long each waited."""

    def __init__(self, *counters: RedisCounters) -> None:
        self._counters = counters
        self._time = LoopTime()
        self._number = 0
        self.longest_s = 0.0
        self.used = 0

    async def take(self, *meters: Meter, tokens: int = 1, nanousd: int = 0) -> Hold | Refused:
        self._number += 1
        counters = self._counters[self._number % len(self._counters)]
        begun_s = self._time.now_s
        try:
            outcome = counters.reserve(f"req_{id(self)}_{self._number}", meters, (1, tokens, nanousd))
            return outcome if isinstance(outcome, Hold | Refused) else await outcome
        finally:
            self.longest_s = max(self.longest_s, self._time.now_s - begun_s)

    async def hold(self, *meters: Meter, **amounts: int) -> Hold:
        outcome = await self.take(*meters, **amounts)
        assert isinstance(outcome, Hold), outcome
        return outcome


async def test_killed_and_started_again_amid_load_nothing_is_lost_and_nobody_hangs(redis_alone: RedisServer) -> None:
    """Two processes; every call settles on more than it reserved, some while Redis is gone, some when it is back."""
    meters = (quota(10**9, name="tokens", window="total"), concurrency(1000))
    async with counting(redis_alone) as first, counting(redis_alone) as second:
        caller, done, used = Caller(first, second), asyncio.Event(), 0

        def owner(hold: Hold) -> RedisCounters:
            """Each call is settled where it was taken."""
            return (first, second)[int(hold.request_id.rpartition("_")[2]) % 2]

        async def work(number: int) -> None:
            nonlocal used
            while not done.is_set():
                hold = await caller.hold(*meters, tokens=10)
                await asyncio.sleep(0.002 * (number % 7))
                owner(hold).settle(hold, 13, 0)
                used += 13

        working = [asyncio.ensure_future(work(number)) for number in range(20)]
        for _ in range(2):
            await asyncio.sleep(0.3)
            redis_alone.kill()
            await until(lambda: first.lost is not None and second.lost is not None)
            assert first.problems() and "Redis is out of reach" in first.problems()[0]
            await asyncio.sleep(0.3)
            await asyncio.to_thread(redis_alone.start)
            await until(lambda: first.lost is None and second.lost is None)
        await asyncio.sleep(0.2)
        done.set()
        await asyncio.gather(*working)
        quotas = [meter for meter in meters if isinstance(meter, Quota)]

        async def counted() -> list[int]:
            await first.used(quotas)
            await second.used(quotas)
            return await first.used(quotas)

        for _ in range(100):
            if await counted() == [used]:
                break
            await asyncio.sleep(0.02)
        assert await counted() == [used]
        assert caller.longest_s < PROMPT_S
        assert (first.lost_times, second.lost_times, first.problems(), first.settlements_waiting) == (2, 2, [], 0)
        assert redis_alone.command("KEYS", "{lost}:c:*") == []  # all places are free


async def test_a_frozen_redis_is_given_up_and_what_it_took_meanwhile_is_given_back(redis_alone: RedisServer) -> None:
    meter = quota(1000, window="total")
    async with counting(redis_alone) as counters:
        caller = Caller(counters)
        await caller.hold(meter, tokens=100)
        redis_alone.freeze()
        waiting = [asyncio.ensure_future(caller.hold(meter, tokens=10)) for _ in range(20)]
        holds = await asyncio.gather(*waiting)
        assert caller.longest_s < PROMPT_S and counters.lost is not None and "no answer within" in counters.lost
        begun_s = time.perf_counter()
        holds += [await caller.hold(meter, tokens=10) for _ in range(20)]
        assert time.perf_counter() - begun_s < 0.1, "once lost, no call waits for it"
        assert not any(hold.shared for hold in holds)
        redis_alone.thaw()
        await until(lambda: counters.lost is None)
        for hold in holds:
            counters.settle(hold, 1, 0)
        for _ in range(100):
            if await counters.used([meter]) == [140]:
                break
            await asyncio.sleep(0.02)
        assert await counters.used([meter]) == [140]


async def test_without_redis_each_process_enforces_its_share(redis_alone: RedisServer) -> None:
    meters = {
        "rate": rate(1, period_us=10**9, burst=100),
        "quota": quota(100, name="q", window="total"),
        "concurrency": concurrency(100),
        "few": concurrency(3, name="few"),
        "shadow": quota(2, name="s", window="total", shadow=True),
    }
    async with counting(redis_alone) as a, counting(redis_alone) as b, counting(redis_alone) as c:
        await until(lambda: a.processes == b.processes == c.processes == 3)
        for counters in (a, b, c):  # each learns what is used of the quota
            await Caller(counters).hold(meters["quota"], tokens=10)
        redis_alone.kill()
        admitted = dict.fromkeys(meters, 0)
        for counters in (a, b, c):
            await until(lambda counters=counters: counters.lost is not None)  # type: ignore[misc]
            for name, meter in meters.items():
                for _ in range(110):
                    outcome = await Caller(counters).take(meter)
                    if isinstance(outcome, Refused):
                        assert "the share of one of 3 processes" in outcome.meter.rule
                        break
                    admitted[name] += 1
        assert admitted.pop("quota") in range(60, 81)  # of the 70 left, as each has heard of them last
        assert admitted == {"rate": 99, "concurrency": 99, "few": 3, "shadow": 330}


@pytest.mark.parametrize("on_loss", ["closed", "open"])
async def test_hard_budgets_without_redis(on_loss: str, redis_alone: RedisServer) -> None:
    soft = quota(5, name="soft", unit=NANOUSD, window="total", hard=False)
    async with counting(redis_alone, budgets_on_loss=on_loss) as counters:
        await until(lambda: not counters.needs_seed)
        caller = Caller(counters)
        await caller.hold(BUDGET, nanousd=100)
        redis_alone.kill()
        await until(lambda: counters.lost is not None)
        await caller.hold(soft, nanousd=7)
        if on_loss == "closed":
            with pytest.raises(StoreUnavailable, match="the budget 'quota' applies to this call and cannot be checked"):
                await caller.hold(BUDGET, nanousd=100)
        else:
            counters.settle(await caller.hold(BUDGET, nanousd=100), 0, 30)
        redis_alone.start()
        await until(lambda: counters.lost is None)
        await until(lambda: not counters.settlements_waiting)
        spent = 100 if on_loss == "closed" else 130
        for _ in range(100):
            if await counters.used([BUDGET, soft]) == [spent, 7]:
                break
            await asyncio.sleep(0.02)
        assert await counters.used([BUDGET, soft]) == [spent, 7]
        await caller.hold(BUDGET, nanousd=1)


@pytest.mark.parametrize("on_loss", ["closed", "open"])
async def test_limits_without_redis_as_configured(on_loss: str, redis_alone: RedisServer) -> None:
    async with counting(redis_alone, limits_on_loss=on_loss) as counters:
        caller = Caller(counters)
        redis_alone.kill()
        await until(lambda: counters.lost is not None)
        await caller.hold(quota(1, name="soft", hard=False), tokens=9)
        for _ in range(3):
            if on_loss == "closed":
                with pytest.raises(StoreUnavailable, match="the limit 'rate' applies to this call"):
                    await caller.take(rate(1))
            else:
                await caller.hold(rate(1))


async def test_redis_may_be_away_at_the_start(redis_alone: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis_alone.kill()
    caplog.set_level(logging.INFO, "llmops")
    async with counting(redis_alone, processes=4) as counters:
        assert counters.lost is not None and counters.lost_times == 1
        caller, meter = Caller(counters), quota(100, window="total")
        counters.settle(await caller.hold(meter, tokens=20), 5, 0)
        assert isinstance(await caller.take(meter, tokens=21), Refused)
        redis_alone.start()
        await until(lambda: counters.lost is None)
        assert (await caller.hold(meter, tokens=20)).shared
        assert await counters.used([meter]) == [25]
    said = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]
    assert len(said) == 2 and "out of reach" in said[0] and "this process enforces its share, 1/4" in said[0]
    assert "Redis is back" in said[1]


async def test_nobody_is_there_at_all() -> None:
    server = RedisServer.__new__(RedisServer)
    server.url = f"redis://127.0.0.1:{free_port()}/0"
    async with counting(server) as counters:
        caller = Caller(counters)
        assert isinstance(await caller.hold(rate(5)), Hold) and caller.longest_s < 0.1
        with pytest.raises(StoreUnavailable):
            await counters.used([BUDGET])


async def test_a_redis_that_forgot_is_told_the_ledgers_counts_before_budgets_count_on_it(
    redis_alone: RedisServer,
) -> None:
    ledger, told, may_answer = {"budget": 400}, 0, asyncio.Event()

    async def on_empty() -> None:
        nonlocal told
        await may_answer.wait()
        told += 1
        if told == 1:
            raise OSError("the database is busy")
        await counters.raise_to(ledger, [BUDGET])

    async with counting(redis_alone, on_empty=on_empty) as counters:
        caller, limit = Caller(counters), rate(100)
        assert counters.needs_seed
        with pytest.raises(StoreUnavailable, match="the budget 'quota'"):
            await caller.hold(BUDGET, nanousd=1)
        await caller.hold(limit)  # limits need no ledger
        may_answer.set()
        await until(lambda: not counters.needs_seed)
        assert (told, await counters.used([BUDGET])) == (2, [400])
        await caller.hold(BUDGET, nanousd=10)
        ledger["budget"] = 410
        redis_alone.command("FLUSHALL")  # without a restart: nobody loses a connection
        with pytest.raises(StoreUnavailable, match="the budget 'quota'"):
            await caller.hold(BUDGET, nanousd=1)
        assert any("hard budgets wait" in problem for problem in counters.problems())
        await until(lambda: not counters.needs_seed)
        assert (told, await counters.used([BUDGET]), counters.lost_times) == (3, [410], 0)


@pytest.mark.parametrize(
    ("spoil", "mend", "reason"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "READONLY|MASTERDOWN"),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), "OOM"),
    ],
)
async def test_a_redis_that_takes_nothing_is_as_good_as_gone(
    spoil: tuple[str, ...], mend: tuple[str, ...], reason: str, redis_alone: RedisServer
) -> None:
    meter = quota(1000, window="total")
    async with counting(redis_alone) as counters:
        caller = Caller(counters)
        held = await caller.hold(meter, tokens=10)
        redis_alone.command(*spoil)
        other = await caller.hold(meter, tokens=10)
        assert counters.lost is not None and re.search(reason, counters.lost), counters.lost
        assert not other.shared
        counters.settle(held, 4, 0)
        await asyncio.sleep(0.6)
        assert counters.lost is not None  # the probe writes, so that it is not taken in
        redis_alone.command(*mend)
        await until(lambda: counters.lost is None)
        counters.settle(other, 5, 0)
        for _ in range(100):
            if await counters.used([meter]) == [9]:
                break
            await asyncio.sleep(0.02)
        assert await counters.used([meter]) == [9]


async def test_a_forgotten_script_is_sent_again(redis_alone: RedisServer) -> None:
    async with counting(redis_alone) as counters:
        for _ in range(3):
            redis_alone.command("SCRIPT", "FLUSH")
            assert (await Caller(counters).hold(rate(100))).readings
        assert counters.lost_times == 0


async def test_one_spoilt_counter_spoils_no_other_call(redis_alone: RedisServer) -> None:
    good, bad = quota(100, name="good", window="total"), quota(100, name="bad", window="total")
    async with counting(redis_alone) as counters:
        redis_alone.command("LPUSH", "{lost}:q:0:bad", "what is this?")
        outcomes = await asyncio.gather(
            *(Caller(counters).hold(meter, tokens=7) for meter in (good, bad, good)), return_exceptions=True
        )
        assert [isinstance(outcome, Hold) and outcome.shared for outcome in outcomes] == [True, False, True]
        assert await counters.used([good]) == [14]
        assert counters.lost_times == 0 and "failed" in counters.problems()[0]


async def test_what_is_to_be_settled_is_sent_before_the_end(redis_alone: RedisServer) -> None:
    meter = quota(100, window="total", unit=TOKENS)
    async with counting(redis_alone) as counters:
        counters.settle(await Caller(counters).hold(meter, tokens=50), 8, 0)
    async with counting(redis_alone) as counters:
        assert await counters.used([meter]) == [8]


async def test_what_redis_has_not_confirmed_is_known_until_it_has(redis_alone: RedisServer) -> None:
    """Its owner's journal keeps that: should this process die, another tells Redis."""
    meter = quota(1000, window="total", unit=TOKENS)
    async with counting(redis_alone) as counters:
        hold = await Caller(counters).hold(meter, tokens=100)
        assert list(counters.unsettled()) == []
        redis_alone.freeze()
        counters.settle(hold, 8, 0)
        asked = counters.reserve("asked", [meter], (1, 10, 0))
        assert isinstance(asked, Awaitable)
        asking = asyncio.ensure_future(asked)
        for _ in range(5):  # waiting, then on its way, then lost
            assert set(counters.unsettled()) >= {(hold.request_id, 8, 0)}
            await asyncio.sleep(0.02)
            assert set(counters.unsettled()) == {(hold.request_id, 8, 0), ("asked", 0, 0)}
        mine = await asking
        assert counters.lost is not None and isinstance(mine, Hold) and not mine.shared
        assert set(counters.unsettled()) == {(hold.request_id, 8, 0), ("asked", 0, 0)}
        redis_alone.thaw()
        await until(lambda: not list(counters.unsettled()))
        counters.settle(mine, 3, 0)
    async with counting(redis_alone) as counters:
        assert await counters.used([meter]) == [11]


async def test_an_end_without_redis_leaves_what_it_was_not_told(redis_alone: RedisServer) -> None:
    meter = quota(1000, window="total", unit=TOKENS)
    async with counting(redis_alone) as counters:
        hold = await Caller(counters).hold(meter, tokens=100)
        redis_alone.freeze()
        counters.settle(hold, 8, 0)
    assert list(counters.unsettled()) == [(hold.request_id, 8, 0)]
    redis_alone.thaw()
    async with counting(redis_alone) as other:
        for _ in range(2):
            other.settle_by_id(*next(counters.unsettled()))
        await until(lambda: not list(other.unsettled()))
        assert await other.used([meter]) == [8]
