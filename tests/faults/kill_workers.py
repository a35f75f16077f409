"""kill -9 of one of two workers on one Redis, or of both and their parent, amid load.

The worker that takes the dead one's place, or its sibling within ten seconds, completes the log and tells Redis what
the calls of the dead have used; the calls of the other worker do not notice.
"""

import asyncio
import os
import signal
import time
from typing import Any

from tests.fakes.upstream import eventually
from tests.store.redis_server import RedisServer, binary, redis_server

from .load import Load
from .processes import listening
from .scene import Options, Scene, judge_whole, needed, scene

_WORKERS = 2
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
    """They say what the database says, and no call holds anything in Redis any more."""
    await on.judge_counters()
    on.lines.read()
    logged = {line.request_id for line in on.lines.by_trace.values()}
    for key in server.command("KEYS", "{llmops}:h:*"):
        if server.command("GET", key):  # a released call leaves an empty mark for a while
            request_id = key.decode().rpartition(":")[2]
            on.report.expect(False, "no call holds anything when all have ended", (request_id, request_id in logged))


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
