"""A load generator for streams: ``python -m benchmarks.streams --port N --connections 16``; prints one JSON line.

A raw protocol on uvloop that counts a one-byte mark per chunk and looks at the last bytes for the end, because it
shares its core with the mock upstream and must not be what is measured. One read may hold many chunks.
"""

import argparse
import asyncio
import functools
import json
import time
from typing import cast

from .wire import END, MARK, STREAM_BODY, request

REQUEST = request(STREAM_BODY)
STATUS_OK = b"HTTP/1.1 200"
TAIL = len(END)


class Tally:
    """What all connections together have seen."""

    def __init__(self, chunks: int) -> None:
        self.chunks_wanted = chunks
        self.first_s: list[float] = []
        self.whole_s: list[float] = []
        self.chunks = 0
        self.reads = 0
        self.errors = 0

    def figures(self, wall_s: float) -> dict[str, float]:
        return {
            "streams": len(self.whole_s),
            "chunks": self.chunks,
            "chunks_per_s": self.chunks / wall_s,
            "wall_s": wall_s,
            "reads": self.reads,
            "first_p50_ms": percentile(self.first_s, 50) * 1e3,
            "first_p99_ms": percentile(self.first_s, 99) * 1e3,
            "stream_p50_s": percentile(self.whole_s, 50),
            "stream_worst_s": percentile(self.whole_s, 100),
            "errors": self.errors,
        }


class Connection(asyncio.Protocol):
    """One keep-alive connection that reads one stream after another."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.ended: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour only

    def start(self) -> asyncio.Future[None]:
        self.ended = asyncio.get_running_loop().create_future()
        self.chunks = 0
        self.tail = b""
        self.answered = False
        self.started_s = time.perf_counter()
        self.transport.write(REQUEST)
        return self.ended

    def data_received(self, data: bytes) -> None:
        tally = self.tally
        tally.reads += 1
        if not self.answered:
            self.answered = True
            if not data.startswith(STATUS_OK):
                self.fail()
                return
        seen = data.count(MARK)
        if seen:
            if not self.chunks:
                tally.first_s.append(time.perf_counter() - self.started_s)
            self.chunks += seen
            tally.chunks += seen
        self.tail = data[-TAIL:] if len(data) >= TAIL else (self.tail + data)[-TAIL:]
        if self.tail == END:
            self.end()

    def end(self) -> None:
        if self.chunks != self.tally.chunks_wanted:
            self.tally.errors += 1
        self.tally.whole_s.append(time.perf_counter() - self.started_s)
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(None)

    def fail(self) -> None:
        self.tally.errors += 1
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ended is not None and not self.ended.done():
            self.tally.errors += 1
            self.ended.set_exception(ConnectionResetError("the stream was cut"))


async def read_streams(connection: Connection, rounds: int) -> None:
    for _ in range(rounds):
        try:
            await connection.start()
        except ConnectionResetError:
            return


async def load(port: int, connections: int, rounds: int, chunks: int, limit_s: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    tally = Tally(chunks)
    opened = [
        (await loop.create_connection(functools.partial(Connection, tally), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    started_s = time.perf_counter()
    readers = [asyncio.ensure_future(read_streams(connection, rounds)) for connection in opened]
    ended, late = await asyncio.wait(readers, timeout=limit_s)
    figures = tally.figures(time.perf_counter() - started_s)
    for reader in ended:
        reader.result()
    for reader in late:
        reader.cancel()
    return {**figures, "unfinished": len(late)}


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that ``percent`` of the values do not exceed; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--limit-s", type=float, default=30.0)
    options = parser.parse_args()
    work = load(options.port, options.connections, options.rounds, options.chunks, options.limit_s)
    try:
        import uvloop
    except ImportError:
        figures = asyncio.run(work)
    else:
        figures = uvloop.run(work)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
