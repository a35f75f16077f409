"""Two and four gateways on one Redis, and as many workers behind one port: a limit of N admits N over HTTP, exactly.

Each gateway has its own folder, log and database. Clients ask all of them at once, and admitted streams stay open, so
that nothing that was taken is given back before everybody has been answered.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from llmops.tokens import estimate_prompt
from tests.fakes.gateway import Connection, http_request
from tests.fakes.upstream import eventually
from tests.serving import HOST
from tests.store.redis_server import binary, redis_server

from .gateway import GatewayProcess
from .plan import LETTER, PRICES, Plan
from .report import Report
from .scene import Options, Scene, needed, scene

_LIMIT = 40
_ASKED = 3 * _LIMIT
_BODY = json.dumps(
    {"model": "alpha", "stream": True, "max_tokens": 500, "messages": [{"role": "user", "content": "stay"}]}
).encode()
_PROMPT, _OUTPUT = estimate_prompt(_BODY), 500
_TOKENS = _PROMPT + _OUTPUT
_NANOUSD = int(1000 * (_PROMPT * PRICES["alpha"]["input"] + _OUTPUT * PRICES["alpha"]["output"]))

# One rule for each kind; a call says by its user which of them it is under. One token, or one nano-dollar, is missing
# for another call. A rate of one in a thousand seconds is as good as a number of calls.
_LIMITS: dict[str, dict[str, Any]] = {
    "concurrent calls": {"concurrent_calls": _LIMIT},
    "rate of calls": {"requests_per_second": 0.001, "burst": _LIMIT},
    "tokens a day": {"tokens_per_day": _TOKENS * (_LIMIT + 1) - 1},
}
_BUDGET: dict[str, dict[str, Any]] = {
    "budget": {"usd": str(Decimal(_NANOUSD * (_LIMIT + 1) - 1).scaleb(-9)), "window": "total"}
}


def _stays(trace_id: str) -> Plan:
    return Plan(chunks=100_000, pause_s=0.2, piece=LETTER)


async def processes(options: Options) -> None:
    """Every kind of limit, for two and four gateways and for two and four workers."""
    program = needed(binary(), "Redis", "redis-server")
    for gateways, workers in ((2, 1), (1, 2)) if options.quick else ((2, 1), (4, 1), (1, 2), (1, 4)):
        called = f"{gateways} gateways" if workers == 1 else f"{workers} workers"
        with redis_server(program) as server:
            async with _several(options, gateways, workers, server.url) as scenes:
                for kind in (*_LIMITS, *_BUDGET):
                    answers = await _ask_all(scenes, kind, options.report)
                    _judge(options.report, f"{kind}, {called}", kind, answers)


def _judge(report: Report, name: str, kind: str, answers: Counter[int]) -> None:
    report.say(f"{name}: {dict(answers)}")
    report.figures[name] = f"{answers[200]} of {_ASKED} admitted, {_LIMIT} fit"
    expected = {200: _LIMIT, (402 if kind in _BUDGET else 429): _ASKED - _LIMIT}
    report.expect(answers == expected, f"a limit of N admits N: {name}", dict(answers))


@asynccontextmanager
async def _several(options: Options, gateways: int, workers: int, redis_url: str) -> AsyncIterator[list[Scene]]:
    sections: dict[str, Any] = {
        "limits": {"rules": [{"name": kind, "where": {"user": kind}, **bound} for kind, bound in _LIMITS.items()]},
        "budgets": [{"name": kind, "where": {"user": kind}, **bound} for kind, bound in _BUDGET.items()],
        "redis": {"url": redis_url, "command_timeout_seconds": 5},
        "server": {"workers": workers},
    }
    async with AsyncExitStack() as stack:
        scenes = []
        for number in range(gateways):
            own = replace(options, folder=options.folder / f"{gateways}-{workers}-{number}")
            scenes.append(await stack.enter_async_context(scene(own, _stays, tenants=1, keys=1, **sections)))
        for on in scenes:
            assert await eventually(lambda gateway=on.gateway: listening(gateway) == workers, 30)  # type: ignore[misc]
            assert not await on.gateway.healthy(10)  # Redis has been told what the ledger knows
        yield scenes


async def _ask_all(scenes: list[Scene], kind: str, report: Report) -> Counter[int]:
    luck = random.Random(kind)
    opened: list[Connection] = []

    async def ask(number: int) -> int:
        on = scenes[number % len(scenes)]
        headers = {
            "traceparent": f"00-{luck.getrandbits(128):032x}-00000000000000aa-01",
            "authorization": f"Bearer {on.callers[0].key}",
            "x-llmops-user": kind,
        }
        connection = Connection(*await asyncio.open_connection(HOST, on.gateway.port))
        opened.append(connection)
        await connection.send(http_request("POST", "/v1/chat/completions", _BODY, headers))
        return (await connection.read_head())[0]

    try:
        return Counter(await asyncio.gather(*(ask(number) for number in range(_ASKED))))
    finally:
        for connection in opened:
            connection.hang_up()
            await asyncio.gather(connection.writer.wait_closed(), return_exceptions=True)
        left = await eventually(lambda: all(on.upstream.open == 0 for on in scenes), 2.0)
        report.expect(left, "no upstream connection is left")


def listening(gateway: GatewayProcess) -> int:
    """How many sockets listen on the gateway's port: each worker has its own."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{gateway.port:04X}") and row[3] == "0A" for row in rows)
