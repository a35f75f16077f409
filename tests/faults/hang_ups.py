"""Clients that leave: before the first byte, after the first chunk, after many, in order or with a reset.

Afterwards nothing of them is left, at the upstream or in the gateway, and each is billed for what was produced.
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from dataclasses import dataclass

from llmops.tokens import estimate_tokens
from tests.fakes.gateway import Connection, http_request
from tests.fakes.upstream import eventually
from tests.serving import HOST

from .plan import LETTER, long_streams
from .records import Line
from .scene import Options, Scene, scene

_AT_ONCE = 150
_PLACES = 3 * _AT_ONCE
"""Places for concurrent calls: who has left keeps one for some tenths of a second, until the gateway notices."""
_LEAK_LIMIT_S = 1.0
_POOLED = 4
"""Pools of threads and of database connections fill when they are first needed, which may be at any time."""


@dataclass
class Left:
    """A client that has gone. ``seen_bytes`` is how much text it got."""

    seen_bytes: int = 0
    answered: bool = False


async def hang_ups(options: Options) -> None:
    clients = options.runs or 10_000
    limits = {"rules": [{"name": "places", "concurrent_calls": _PLACES}]}
    async with scene(options, long_streams, limits=limits) as on:
        await _leave(on, min(50, clients), {})  # what is made on first use is no growth
        await _quiet(on)
        before, files = _footprint(on), on.gateway.open_files()
        left: dict[str, Left] = {}
        for begin in range(0, clients, 1000):
            await _leave(on, min(1000, clients - begin), left)
            on.report.say(f"{len(left)}/{clients} have left, {on.gateway.resident_mib():.0f} MiB")
        await _quiet(on)
        after = _footprint(on)
        answered = sum(client.answered for client in left.values())
        on.report.figures |= {"clients": clients, "of them answered before they left": answered}
        for name in before:
            on.report.figures[f"{name}, before and after"] = f"{before[name]:.0f}, {after[name]:.0f}"
        few = await eventually(lambda: _few(on.gateway.open_files() - files), 5.0)  # an old journal goes within seconds
        on.report.expect(few, "no files are left open", on.gateway.open_files() - files)
        on.report.expect(after["threads"] <= before["threads"] + _POOLED, "no threads are left", after)
        await _judge(on, left)
        await _all_places_are_free(on)
        await on.gateway.stop()
        await on.judge_books()


def _footprint(on: Scene) -> dict[str, float]:
    gateway = on.gateway
    return {
        "resident MiB": gateway.resident_mib(),
        "open files": gateway.open_files().total(),
        "threads": gateway.threads(),
    }


def _few(more: Counter[str]) -> bool:
    return more["socket:[N]"] <= 0 and more.total() <= _POOLED


async def _leave(on: Scene, count: int, left: dict[str, Left]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one() -> None:
        async with places:
            trace_id = f"{on.luck.getrandbits(128):032x}"
            left[trace_id] = found = Left()
            await _come_and_go(on, trace_id, found, random.Random(trace_id[::-1]))

    await asyncio.gather(*(one() for _ in range(count)))


async def _come_and_go(on: Scene, trace_id: str, found: Left, luck: random.Random) -> None:
    plan = long_streams(trace_id)
    headers = {"traceparent": f"00-{trace_id}-00000000000000aa-01", "authorization": f"Bearer {on.callers[0].key}"}
    request = http_request("POST", plan.path, plan.body(20), headers)
    connection = Connection(*await asyncio.open_connection(HOST, on.gateway.port, limit=2**20))
    try:
        if luck.random() < 0.05:  # in the middle of its own request
            await connection.send(request[:-20])
        else:
            await connection.send(request)
            chunks = luck.choice((0, 0, 1, 1, 3, 10, 30)) if plan.stream else 0
            if chunks:
                found.answered = (await connection.read_head())[0] == 200
                for _ in range(chunks if found.answered else 0):
                    found.seen_bytes += (await connection.read_chunk()).count(LETTER.encode())
            else:
                await asyncio.sleep(luck.choice((0.0, 0.005, 0.05, 0.3)))
    finally:
        if luck.random() < 0.5:
            _reset(connection)
        connection.writer.close()
        await asyncio.gather(connection.writer.wait_closed(), return_exceptions=True)


def _reset(connection: Connection) -> None:
    """The other side sees a reset, not an end."""
    found: socket.socket = connection.writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.writer.transport.abort()


async def _quiet(on: Scene) -> None:
    """A second after the last has left nothing is left of any, on either side."""
    report = on.report
    gone = await eventually(lambda: on.upstream.open == 0, _LEAK_LIMIT_S)
    report.expect(gone, "no upstream connection is left a second later", on.upstream.open)
    status = await on.gateway.status()
    for name, number in (
        ("upstream connections", status["upstream_connections"]),
        ("calls under way", status["in_flight"]),
        ("open reservations", status["ledger"]["open"]),
    ):
        report.figures[f"{name} afterwards"] = number
        report.expect(number == 0, f"no {name} are left", number)


async def _judge(on: Scene, left: dict[str, Left]) -> None:
    report = on.report
    for trace in await on.until_logged(left, limit_s=5):
        report.expect(False, "everybody who left has a line", trace)
    for trace, client in left.items():
        line = on.lines.by_trace.get(trace)
        if line is not None:
            _judge_one(on, trace, client, line)
    await on.until_stored([on.lines.by_trace[trace] for trace in left if trace in on.lines.by_trace])


def _judge_one(on: Scene, trace: str, client: Left, line: Line) -> None:
    report, asked = on.report, on.upstream.asked.get(trace)
    report.expect(line.status == 499, "who left is recorded as such", line)
    used, seen = line.token_usage, estimate_tokens(client.seen_bytes)
    if asked is None:
        report.count("left before the upstream was asked")
        report.expect(not line.attempts or used.source == "estimated", "what was begun is not free", line)
        return
    report.expect(used.source == "estimated" and bool(line.cost_nanousd), "what was produced is billed", line)
    report.expect(used.completion >= seen, "nobody is billed for less than they saw", f"{line}, saw {seen} tokens")
    if line.cost_nanousd == line.reserved_nanousd:
        report.count("billed their estimate (left before the first content)")
        report.expect(not client.answered or not client.seen_bytes, "an answer is billed by what it was", line)
    else:
        report.count("billed for what was produced")
        most = estimate_tokens(asked.produced_bytes)
        report.expect(used.completion <= most, "nobody is billed for more than was produced", f"{line}, {most}")


async def _all_places_are_free(on: Scene) -> None:
    """As many as ever can come in, and the next one cannot."""
    opened: list[Connection] = []
    statuses: list[int] = []
    try:
        for number in range(_PLACES + 1):
            trace_id = _stream_id(on.luck)
            headers = {
                "traceparent": f"00-{trace_id}-00000000000000aa-01",
                "authorization": f"Bearer {on.callers[0].key}",
            }
            body = {"model": "alpha", "stream": True, "messages": [{"role": "user", "content": "stay"}]}
            connection = Connection(*await asyncio.open_connection(HOST, on.gateway.port))
            opened.append(connection)
            await connection.send(http_request("POST", "/v1/chat/completions", body, headers))
            if number >= _PLACES - 1:
                statuses.append((await connection.read_head())[0])
                await asyncio.sleep(0.5)  # all others are in by then
            elif number % 50 == 49:
                await asyncio.sleep(0.05)
        on.report.figures["a limit of N concurrent calls then admitted"] = f"{_PLACES} of {_PLACES}"
        on.report.expect(statuses == [200, 429], "all places are free afterwards, and no more", statuses)
    finally:
        for connection in opened:
            connection.hang_up()
            await asyncio.gather(connection.writer.wait_closed(), return_exceptions=True)
    await _quiet(on)


def _stream_id(luck: random.Random) -> str:
    """A trace id whose call is a stream."""
    while True:
        trace_id = f"{luck.getrandbits(128):032x}"
        if long_streams(trace_id).stream:
            return trace_id
