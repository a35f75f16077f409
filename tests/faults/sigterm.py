"""SIGTERM with streams open: calls under way end within the drain time or are cut there, and nothing needs a recovery.

In every other run the gateway is killed amid the drain, which is a crash like any other.
"""

import asyncio
import time

from llmops.tokens import estimate_tokens

from .load import Load
from .plan import Plan, mixed
from .scene import Options, Scene, judge_whole, scene

_DRAIN_S = 1.0


def some_too_long(trace_id: str) -> Plan:
    """One in five streams is longer than any drain."""
    return Plan(chunks=100_000, pause_s=0.05) if trace_id[0] in "012" else mixed(trace_id)


async def sigterm(options: Options) -> None:
    server = {"drain_seconds": _DRAIN_S, "drain_delay_seconds": 0.2}
    async with scene(options, some_too_long, server=server) as on, on.load(options.rate / 2, some_too_long) as load:
        runs, judged = options.runs or 20, 0
        for run in range(1, runs + 1):
            await asyncio.sleep(on.luck.uniform(0.5, 1.5))
            killed = run % 2 == 0
            ended_s = await (_kill_amid_drain(on) if killed else _let_go(on))
            traces = list(on.upstream.asked)[judged:]
            judged += len(traces)
            on.gateway.start()
            await on.gateway.ready()
            for trace in await on.until_logged(traces, limit_s=5):
                on.report.expect(False, "a call that reached the upstream has a line after SIGTERM", trace)
            _judge(on, load, traces, ended_s if killed else None)
            on.report.say(f"{run}/{runs}: {judged} calls judged")
        load.paused = True
        await on.gateway.stop()  # which cuts what would never end
        await load.stop()
        await on.judge_books()


async def _let_go(on: Scene) -> float:
    """To its own end, after which the log is complete and no journal left."""
    begun_s = time.monotonic()
    status = await on.gateway.stop()
    on.report.expect(status == 0, "an orderly end is exit status 0", status)
    on.report.count("orderly ends")
    took_s = time.monotonic() - begun_s
    on.report.expect(took_s < _DRAIN_S + 10, "it has gone soon after the drain time", f"{took_s:.1f} s")
    await asyncio.sleep(0.05)
    for trace in await on.until_logged(on.upstream.asked, limit_s=0.5):
        on.report.expect(False, "an orderly end leaves no call without its line", trace)
    left = [path.name for path in (on.gateway.log_dir / "journal").glob("*.jsonl")]
    on.report.expect(not left, "an orderly end leaves no journal", left)
    return time.monotonic()


async def _kill_amid_drain(on: Scene) -> float:
    on.gateway.terminate()
    await asyncio.sleep(on.luck.uniform(0.0, _DRAIN_S))
    on.gateway.kill()
    on.report.count("kills amid the drain")
    ended_s = time.monotonic()
    await asyncio.sleep(0.05)
    return ended_s


def _judge(on: Scene, load: Load, traces: list[str], killed_s: float | None) -> None:
    for trace in traces:
        line, sent, asked = on.lines.by_trace.get(trace), load.sent[trace], on.upstream.asked[trace]
        if line is None:
            continue
        on.report.expect(
            killed_s is not None or not line.recovered, "after an orderly end nothing needs a recovery", line
        )
        if sent.whole:
            judge_whole(on.report, sent, line, killed_s)
        elif line.recovered:
            on.report.count("cut by the kill, charged their estimate")
            on.report.expect(bool(line.cost_nanousd), "a call that was cut is charged", line)
        else:
            on.report.count("cut at the end of the drain, charged what was produced")
            used = line.token_usage
            most = max(estimate_tokens(asked.produced_bytes), sent.plan.completion_tokens)
            estimated = line.cost_nanousd == line.reserved_nanousd
            on.report.expect(
                bool(line.cost_nanousd) and (used.completion <= most or estimated),
                "a cut call is charged no more than was produced, or its estimate",
                f"{line}, produced {asked.produced_bytes} bytes",
            )
