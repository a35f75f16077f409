"""Plays the table of faults against one gateway from its start to its end, and reads what it has written meanwhile."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from llmops.dev.faults import FAULTS, Fault, FaultServer, Rehearsal
from tests.resilience_faults.caller import Caller
from tests.resilience_faults.case import Play, play_all
from tests.resilience_faults.verdict import Given, judge

from . import wire
from .fault_gateways import DEAD, LIMIT_S, Servers, start
from .fault_report import DeadRun, Played
from .lab import say
from .process import HOST, free_port, running, wait_until_ready

WAITING = ("half-open", "silent", "slowloris", "stall-after-tokens")
"""Faults that nothing but a limit on silence notices."""
_WAITING_AT_ONCE = 6
"""So many times as many callers for these."""
_HANG_S = 20.0
_REHEARSAL = Rehearsal(drip_s=LIMIT_S / 4)
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Length:
    """Calls of a fault in one form, callers at the same time, calls of a dead model, and faults at the same time."""

    calls: int
    at_once: int
    dead_calls: int
    together: int = 1


async def play_started(name: str, folder: Path, core: int | None, faults: Sequence[Fault], length: Length) -> Played:
    """Start the gateway of that name on ``core``; `StartFailed` where it cannot be. Nothing else happens meanwhile."""
    played = Played(name)
    async with _servers() as servers:
        port = free_port()
        launch = start(name, folder, port, servers)
        with running("gateway", launch.command, folder=folder, core=core, env=launch.env) as process:
            wait_until_ready(process, port, launch.ready_path, launch.timeout_s)
            caller = Caller(f"http://{HOST}:{port}/v1", key=wire.KEY, limit_s=_HANG_S)
            await _play(played, caller, servers, faults, length)
            for model in DEAD:
                played.dead[model] = await _play_dead(caller, servers[model], model, length)
        played.tracebacks = process.log.read_text(errors="replace").count(_TRACEBACK)
    _read_log(played, folder / "logs")
    return played


async def play_given(base_url: str, key: str, port: int, faults: Sequence[Fault], length: Length) -> Played:
    """A gateway that runs already, whose models point at one fault server on ``port``."""
    played = Played("given")
    async with FaultServer(_REHEARSAL, port=port) as server:
        caller = Caller(base_url, key=key, limit_s=_HANG_S)
        await _play(played, caller, dict.fromkeys(FAULTS, server), faults, length, waiting_together=1)
    return played


@asynccontextmanager
async def _servers() -> AsyncIterator[Servers]:
    """One for each fault, so that each one's requests are counted apart."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(FaultServer(_REHEARSAL)) for name in (*FAULTS, *DEAD)}


async def _play(
    played: Played,
    caller: Caller,
    servers: Servers,
    faults: Sequence[Fault],
    length: Length,
    *,
    waiting_together: int = len(WAITING),
) -> None:
    """Every fault. The results are in the order of the table, whatever the order of playing."""
    say(f"{played.name}: {len(faults)} faults, {length.calls} calls for each form of an answer")

    async def one(fault: Fault, at_once: int, room: asyncio.Semaphore) -> None:
        play = Play(caller, servers[fault.name], LIMIT_S, calls=length.calls, at_once=at_once)
        async with room:
            results = await play_all(play, [fault])
        played.cases += results
        problems = [problem for result in results for problem in result.problems(fallback=True)]
        say(f"  {fault.name}: {'; '.join(problems)[:200] or 'as it should be'}")

    waiting = [fault for fault in faults if fault.name in WAITING]
    quick = [fault for fault in faults if fault not in waiting]
    room = asyncio.Semaphore(waiting_together)
    await asyncio.gather(*(one(fault, length.at_once * _WAITING_AT_ONCE, room) for fault in waiting))
    room = asyncio.Semaphore(length.together)
    await asyncio.gather(*(one(fault, length.at_once, room) for fault in quick))
    order = [*FAULTS]
    played.cases.sort(key=lambda case: (order.index(case.fault.name), not case.stream))
    played.calls += sum(case.calls for case in played.cases)


async def _play_dead(caller: Caller, server: FaultServer, model: str, length: Length) -> DeadRun:
    given: Counter[Given] = Counter()
    seconds: list[float] = []
    left = iter(range(length.dead_calls))
    before = server.tally.requests

    async def client() -> None:
        for _ in left:
            seen = await caller.call(model, stream=False)
            given[judge(seen, server.rehearsal.words).given] += 1
            seconds.append(seen.seconds)

    await asyncio.gather(*(client() for _ in range(length.at_once)))
    run = DeadRun(length.dead_calls, server.tally.requests - before, given, seconds)
    say(f"  {model}: {run.asked} requests upstream for {run.calls} calls")
    return run


def _read_log(played: Played, folder: Path) -> None:
    """The request log, where there is one of ours."""
    files = sorted(folder.glob("*.jsonl")) if folder.exists() else []
    if not files:
        return
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    played.log_lines = len({line["request_id"] for line in lines})
    played.internal_errors = sum(line["error_type"] == "internal_error" for line in lines)
    played.calls += sum(run.calls for run in played.dead.values())
