"""kill -9 under mixed load, again and again, in one folder whose log and database grow through all lives.

After each restart every call that had reached the upstream has one line and one row; who got the whole answer is
charged exactly, and the others by rule. Clients keep calling through all of it.
"""

import asyncio
import os
import time

from .load import Load
from .moments import Moment, any_time, at_new_journal, at_rotation, wait_for_recovery
from .scene import Options, Scene, judge_whole, scene

RECOVERY_LIMIT_S = 2.0
_QUICK_LIMIT_S = 15.0
"""In a quick run other tests may have the machine; how long it took is shown there, and judged at full length."""
_SETTLE_S = 0.05


async def kill(options: Options) -> None:
    """At any moment."""
    async with scene(options) as on, on.load(options.rate) as load:
        await _run(on, load, options, any_time, runs=100)


async def kill_rotation(options: Options) -> None:
    """While the log begins a new file. Lines are long, so that it does so every second."""
    async with scene(options, log={"rotate_megabytes": 1}) as on, on.load(options.rate, tags=10) as load:
        await _run(on, load, options, at_rotation, runs=20)


async def kill_journal(options: Options) -> None:
    """While the journal begins a new file, in its own time: some seconds after the start."""
    async with scene(options, log={"rotate_megabytes": 1}) as on, on.load(options.rate, tags=10) as load:
        await _run(on, load, options, at_new_journal, runs=10)


async def kill_recovery(options: Options) -> None:
    """And once or twice more while it recovers."""
    async with scene(options) as on, on.load(options.rate) as load:
        await _run(on, load, options, any_time, runs=20, again=2)


async def _run(on: Scene, load: Load, options: Options, moment: Moment, *, runs: int, again: int = 0) -> None:
    report, gateway = on.report, on.gateway
    runs = options.runs or runs
    limit_s = _QUICK_LIMIT_S if options.quick else RECOVERY_LIMIT_S
    recovered_s: list[float] = []
    worked_s: list[float] = []
    stored_s: list[float] = []
    rates: list[float] = []
    judged = 0
    for run in range(1, runs + 1):
        begun_s, before = time.monotonic(), len(on.upstream.asked)
        await moment(gateway, on.luck)
        gateway.kill()
        killed_s = time.monotonic()
        rates.append((len(on.upstream.asked) - before) / (killed_s - begun_s))
        for _ in range(again):
            await _kill_amid_recovery(on, load)
        started_s = time.monotonic()
        gateway.start()
        await asyncio.sleep(
            _SETTLE_S
        )  # what the dead one had sent has reached the upstream, and this one does not serve
        reached = list(on.upstream.asked)[judged:]
        await gateway.ready()
        ready_s = time.monotonic() - started_s
        worked_s.append(gateway.processor_s())
        missing = await on.until_logged(reached, _QUICK_LIMIT_S)
        recovered_s.append(time.monotonic() - started_s)
        for trace in missing:
            report.expect(False, "a call that reached the upstream has a line after the restart", trace)
        stored_s.append(await _judge(on, load, reached, killed_s))
        judged += len(reached)
        report.say(f"{run}/{runs}: ready after {ready_s:.2f} s, {judged} calls judged, {on.lines.lines} lines")
        found = f"{recovered_s[-1]:.2f} s, of them {worked_s[-1]:.2f} s of processor time"
        report.expect(recovered_s[-1] <= limit_s, f"recovery takes {limit_s:g} s at most", found)
    await _end(on, load, judged)
    report.figures |= {"kills": runs, "calls a second at the upstream": f"{min(rates):.0f} to {max(rates):.0f}"}
    report.times("start to ready with the log complete", recovered_s)
    report.times("its processor time until ready", worked_s)
    report.figures["load average"] = round(os.getloadavg()[0], 1)
    report.times("and until the database had it all", stored_s)


async def _judge(on: Scene, load: Load, traces: list[str], killed_s: float | None) -> float:
    """What each of these calls, whose lines are there, is charged; then that the database says the same."""
    report = on.report
    lines = [on.lines.by_trace[trace] for trace in traces if trace in on.lines.by_trace]
    for line in lines:
        sent = load.sent[line.trace_id]
        if sent.whole:
            judge_whole(report, sent, line, killed_s)
        elif line.recovered:
            report.count("cut by the kill, charged their estimate")
            report.expect(
                line.cost_nanousd == line.reserved_nanousd and bool(line.cost_nanousd),
                "a call that the kill cut is charged its estimate",
                line,
            )
        else:
            report.count("cut by the kill, charged what they used")
            report.expect(bool(line.cost_nanousd), "a call that reached the upstream is charged", line)
    return await on.until_stored(lines)


async def _kill_amid_recovery(on: Scene, load: Load) -> None:
    """Start it, kill it while it recovers, and note how far it had come."""
    load.paused = True  # a busy loop would see the lock too late
    try:
        on.gateway.start()
        seen = await asyncio.to_thread(wait_for_recovery, on.gateway, on.luck)
        on.gateway.kill()
        known = on.lines.lines
        on.lines.read()
        left = any((on.gateway.log_dir / "journal").glob("*.jsonl"))
        how_far = "before it wrote" if on.lines.lines == known else "after it wrote, journals still there"
        on.report.count(f"killed again amid the recovery, {how_far if left else 'at its end'}" if seen else "too late")
    finally:
        load.paused = False


async def _end(on: Scene, load: Load, judged: int) -> None:
    """An orderly end: clients get their answers, the gateway leaves, and the books are compared."""
    await load.stop()
    await on.judge_counters()
    status = await on.gateway.stop()
    on.report.expect(status == 0, "an orderly end is exit status 0", status)
    rest = list(on.upstream.asked)[judged:]
    for trace in await on.until_logged(rest, limit_s=1.0):
        on.report.expect(False, "a call that reached the upstream has a line after an orderly end", trace)
    await on.judge_books()
    for trace in rest:
        if trace in on.lines.by_trace and load.sent[trace].whole:
            judge_whole(on.report, load.sent[trace], on.lines.by_trace[trace])
    asked_twice = sum(asked.times > 1 for asked in on.upstream.asked.values())
    on.report.figures["asked again over a new connection"] = asked_twice
