"""kill -9 of one of two workers on one Redis, or of both and their parent, amid load.

The worker that takes the dead one's place, or its sibling within ten seconds, completes the log; the calls of the other
worker do not notice.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from typing import Any

import msgspec

from tests.fakes.upstream import eventually
from tests.store.redis_server import RedisServer, binary, redis_server

from .load import Load
from .processes import listening
from .scene import Options, Scene, judge_whole, needed, scene

_WORKERS = 2
_QUOTA = 2
"""What Redis keeps of a call: this kind of entry is a counter's name, its unit and the amount taken."""
_TAKE_OVER_S = 15.0
"""A sibling looks for orphans every ten seconds, if the new worker has not been there before."""


async def kill_workers(options: Options) -> None:
    program = needed(binary(), "Redis", "redis-server")
    with redis_server(program, durable=True) as server:
        sections: dict[str, Any] = {"server": {"workers": _WORKERS, "drain_seconds": 20, "drain_delay_seconds": 0}}
        async with scene(options, redis={"url": server.url}, **sections) as on, on.load(options.rate) as load:
            await _until_all_serve(on)
            judged, took_s = 0, []
            runs = options.runs or 20
            for run in range(1, runs + 1):
                await asyncio.sleep(on.luck.uniform(0.3, 1.6))
                one = run % 2 == 1
                killed_s = time.monotonic()
                if one:
                    os.kill(on.luck.choice(on.gateway.workers()), signal.SIGKILL)
                else:
                    on.gateway.kill()
                await asyncio.sleep(0.05)
                traces = list(on.upstream.asked)[judged:]
                if not one:
                    on.gateway.start()
                    await on.gateway.ready()
                await _until_all_serve(on)
                missing = await on.until_logged(traces, _TAKE_OVER_S)
                took_s.append(time.monotonic() - killed_s)
                for trace in missing:
                    on.report.expect(False, "a call that reached the upstream has a line in the end", trace)
                _judge(on, load, traces, killed_s)
                judged += len(traces)
                on.report.count("kills of one worker" if one else "kills of both and their parent")
                on.report.say(f"{run}/{runs}: {judged} calls judged, {took_s[-1]:.1f} s")
            await load.stop()
            await _judge_counters(on, server)
            on.report.expect(await on.gateway.stop() == 0, "an orderly end is exit status 0")
            await on.judge_books()
            on.report.times("kill until all serve again and the log is complete", took_s)


async def _judge_counters(on: Scene, server: RedisServer) -> None:
    """They say at least what the database says, and no more than that and the estimates that kills have left behind.

    A process that is killed between Redis' answer and its own journal, or between a call's line and its settlement in
    Redis, leaves an estimate there that nobody settles: budgets are then too full by that much, never too empty.
    """
    await asyncio.sleep(1.0)  # until the last settlements are there
    on.lines.read()
    logged = {line.request_id for line in on.lines.by_trace.values()}
    left: Counter[str] = Counter()
    for key in server.command("KEYS", "{llmops}:h:*"):
        ended = key.decode().rpartition(":")[2] in logged
        on.report.count(f"estimates left in Redis of calls that {'are in the log' if ended else 'never went upstream'}")
        for kind, counter, *taken in msgspec.msgpack.decode(server.command("GET", key) or b"\x90"):
            if kind == _QUOTA:
                left[counter.split(":", 3)[3]] += taken[1]
    for each in (await on.gateway.counters())["differences"]:
        beyond = each["counted"] - each["stored"]
        on.report.expect(0 < beyond <= left[each["meter"]], "counters are ahead by left estimates at most", each)


async def _until_all_serve(on: Scene) -> None:
    assert await eventually(lambda: listening(on.gateway) == _WORKERS, 30), on.gateway.said[-2000:]


def _judge(on: Scene, load: Load, traces: list[str], killed_s: float) -> None:
    for trace in traces:
        line, sent = on.lines.by_trace.get(trace), load.sent[trace]
        if line is None:
            continue
        if sent.whole:
            judge_whole(on.report, sent, line, killed_s)
        else:
            on.report.count("cut by the kill")
            on.report.expect(bool(line.cost_nanousd), "a call that was cut is charged", line)
