"""The contract of counters: the same calls pass in-process and in Redis, to the microsecond and the nano-dollar."""

import calendar
import datetime
import random
from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from llmops.store.counters.meter import MAX_EXACT, Quota, rate_per_minute
from llmops.store.counters.window import WINDOWS, end_of, starts_of

from ..store.redis_server import RedisServer
from .counting import (
    LEASE_S,
    NANOUSD,
    REQUESTS,
    TOKENS,
    Counting,
    concurrency,
    in_process,
    in_redis,
    quota,
    rate,
    redis_counters,
)

US = 1e-6


@pytest.fixture(params=["in-process", "redis"])
async def counting(request: pytest.FixtureRequest) -> AsyncIterator[Counting]:
    if request.param == "in-process":
        yield in_process()
        return
    async with in_redis(request.getfixturevalue("redis_always")) as found:
        yield found


# --- rates ------------------------------------------------------------------------------------------------------


async def test_a_rate_lets_its_burst_pass_and_then_one_per_interval_to_the_microsecond(counting: Counting) -> None:
    meter = rate(10, burst=3)
    for taken in range(1, 4):
        assert (await counting.hold(meter)).readings == [taken * meter.period_us]
    refused = await counting.refused(meter)
    assert (refused.meter, refused.reading, refused.wait_s) == (meter, 3_000_000, 0.1)
    counting.clock.advance(0.1 - US)
    assert (await counting.refused(meter)).wait_s == pytest.approx(US, rel=1e-3)
    counting.clock.advance(US * 1.01)  # a microsecond, whatever a sum of binary fractions makes of it
    await counting.hold(meter)
    assert (await counting.refused(meter)).wait_s is not None


async def test_a_rate_is_whole_again_after_its_burst_and_saves_no_more(counting: Counting) -> None:
    meter = rate(10, burst=5)
    for seconds in (0.0, 0.51, 86_400.0, 40_000_000.0):
        counting.clock.advance(seconds)
        for _ in range(5):
            await counting.hold(meter)
        await counting.refused(meter)


async def test_a_slow_rate_counts_in_whole_numbers(counting: Counting) -> None:
    """Half a request per second, as 500 per 1000 s."""
    meter = rate(500, period_us=1_000_000_000, burst=1)
    await counting.hold(meter)
    assert (await counting.refused(meter)).wait_s == 2.0
    counting.clock.advance(2.0)
    await counting.hold(meter)


async def test_a_call_larger_than_the_burst_never_fits(counting: Counting) -> None:
    meter = rate(100, unit=TOKENS)
    assert (await counting.refused(meter, tokens=101)).wait_s is None
    await counting.hold(meter, tokens=100)


@pytest.mark.parametrize("used", [0, 40, 60, 90])
async def test_a_rate_of_tokens_is_settled_on_what_was_used(counting: Counting, used: int) -> None:
    meter = rate(100, period_us=60_000_000, unit=TOKENS)
    held = await counting.hold(meter, tokens=60)
    await counting.settle(held, used)
    await counting.refused(meter, tokens=100 - used + 1)
    await counting.hold(meter, tokens=100 - used)


async def test_a_settlement_beyond_the_burst_is_paid_off_by_waiting(counting: Counting) -> None:
    meter = rate(100, unit=TOKENS)
    await counting.settle(await counting.hold(meter, tokens=100), 300)
    assert (await counting.refused(meter, tokens=1)).wait_s == pytest.approx(2.01)
    counting.clock.advance(2.02)
    await counting.hold(meter, tokens=1)


async def test_what_has_drained_meanwhile_is_not_given_back_twice(counting: Counting) -> None:
    meter = rate(100, unit=TOKENS)
    held = await counting.hold(meter, tokens=100)
    counting.clock.advance(3600)
    await counting.settle(held, 10)
    await counting.hold(meter, tokens=100)
    await counting.refused(meter, tokens=1)


async def test_the_largest_rate_is_exact(counting: Counting) -> None:
    count, period_us, burst = rate_per_minute(99_999_999)
    meter = rate(count, period_us=period_us, burst=burst, unit=TOKENS)
    await counting.hold(meter, tokens=burst)
    assert (await counting.refused(meter, tokens=1)).reading == burst * period_us
    counting.clock.advance(US)
    await counting.hold(meter, tokens=1)
    await counting.refused(meter, tokens=1)


async def test_a_debt_ends_where_numbers_stop_being_exact(counting: Counting) -> None:
    meter = rate(1_000_000, period_us=60_000_000, unit=TOKENS)
    await counting.settle(await counting.hold(meter, tokens=1), 10**30)
    refused = await counting.refused(meter, tokens=1)
    assert refused.reading == MAX_EXACT
    counting.clock.advance(MAX_EXACT / 1_000_000 / 1_000_000 + 1)
    await counting.hold(meter, tokens=1_000_000)


# --- quotas -----------------------------------------------------------------------------------------------------


async def test_a_quota_lets_exactly_its_limit_pass(counting: Counting) -> None:
    meter = quota(100)
    assert (await counting.hold(meter, tokens=99)).readings == [99]
    refused = await counting.refused(meter, tokens=2)
    now_s = counting.clock.now_s()
    assert (refused.reading, refused.wait_s) == (99, (end_of("day", now_s) or 0) - now_s)
    await counting.hold(meter, tokens=1)
    assert await counting.used(meter) == [100]


@pytest.mark.parametrize(("needed", "window"), [(101, "day"), (100, "total")])
async def test_waiting_does_not_help_where_nothing_resets_or_the_call_is_too_large(
    counting: Counting, needed: int, window: str
) -> None:
    meter = quota(100, window=window)
    await counting.hold(meter, tokens=1)
    assert (await counting.refused(meter, tokens=needed)).wait_s is None


async def test_a_new_window_begins_at_zero_and_an_old_call_leaves_it_alone(counting: Counting) -> None:
    meters = [quota(100, name=window, window=window) for window in WINDOWS]
    held = await counting.hold(*meters, tokens=60)
    assert held.windows == starts_of(counting.clock.now_s())
    counting.clock.advance(86_400)
    assert (await counting.used(*meters))[::3] == [0, 60]
    counting.clock.advance(62 * 86_400)
    assert await counting.used(*meters) == [0, 0, 0, 60]
    await counting.hold(*meters, tokens=30)
    await counting.settle(held, 50)
    assert await counting.used(*meters) == [30, 30, 30, 80]


@pytest.mark.parametrize("used", [0, 5, 70, 250])
async def test_a_quota_is_settled_on_what_was_used(counting: Counting, used: int) -> None:
    tokens, money = quota(100), quota(10**15, name="budget", unit=NANOUSD, window="total")
    await counting.hold(tokens, tokens=20)
    held = await counting.hold(tokens, money, tokens=70, nanousd=7 * 10**14)
    await counting.settle(held, used, used * 10**12 + 1)
    assert await counting.used(tokens, money) == [20 + used, used * 10**12 + 1]


async def test_uses_are_raised_and_never_lowered(counting: Counting) -> None:
    first, second, third = (quota(100, name=name) for name in "abc")
    await counting.hold(first, tokens=50)
    await counting.raise_to({"a": 20, "b": 100}, [first, second, third])
    assert await counting.used(first, second, third) == [50, 100, 0]
    await counting.refused(second, tokens=1)
    await counting.raise_to({"a": 60, "b": 1}, [first, second])
    assert await counting.used(first, second) == [60, 100]


async def test_absurd_amounts_are_refused_and_do_no_harm(counting: Counting) -> None:
    hard, soft, money = quota(10**13), quota(10, name="soft", hard=False), quota(10**15, name="b", unit=NANOUSD)
    for absurd in (10**13 + 1, MAX_EXACT, 2**64, 10**30):
        await counting.refused(hard, tokens=absurd)
        await counting.refused(money, nanousd=absurd * 1000)
        await counting.refused(rate(10**6, unit=TOKENS), tokens=absurd)
    await counting.settle(await counting.hold(hard, soft, money, tokens=-5, nanousd=-5), -7, -7)
    assert await counting.used(hard, soft, money) == [0, 0, 0]
    await counting.settle(await counting.hold(soft, tokens=10**30), 3)
    await counting.hold(hard, money, tokens=10**13, nanousd=10**15)


# --- concurrency ------------------------------------------------------------------------------------------------


async def test_places_among_concurrent_calls_are_freed_by_settling(counting: Counting) -> None:
    meter = concurrency(2)
    first, second = await counting.hold(meter), await counting.hold(meter)
    assert (first.readings, second.readings) == ([1], [2])
    refused = await counting.refused(meter)
    assert (refused.reading, refused.wait_s) == (2, None)
    await counting.settle(first)
    assert (await counting.hold(meter)).readings == [2]
    await counting.refused(meter)
    await counting.settle(second)
    await counting.hold(meter)


# --- all together, and the kinds that never refuse --------------------------------------------------------------


async def test_all_is_taken_or_nothing(counting: Counting) -> None:
    fits = (rate(3), rate(50, unit=TOKENS), quota(50), concurrency(3))
    for blocked in (rate(1, name="r"), quota(9, name="q"), quota(9, name="b", unit=NANOUSD), concurrency(1, name="c")):
        if blocked.name in "rc":
            await counting.hold(blocked)
        for meters in ((*fits, blocked), (blocked, *fits)):
            assert (await counting.refused(*meters, tokens=10, nanousd=10)).meter is blocked
    held = await counting.hold(*fits, tokens=50)
    assert held.readings == [1_000_000, 50_000_000, 50, 1]


async def test_the_first_that_refuses_is_named(counting: Counting) -> None:
    assert (await counting.refused(quota(5, name="a"), quota(1, name="b"), tokens=6)).meter.name == "a"


async def test_shadows_and_soft_quotas_count_and_never_refuse(counting: Counting) -> None:
    shadows = (
        rate(1, shadow=True),
        quota(5, name="shadow", shadow=True),
        quota(5, name="soft", unit=NANOUSD, hard=False),
        concurrency(1, shadow=True),
    )
    first = await counting.hold(*shadows, tokens=5, nanousd=5)
    second = await counting.hold(*shadows, tokens=5, nanousd=5)
    assert (list(first.over), list(second.over)) == ([], [0, 1, 2, 3])
    assert list(second.readings) == [1_000_000, 10, 10, 2]
    await counting.settle(second, 1, 1)
    third = await counting.hold(*shadows, tokens=5, nanousd=5)
    assert (list(third.readings), list(third.over)) == ([1_000_000, 11, 11, 2], [0, 1, 2, 3])


async def test_a_shadow_rate_counts_only_what_it_would_have_let_pass(counting: Counting) -> None:
    meter = rate(10, unit=TOKENS, shadow=True)
    await counting.hold(meter, tokens=8)
    over = await counting.hold(meter, tokens=8)
    await counting.settle(over, 100)
    assert list((await counting.hold(meter, tokens=2)).over) == []


async def test_requests_stay_counted(counting: Counting) -> None:
    meter, calls = rate(1), quota(1, unit=REQUESTS)
    await counting.settle(await counting.hold(meter, calls))
    await counting.refused(meter)
    await counting.refused(calls)


async def test_a_call_without_meters_takes_nothing(counting: Counting) -> None:
    await counting.settle(await counting.hold(), 5, 5)


# --- what only Redis has ----------------------------------------------------------------------------------------


async def test_a_settlement_counts_once_however_often_and_by_whom_it_is_sent(redis_always: RedisServer) -> None:
    """Process B is told by the journal of A, which died, what A's call has used; A's own settlement came late."""
    meters = (quota(100), quota(100, name="b", unit=NANOUSD, window="total"), rate(100, unit=TOKENS), concurrency(1))
    a, b = redis_counters(redis_always, "once"), redis_counters(redis_always, "once")
    await a.start()
    await b.start()
    held = await Counting(a, None).hold(*meters, tokens=70, nanousd=70)  # type: ignore[arg-type]
    assert held.shared
    b.settle_by_id(held.request_id, 50, 20)
    assert await b.used(meters[:2]) == [50, 20]
    for again in (a, b):
        again.settle(held, 50, 20)
        again.settle_by_id(held.request_id, 60, 30)
        again.settle_by_id("req_unknown", 60, 30)
        assert await again.used(meters[:2]) == [50, 20]
    await a.aclose()
    await b.aclose()


async def test_places_of_calls_whose_process_died_are_free_after_their_lease(redis_always: RedisServer) -> None:
    async with in_redis(redis_always) as counting:
        meters = (concurrency(2), quota(100))
        await counting.hold(*meters, tokens=10)
        counting.clock.advance(LEASE_S - 1)
        await counting.hold(*meters, tokens=10)
        await counting.refused(*meters, tokens=10)
        counting.clock.advance(2)
        assert (await counting.hold(*meters, tokens=10)).readings == [2, 30]  # tokens stay charged as estimated


async def test_real_time_is_that_of_redis(redis_always: RedisServer) -> None:
    counters = redis_counters(redis_always, now_s=lambda: 0.0, monotonic_s=lambda: 0.0)
    await counters.start()
    taking = Counting(counters, None)  # type: ignore[arg-type]
    day = quota(5)
    seconds, _ = redis_always.command("TIME")
    assert (await taking.hold(rate(1), day)).windows[0] == int(seconds) // 86400 * 86400
    assert 0.5 < (await taking.refused(rate(1))).wait_s <= 1.0  # type: ignore[operator]
    await counters.aclose()


def test_the_scripts_calendar_is_ours(redis_always: RedisServer) -> None:
    script = (files("llmops.store.counters") / "counters.lua").read_text()
    functions = script[script.index("-- Days from the epoch") : script.index("local starts, ends")]
    lua = f"local floor, now_s = math.floor, tonumber(ARGV[1])\n{functions}\nlocal s, e = windows()\n"
    lua += "return {s[1], s[2], s[3], s[4], e[1], e[2], e[3]}"
    luck = random.Random(7)
    moments = [luck.randrange(0, 4_102_444_800) for _ in range(500)]
    for year in (1999, 2000, 2023, 2024, 2026, 2100):
        for month in range(1, 13):
            begun = calendar.timegm((year, month, 1, 0, 0, 0))
            moments += [begun, begun - 1, begun + 86_399]
    moments += [calendar.timegm(datetime.date(2026, 2, 28).timetuple()) + 86_399]
    for moment in moments:
        ends = [end_of(window, moment) for window in WINDOWS[:3]]
        assert redis_always.command("EVAL", lua, 0, moment) == [*starts_of(moment), *ends], moment


async def test_windows_seen_by_a_clock_that_is_set_back_are_remembered() -> None:
    counting = in_process()
    meter: Quota = quota(100)
    await counting.hold(meter, tokens=100)
    counting.clock.advance(-86_400)
    await counting.hold(meter, tokens=50)
    counting.clock.advance(86_400)
    await counting.refused(meter, tokens=1)
