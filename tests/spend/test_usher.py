"""Waiting on a real event loop: calls are let in, turned away and given up, and nothing of them is left behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest

from llmops.clock import SystemClock
from llmops.errors import BudgetExceeded, Draining, LimitReached, StoreUnavailable
from llmops.settings import QueueSettings
from llmops.spend.estimate import Estimate
from llmops.spend.usher import Counted, Ticket, Usher
from llmops.spend.waiting_room import waited_for
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Amounts, Meter, Quota, Unit

from ..contract.counting import concurrency, quota, rate, redis_counters
from ..store.redis_server import RedisServer

CLOCK = SystemClock()
PLACE = concurrency(1, name="place", rule="one place")


class Later:
    """In-process counters that answer as those in Redis do, when the event loop comes to it."""

    def __init__(self) -> None:
        self.inner = LocalCounters(CLOCK.now_s, CLOCK.monotonic_s)
        self.asked = 0
        self.settle = self.inner.settle
        self.fails: Exception | None = None

    async def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        self.asked += 1
        await asyncio.sleep(0.002)
        if self.fails is not None:
            raise self.fails
        return self.inner.reserve(request_id, meters, amounts)

    async def used(self, meters: Sequence[Quota]) -> list[int]:
        await asyncio.sleep(0)
        return self.inner.used(meters)


class Door:
    """Calls come, wait where they must, and end when told; ``inside`` are those that were let in."""

    def __init__(self, counters: Counted | None = None, **bounds: Any) -> None:
        self.counters = counters or LocalCounters(CLOCK.now_s, CLOCK.monotonic_s)
        self.usher = Usher(self.counters, CLOCK, QueueSettings(**{"max_wait_seconds": 5.0, **bounds}))
        self.inside: dict[str, Hold] = {}
        self.refuses: Exception | None = None

    async def come(self, name: str, *needs: Meter, tenant: str = "a", tokens: int = 0, nanousd: int = 0) -> None:
        """As `Admission` does it."""
        amounts = (1, tokens, nanousd)
        ticket = Ticket(
            tenant=tenant,
            rank=1,
            meters=waited_for(needs),
            request_id=name,
            needs=needs,
            amounts=amounts,
            estimate=Estimate(tokens, 0, nanousd),
            ask=lambda outcome: outcome,
            enter=lambda hold: self.enter(name, hold),
        )
        if self.usher.waiting and self.usher.bars(tenant, needs):
            await self.usher.wait(ticket)
            return
        outcome = self.usher.reserve(name, needs, amounts)
        elsewhere = not isinstance(outcome, Hold | Refused)
        verdict = await outcome if isinstance(outcome, Awaitable) else outcome
        if isinstance(verdict, Hold):
            self.enter(name, verdict)
        elif self.usher.takes(verdict):
            await self.usher.wait(ticket, verdict, elsewhere=elsewhere)
        else:
            raise LimitReached("at once")

    def enter(self, name: str, hold: Hold) -> None:
        if self.refuses is not None:
            self.usher.settle(hold, 0, 0)
            raise self.refuses
        self.inside[name] = hold

    def end(self, name: str, tokens: int = 0) -> None:
        self.usher.settle(self.inside.pop(name), tokens, 0)

    def waits(self, name: str, *needs: Meter, **fields: Any) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self.come(name, *needs, **fields))

    @property
    def is_idle(self) -> bool:
        """Nobody waits, and no timer is set."""
        return self.usher.waiting == 0 and self.usher._timer is None and not self.usher._asking


async def until(condition: Any, limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture(params=["here", "later", "redis"])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_always")
        counters = redis_counters(server)
        await counters.start()
        yield Door(counters)
        await counters.aclose()
    else:
        yield Door(Later() if request.param == "later" else None)


async def test_a_call_waits_for_a_place_and_gets_it_when_one_is_free(door: Door) -> None:
    await door.come("first", PLACE)
    second, third = door.waits("second", PLACE), door.waits("third", PLACE, tenant="b")
    await until(lambda: door.usher.waiting == 2)
    assert set(door.inside) == {"first"}
    door.end("first")
    await second
    assert set(door.inside) == {"second"}
    door.end("second")
    await third
    door.end("third")
    await until(lambda: door.is_idle)


async def test_a_call_waits_for_a_rate_as_long_as_it_takes(door: Door) -> None:
    meter = rate(20, burst=1)
    begun_s = CLOCK.monotonic_s()
    await asyncio.gather(*(door.come(f"{number}", meter) for number in range(5)))
    assert 0.19 <= CLOCK.monotonic_s() - begun_s < 1.0
    await until(lambda: door.is_idle)


async def test_it_takes_no_longer_than_the_bound(door: Door) -> None:
    door.usher.bound(QueueSettings(max_wait_seconds=0.1))
    await door.come("first", PLACE)
    with pytest.raises(
        LimitReached, match=r"limit 'one place' of 1 concurrent calls .* waited 0\.1\d* s for it$"
    ) as told:
        await door.come("second", PLACE)
    assert told.value.retry_after_s == 1.0
    await until(lambda: door.is_idle)


async def test_a_client_that_leaves_frees_its_place_in_the_queue(door: Door) -> None:
    await door.come("first", PLACE)
    second, third = door.waits("second", PLACE), door.waits("third", PLACE)
    await until(lambda: door.usher.waiting == 2)
    second.cancel()
    await until(lambda: door.usher.waiting == 1)
    door.end("first")
    await third
    assert set(door.inside) == {"third"}
    await until(lambda: door.is_idle)


async def test_cancelled_in_the_moment_of_being_let_in_it_has_been_entered(door: Door) -> None:
    """Then the ledger, which sees every call end, gives back what was taken."""
    for pause_s in (0.0, 0.0005, 0.001, 0.002, 0.003, 0.004):
        await door.come("first", PLACE)
        second = door.waits("second", PLACE)
        await until(lambda: door.usher.waiting == 1)
        door.end("first")
        await asyncio.sleep(pause_s)
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        await until(lambda: door.is_idle)
        if "second" in door.inside:
            door.end("second")
        await asyncio.sleep(0.01)
        await door.come("next", PLACE)
        door.end("next")
        await asyncio.sleep(0.01)


async def test_the_newest_goes_when_it_is_full_and_is_told_when_to_come_again() -> None:
    door = Door(max_waiting=1)
    meter = rate(1)
    await door.come("first", meter)
    second = door.waits("second", meter)
    await until(lambda: door.usher.waiting == 1)
    with pytest.raises(LimitReached, match=r"try again in .* s; the queue for it is full") as told:
        await door.come("third", meter)
    assert told.value.retry_after_s == pytest.approx(1.0, abs=0.1)
    second.cancel()


async def test_a_wait_that_is_known_to_be_too_long_is_refused_at_once() -> None:
    door = Door(max_wait_seconds=0.5)
    await door.come("first", rate(1))
    with pytest.raises(LimitReached, match="at once"):
        await door.come("second", rate(1))


async def test_what_waiting_does_not_change_is_refused_at_the_door(door: Door) -> None:
    """Also while others wait, so that it is not tried: too large for a rate, over a quota, over a budget."""
    tokens = rate(100, unit=Unit.TOKENS, name="tokens", rule="tokens")
    money = quota(100, unit=Unit.NANOUSD, name="money", rule="money")
    few = quota(100, name="few", rule="few")
    await door.come("first", PLACE)
    second = door.waits("second", PLACE)
    await until(lambda: door.usher.waiting == 1)
    with pytest.raises(LimitReached, match="can never take this call") as told:
        await door.come("large", PLACE, tokens, tokens=101)
    assert told.value.retry_after_s is None
    with pytest.raises(LimitReached, match="the quota 'few'"):
        await door.come("too many", PLACE, few, tokens=101)
    with pytest.raises(BudgetExceeded, match="the budget 'money'"):
        await door.come("dear", PLACE, money, nanousd=101)
    assert door.usher.waiting == 1
    door.end("first")
    await second


async def test_a_budget_that_is_used_up_meanwhile_refuses_when_the_turn_comes(door: Door) -> None:
    money = quota(100, unit=Unit.NANOUSD, name="money", rule="money")
    await door.come("first", PLACE)
    second = door.waits("second", PLACE, money, nanousd=60)
    await until(lambda: door.usher.waiting == 1)
    await door.come("other", money, nanousd=60)
    door.end("first")
    with pytest.raises(BudgetExceeded):
        await second
    await until(lambda: door.is_idle)


async def test_what_the_ledger_refuses_is_raised_and_the_next_is_let_in(door: Door) -> None:
    await door.come("first", PLACE)
    second, third = door.waits("second", PLACE), door.waits("third", PLACE)
    await until(lambda: door.usher.waiting == 2)
    door.refuses = StoreUnavailable("the ledger cannot be written")
    door.end("first")
    with pytest.raises(StoreUnavailable):
        await second
    with pytest.raises(StoreUnavailable):
        await third
    await until(lambda: door.is_idle)


async def test_counters_that_fail_refuse_who_waits() -> None:
    counters = Later()
    door = Door(counters)
    await door.come("first", PLACE)
    second = door.waits("second", PLACE)
    await until(lambda: door.usher.waiting == 1)
    counters.fails = StoreUnavailable("out of reach")
    with pytest.raises(StoreUnavailable):
        await second
    await until(lambda: door.is_idle)


async def test_places_that_other_processes_free_are_found_and_nothing_is_asked_while_nobody_waits() -> None:
    counters = Later()
    door = Door(counters)
    hold = counters.inner.reserve("elsewhere", (PLACE,), (1, 0, 0))
    assert isinstance(hold, Hold)
    waiting = door.waits("waits", PLACE)
    await asyncio.sleep(0.3)
    assert 3 <= counters.asked <= 9, "every 50 ms"
    counters.settle(hold, 0, 0)
    await asyncio.wait_for(waiting, 0.2)
    asked = counters.asked
    await asyncio.sleep(0.15)
    assert counters.asked == asked
    await until(lambda: door.is_idle)


async def test_two_processes_that_share_a_redis_share_the_place(redis_always: RedisServer) -> None:
    one, two = (redis_counters(redis_always, "shared") for _ in range(2))
    await one.start()
    await two.start()
    here, there = Door(one), Door(two)
    await here.come("here", PLACE)
    waiting = there.waits("there", PLACE)
    await until(lambda: there.usher.waiting == 1)
    here.end("here")
    await waiting
    assert set(there.inside) == {"there"}
    for counters in (one, two):
        await counters.aclose()


async def test_the_bounds_may_change_while_calls_wait() -> None:
    door = Door()
    await door.come("first", PLACE)
    second = door.waits("second", PLACE)
    await until(lambda: door.usher.waiting == 1)
    door.usher.bound(QueueSettings())
    with pytest.raises(LimitReached):
        await second
    with pytest.raises(LimitReached, match="at once"):
        await door.come("third", PLACE)


async def test_the_end_of_the_process_turns_everybody_away(door: Door) -> None:
    await door.come("first", PLACE)
    waiting = [door.waits(f"{number}", PLACE) for number in range(3)]
    await until(lambda: door.usher.waiting == 3)
    await door.usher.aclose()
    assert all(task.done() and isinstance(task.exception(), Draining) for task in waiting)
    await until(lambda: door.is_idle)


async def test_a_hundred_tenants_and_a_thousand_calls_all_end_once() -> None:
    door = Door(max_waiting=2000)
    meter = concurrency(20, name="places")
    running = most = 0

    async def call(number: int) -> None:
        nonlocal running, most
        name = f"{number}"
        await door.come(name, meter, tenant=f"{number % 100}")
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        door.end(name)

    await asyncio.gather(*(call(number) for number in range(1000)))
    assert most == 20
    await until(lambda: door.is_idle)
    assert isinstance(door.counters.reserve("?", (meter,), (1, 0, 0)), Hold)
