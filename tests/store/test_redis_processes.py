"""Several processes on one Redis: a limit of N admits N, whoever asks and however often."""

import asyncio
import subprocess
import sys

import pytest

from llmops.store.counters.meter import Unit
from tests.contract.counting import Counting, quota, redis_counters
from tests.serving import ROOT, environment
from tests.store.redis_server import RedisServer

PROCESS = """
import asyncio, sys
from tests.contract.counting import Counting, concurrency, quota, rate, redis_counters
from tests.store.redis_server import RedisServer
from llmops.store.counters.counters import Hold
from llmops.store.counters.meter import Unit

url, kind, attempts, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
server = RedisServer.__new__(RedisServer)
server.url = url
limit = 400
meters = {
    "rate": rate(1, period_us=10**9, burst=limit),  # one more in a quarter of an hour
    "tokens": rate(1, period_us=10**7, burst=limit * 3, unit=Unit.TOKENS),
    "quota": quota(limit * 3, window="total"),
    "budget": quota(limit * 7, name="budget", unit=Unit.NANOUSD, window="total"),
    "concurrency": concurrency(limit),
}
chosen = tuple(meters.values()) if kind == "all" else (meters[kind],)

async def main():
    counters = redis_counters(server, "processes-" + kind + name[0])
    await counters.start()
    while counters.needs_seed:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    sys.stdin.readline()

    async def call(number):
        outcome = counters.reserve(f"req_{name}_{number}", chosen, (1, 3, 7))
        return isinstance(await outcome, Hold)

    admitted = 0
    for start in range(0, attempts, 64):
        admitted += sum(await asyncio.gather(*(call(number) for number in range(start, min(start + 64, attempts)))))
    print(admitted, counters.lost_times, flush=True)
    await counters.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("processes", "kind"),
    [(2, "rate"), (2, "all"), (4, "tokens"), (4, "quota"), (4, "budget"), (4, "concurrency"), (4, "all")],
)
def test_processes_together_admit_exactly_the_limit(processes: int, kind: str, redis_always: RedisServer) -> None:
    attempts = 1000 // processes
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, redis_always.url, kind, str(attempts), f"{processes}-{number}"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=40)[0].split() for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [lost for _, lost in said] == ["0"] * processes
    assert sum(int(admitted) for admitted, _ in said) == 400


async def test_processes_know_how_many_they_are(redis_always: RedisServer) -> None:
    counters = [redis_counters(redis_always, "counted") for _ in range(3)]
    for each in counters:
        await each.start()
    assert [each.processes for each in counters] == [1, 2, 3]
    await counters[0].aclose()
    late = redis_counters(redis_always, "counted")
    await late.start()
    assert late.processes == 3
    for each in (*counters[1:], late):
        await each.aclose()


async def test_calls_of_one_turn_share_a_round_trip(redis_always: RedisServer) -> None:
    counters = redis_counters(redis_always)
    await counters.start()
    taking, meter = Counting(counters, None), quota(10**6, unit=Unit.TOKENS)  # type: ignore[arg-type]
    await taking.hold(meter)
    before = redis_always.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
    holds = await asyncio.gather(*(taking.hold(meter, tokens=1) for _ in range(200)))
    for hold in holds:
        counters.settle(hold, 2, 0)
    assert await counters.used([meter]) == [400]
    assert redis_always.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] - before <= 4
    await counters.aclose()


async def test_a_caller_that_leaves_gives_back_what_was_taken_for_it(redis_always: RedisServer) -> None:
    """At every moment of its wait: not sent yet, under way, answered and not looked at."""
    counters = redis_counters(redis_always)
    await counters.start()
    taking, meter = Counting(counters, None), quota(10**6)  # type: ignore[arg-type]
    for turns in range(30):
        call = asyncio.ensure_future(taking.hold(meter, tokens=1))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            counters.settle(outcome, 0, 0)
    for _ in range(100):
        if await counters.used([meter]) == [0]:
            break
        await asyncio.sleep(0.01)
    assert await counters.used([meter]) == [0]
    await counters.aclose()
