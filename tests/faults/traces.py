"""Spans sent = stored + refused, and the sender was told which: under kill -9 of the gateway and of the writer, a slow
disk, a full one, and a collector that is dead for a while.

What was answered with 200 is in the database, whole and once; what was refused is not; of what got no answer all or
nothing is. Slow is what holds the writer up: another program's lock on the database, and a process that the system does
not let run. A full disk is a limit on the size of files, which a write crosses in its middle as it does there.
"""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.telemetry.export.collector import Collector, listening

from .gateway import GatewayProcess
from .report import Report
from .scene import Options
from .span_senders import SPANS, Senders

_LIMIT_S = 60.0
_INFINITE = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@dataclass
class _Stage:
    gateway: GatewayProcess
    senders: Senders
    report: Report
    luck: random.Random
    database: Path


async def traces_kill(options: Options) -> None:
    """The gateway, the writer, or both at once, at any moment."""
    runs = options.runs or 50
    async with _stage(options) as on:
        async with on.senders:
            for run in range(1, runs + 1):
                await asyncio.sleep(on.luck.uniform(0.2, 1.5))
                await _kill(on, on.luck.choice(("gateway", "writer", "both")))
                on.report.say(f"{run}/{runs}: {on.senders.count('taken') * SPANS} spans taken")
        await _judge(on)


async def traces_disk(options: Options) -> None:
    """A slow disk and a full one, in one life of the gateway: so its own counts must be right as well."""
    runs = options.runs or 10
    async with _stage(options) as on:
        async with on.senders:
            for run in range(1, runs + 1):
                writer = await _writer(on)
                await _locked(on, on.luck.uniform(0.5, 1.5) if options.quick else on.luck.uniform(2, 12))
                os.kill(writer, signal.SIGSTOP)
                await asyncio.sleep(on.luck.uniform(0.2, 1.0))
                os.kill(writer, signal.SIGCONT)
                await _full(on, writer, on.luck.uniform(0.5, 1.5))
                on.report.say(f"{run}/{runs}: {on.senders.count('refused') * SPANS} spans refused")
            await asyncio.sleep(0.5)
        on.report.expect(on.senders.statuses[503] > 0, "the full disk was felt")
        await _judge(on, one_life=True)


async def traces_collector(options: Options) -> None:
    """A collector that is dead, comes, goes and comes again, and a gateway that is killed meanwhile: it gets every
    span that was stored."""
    with listening(Collector()) as collector:
        port, url = collector.port, collector.url
    arrived: set[tuple[str, str]] = set()
    async with _stage(options, exports=[{"name": "out", "kind": "otlp", "endpoint": url}]) as on:
        async with on.senders:
            for _ in range(options.runs or 5):
                await asyncio.sleep(1.0)
                with listening(Collector(), port) as collector:
                    await asyncio.sleep(1.5)
                arrived |= {(span.trace_id, span.span_id) for span in collector.spans}
                await _kill(on, on.luck.choice(("gateway", "both")))
        with listening(Collector(), port) as collector:
            await _judge(on)
            stored = await asyncio.to_thread(_ask, on.database, "SELECT trace_id, span_id FROM spans")
            missing = set(stored)
            deadline_s = time.monotonic() + _LIMIT_S
            while missing and time.monotonic() < deadline_s:
                await asyncio.sleep(0.1)
                missing -= arrived | {(span.trace_id, span.span_id) for span in list(collector.spans)}
        found = await on.gateway.read("/api/exports")
        on.report.expect(not found[0]["spans"].get("dropped"), "nothing is given up", found)
        on.report.expect(not missing, "every stored span gets to the collector", f"{len(missing)} of {len(stored)}")
        on.report.figures["spans exported"] = len(stored) - len(missing)


@asynccontextmanager
async def _stage(options: Options, **given: Any) -> AsyncIterator[_Stage]:
    # Small files, so that many are begun and removed; the spool itself has room for all.
    gateway = GatewayProcess(options.folder, {"traces": {"spool_megabytes": 4 if options.quick else 100}, **given})
    callers = gateway.make_keys(3, 1)
    try:
        gateway.start()
        await gateway.ready()
        senders = Senders(gateway.port, callers, 20 if options.quick else 60)
        database = options.folder / "llmops.db"
        yield _Stage(gateway, senders, options.report, random.Random(options.seed), database)
    finally:
        gateway.kill()


async def _kill(on: _Stage, victim: str) -> None:
    if victim == "writer":
        os.kill(await _writer(on), signal.SIGKILL)
        return
    if victim == "both":
        on.gateway.kill()
    else:
        on.gateway.kill_alone()
    on.gateway.start()
    await on.gateway.ready()


async def _writer(on: _Stage) -> int:
    """The writer's process, as soon as there is one."""
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s:
        for pid in on.gateway.workers():
            if _is_writer(pid):
                return pid
        await asyncio.sleep(0.01)
    raise AssertionError("there is no writer")


def _is_writer(pid: int) -> bool:
    try:
        return b"writer_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


async def _locked(on: _Stage, seconds: float) -> None:
    """Somebody else writes to the database for so long."""
    with closing(sqlite3.connect(on.database, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(seconds)
        connection.execute("ROLLBACK")


async def _full(on: _Stage, writer: int, seconds: float) -> None:
    """Neither the spool's file nor the database may grow by more than a little."""
    sizes = [path.stat().st_size for path in (on.gateway.log_dir / "traces").glob("*.spool")]
    resource.prlimit(on.gateway.pid, resource.RLIMIT_FSIZE, (max(sizes, default=0) + 5_000, resource.RLIM_INFINITY))
    limit = on.database.stat().st_size + 20_000
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    await asyncio.sleep(seconds)
    for pid in (on.gateway.pid, writer):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, _INFINITE)


async def _judge(on: _Stage, *, one_life: bool = False) -> None:
    report, senders = on.report, on.senders
    begun_s = time.monotonic()
    stored: dict[str, int] = {}
    while time.monotonic() < begun_s + _LIMIT_S:
        found = await asyncio.to_thread(_ask, on.database, "SELECT trace_id, count(*) FROM spans GROUP BY trace_id")
        stored = {str(trace): int(str(count)) for trace, count in found}
        waiting = await on.gateway.figure("llmops_spans_waiting")
        if not waiting and all(stored.get(trace) for trace, fate in senders.fates.items() if fate == "taken"):
            break
        await asyncio.sleep(0.1)
    for trace, fate in senders.fates.items():
        count = stored.pop(trace, 0)
        told = f"{count} of {SPANS}, {fate}"
        if fate == "taken":
            report.expect(count == SPANS, "what was answered with 200 is in the database, whole and once", told)
        elif fate == "refused":
            report.expect(count == 0, "what was refused is not in the database", told)
        else:
            report.expect(count in (0, SPANS), "of what got no answer, all or nothing is in the database", told)
            report.count("exports without an answer, stored" if count else "exports without an answer, not stored")
    report.expect(not stored, "nobody else's spans are in the database", stored)
    await _judge_sums(on)
    if one_life:
        await _judge_counts(on)
    report.figures |= {
        "spans taken": SPANS * senders.count("taken"),
        "spans refused": SPANS * senders.count("refused"),
        "all stored after, s": round(time.monotonic() - begun_s, 1),
    }
    report.expect(senders.count("taken") > 0, "some spans were taken")
    problems = await on.gateway.healthy(10)
    report.expect(not [each for each in problems if each.startswith("spans")], "in the end it is well", problems)


async def _judge_sums(on: _Stage) -> None:
    query = (
        "SELECT (SELECT count(*) FROM spans), (SELECT sum(spans) FROM traces), (SELECT sum(spans) FROM span_days), "
        "(SELECT coalesce(sum(damaged), 0) FROM span_spools)"
    )
    [(rows, by_trace, by_day, damaged)] = await asyncio.to_thread(_ask, on.database, query)
    on.report.expect(rows == by_trace == by_day, "as many rows as the sums say", (rows, by_trace, by_day))
    on.report.expect(damaged == 0, "nothing is damaged", damaged)
    on.report.figures["spans stored"] = rows


async def _judge_counts(on: _Stage) -> None:
    """The gateway's own counts: accepted = stored + known + damaged + waiting."""
    names = ("accepted_total", "stored_total", "known_total", "damaged_total", "waiting")
    deadline_s = time.monotonic() + 10
    while True:
        accepted, *fates = [int(await on.gateway.figure(f"llmops_spans_{name}")) for name in names]
        if accepted == sum(fates) or time.monotonic() > deadline_s:
            break
        await asyncio.sleep(0.1)
    on.report.expect(accepted == sum(fates), "accepted = stored + known + damaged + waiting", (accepted, fates))
    refused = int(await on.gateway.figure("llmops_span_exports_refused_total"))
    on.report.expect(refused == on.senders.statuses[503], "every refusal is counted", (refused, on.senders.statuses))
    taken = SPANS * on.senders.count("taken")
    least, most = taken, taken + SPANS * on.senders.count("unknown")
    on.report.expect(least <= accepted <= most, "accepted is what senders were told", (accepted, taken))


def _ask(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        return connection.execute(query).fetchall()
