"""Plays a trace, compressed in time, against a gateway over connections that stay open, and judges every answer.

Calls come when the trace says, whatever the answers do; only when all connections are in use does one wait.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST

from .azure_trace import Row
from .caller import Seen, read_answer
from .verdict import Given, judge

_PATH = "/v1/chat/completions"
_BUFFER_BYTES = 2**20
_EXAMPLES = 5
_TOLD_CHARS = 160
_NUMBERS = re.compile(r"\d+(\.\d+)?")
LEAST_WORDS, MOST_WORDS = 6, 48


@dataclass
class Played:
    """What became of the calls."""

    given: Counter[Given] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    examples: dict[Given, list[str]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    """What clients were told, without the numbers in it."""
    traces: set[str] = field(default_factory=set)
    """Of the calls that were sent, by the trace id that each of them had."""
    streams: int = 0
    words: int = 0
    longest_s: float = 0.0
    latest_s: float = 0.0
    """How much later than planned a call was sent, at worst."""

    @property
    def calls(self) -> int:
        return self.given.total()


class Replay:
    """``scale`` divides the trace's output tokens into words; ``limit_s`` is when a call hangs."""

    def __init__(self, port: int, model: str, *, seed: int, scale: float = 12.0, limit_s: float = 20.0) -> None:
        self.played = Played()
        self._port = port
        self._model = model
        self._luck = random.Random(seed)
        self._scale = scale
        self._limit_s = limit_s

    async def run(self, rows: Iterable[Row], *, speed: float, at_once: int) -> None:
        """All rows, ``speed`` times as fast as they came."""
        waiting: asyncio.Queue[tuple[float, Row] | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as clients:
            for _ in range(at_once):
                clients.create_task(self._client(waiting))
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            for row in rows:
                due_s = begun_s + row.at_s / speed
                if (early_s := due_s - loop.time()) > 0:
                    await asyncio.sleep(early_s)
                waiting.put_nowait((due_s, row))
            for _ in range(at_once):
                waiting.put_nowait(None)

    async def _client(self, waiting: "asyncio.Queue[tuple[float, Row] | None]") -> None:
        connection: Connection | None = None
        loop = asyncio.get_running_loop()
        try:
            while (due := await waiting.get()) is not None:
                self.played.latest_s = max(self.played.latest_s, loop.time() - due[0])
                if connection is None:
                    connection = Connection(*await asyncio.open_connection(HOST, self._port, limit=_BUFFER_BYTES))
                if not await self._call(connection, due[1]):
                    connection.hang_up()
                    connection = None
        finally:
            if connection is not None:
                connection.hang_up()

    async def _call(self, connection: Connection, row: Row) -> bool:
        """Whether the connection may be used again."""
        played, luck = self.played, self._luck
        seen = Seen(luck.random() < 0.5)
        words = min(max(round(row.output / self._scale), LEAST_WORDS), MOST_WORDS)
        trace_id = f"{luck.getrandbits(128):032x}"
        prompt = f"{trace_id} ".ljust(4 * row.prompt, "x")
        body = {
            "model": self._model,
            "stream": seen.stream,
            "max_tokens": words,
            "messages": [{"role": "user", "content": prompt}],
        }
        played.traces.add(trace_id)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            async with asyncio.timeout(self._limit_s):
                headers = {"traceparent": f"00-{trace_id}-{trace_id[:16]}-01"}
                await connection.send(http_request("POST", _PATH, body, headers))
                await read_answer(connection, seen)
        except TimeoutError:
            seen.hung = True
        except (ConnectionError, asyncio.IncompleteReadError) as exc:
            seen.broken = f"the connection was cut ({type(exc).__name__})"
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            seen.broken = f"unreadable: {exc}"
        seen.seconds = loop.time() - started_s
        verdict = judge(seen, words)
        played.given[verdict.given] += 1
        played.statuses[seen.status] += 1
        played.streams += seen.stream
        played.words += len(seen.words)
        played.longest_s = max(played.longest_s, seen.seconds)
        if verdict.given != "whole" and len(shown := played.examples.setdefault(verdict.given, [])) < _EXAMPLES:
            shown.append(verdict.why)
        if verdict.given == "error":
            played.told[f"{seen.status}: {_NUMBERS.sub('N', seen.error or '')[:_TOLD_CHARS]}"] += 1
        return not seen.hung and seen.broken is None
