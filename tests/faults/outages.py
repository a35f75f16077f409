"""Redis and PostgreSQL killed amid load, away for minutes, and started again: no call notices, and no row is lost.

The exception is what was configured: while Redis is away, calls under a hard budget are refused with 503.
"""

import asyncio
import time
from collections.abc import Callable

from tests.store.postgres import binaries, postgres_server
from tests.store.redis_server import binary, redis_server

from .load import Load
from .plan import mixed
from .scene import RULES, Options, Scene, judge_whole, needed, scene

_GROWTH_LIMIT_MIB = 64.0
_EDGE_S = 2.0
"""Around an outage: when it was noticed, and when it was over, is known no better from outside."""
_BACK_LIMIT_S = 30.0


async def postgres_lost(options: Options) -> None:
    with postgres_server(needed(binaries(), "PostgreSQL", "postgresql")) as server:
        async with scene(options, database={"url": server.fresh()}) as on:
            async with on.load(_rate(options)) as load:
                await _outage(on, options, server.kill, server.start, says="calls cannot be stored")
            await _judge(on, load)


async def redis_lost(options: Options) -> None:
    """Hard budgets of one model fail closed; calls to the other one are not to notice."""
    await _without_redis(options, "closed")


async def redis_lost_open(options: Options) -> None:
    """Hard budgets are configured to let calls pass: none is to notice."""
    await _without_redis(options, "open")


async def _without_redis(options: Options, on_loss: str) -> None:
    program = needed(binary(), "Redis", "redis-server")
    budgets = [{**budget, "where": {"model": "beta"}} for budget in RULES["budgets"]]
    soft = [{**budget, "name": f"soft-{budget['name']}", "hard": False} for budget in RULES["budgets"]]
    with redis_server(program, durable=True) as server:
        redis = {"url": server.url, "budgets_on_loss": on_loss}
        async with scene(options, redis=redis, budgets=[*budgets, *soft]) as on:
            async with on.load(_rate(options)) as load:
                away = await _outage(on, options, server.kill, server.start, says="Redis is out of reach")
                await asyncio.sleep(_EDGE_S)
            await _judge(on, load, refused=(away if on_loss == "closed" else None))


def _rate(options: Options) -> float:
    return options.rate / 2.5


async def _outage(
    on: Scene, options: Options, kill: Callable[[], None], start: Callable[[], None], *, says: str
) -> tuple[float, float]:
    """Take the store away and bring it back; when that was."""
    report, gateway = on.report, on.gateway
    pid = gateway.pid
    await asyncio.sleep(1.5 if options.quick else 20.0)  # until memory is what the load needs
    before_mib = most_mib = gateway.resident_mib()
    away_s = time.monotonic()
    await asyncio.to_thread(kill)
    until_s = time.monotonic() + options.outage_s
    said, told_s = False, 0.0
    while time.monotonic() < until_s:
        await asyncio.sleep(0.5)
        most_mib = max(most_mib, gateway.resident_mib())
        said = said or any(says in problem for problem in await gateway.problems())
        if time.monotonic() - told_s > 15:
            told_s = time.monotonic()
            report.say(f"away for {told_s - away_s:.0f} s, {most_mib - before_mib:+.1f} MiB")
    await asyncio.to_thread(start)
    back_s = time.monotonic()
    report.expect(said, f"/health says so meanwhile: {says}")
    problems = await gateway.healthy(_BACK_LIMIT_S)
    report.expect(not problems, "it joins again without a restart", problems)
    report.expect(gateway.pid == pid and gateway.running, "the gateway lives through it")
    growth_mib = most_mib - before_mib
    report.expect(growth_mib <= _GROWTH_LIMIT_MIB, f"memory grows by {_GROWTH_LIMIT_MIB:g} MiB at most", growth_mib)
    report.figures |= {
        "outage, s": round(back_s - away_s, 1),
        "memory growth meanwhile, MiB": round(growth_mib, 1),
        "back until all is well, s": round(time.monotonic() - back_s, 2),
    }
    return away_s, time.monotonic()


async def _judge(on: Scene, load: Load, *, refused: tuple[float, float] | None = None) -> None:
    """Every call has its whole answer, its line and its row, and is charged exactly; ``refused`` is when calls under a
    hard budget may have been turned away."""
    report = on.report
    for trace in await on.until_logged(load.sent, limit_s=5):
        report.expect(False, "every call has a line", load.sent[trace])
    await on.until_stored([on.lines.by_trace[trace] for trace in load.sent if trace in on.lines.by_trace])
    for trace, sent in load.sent.items():
        line = on.lines.by_trace.get(trace)
        if sent.whole and line is not None:
            judge_whole(report, sent, line)
        elif refused and mixed(trace).model == "beta" and _during(refused, sent.started_s) and sent.status == 503:
            report.count("calls under a hard budget, refused with 503 as configured")
        else:
            report.expect(False, "no call fails because of it", f"{sent.status} {sent.failed}")
    await on.judge_counters()
    status = await on.gateway.stop()
    report.expect(status == 0, "an orderly end is exit status 0", status)
    await on.judge_books()


def _during(period: tuple[float, float], moment_s: float) -> bool:
    return period[0] - _EDGE_S <= moment_s <= period[1] + _EDGE_S
