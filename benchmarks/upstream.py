"""A mock upstream that costs as little as Python can: ``python -m benchmarks.upstream --port N``.

A raw protocol on uvloop, no HTTP library. Complete answers leave after ``--delay-ms``; streams have ``--chunks``
chunks, one each ``--interval-ms``, or flat out, ``--burst`` to a write, where that is 0. It understands exactly what
HTTP clients send to a chat endpoint (a body with content-length) and answers 400 to anything else; it checks nothing.
It counts the streams that were asked for with usage, for `probe` to see.
"""

import argparse
import asyncio
import functools
from collections import deque
from typing import cast

from . import wire
from .wire import framed, response

ANSWER = response(wire.ANSWER)
FIRST_CHUNK = framed(wire.FIRST)
CHUNK = framed(wire.EVENT)
BODIES = {b"/v1/models": response(wire.MODELS), b"/get_model_info": response(wire.SERVER_INFO)}
HEALTHY = response(b"{}")
BAD_REQUEST = response(b'{"error":{"message":"the mock upstream wants content-length"}}', b"400 Bad Request")
TICK_S = 0.001


class Plan:
    """What this upstream answers with, and its clock: one timer for all connections, however many there are."""

    def __init__(self, delay_s: float, chunks: int, interval_s: float, burst: int) -> None:
        self.delay_s = delay_s
        self.chunks = chunks
        self.interval_s = interval_s
        self.burst = burst
        self.ends = {usage: wire.stream_end(chunks, usage=usage) for usage in (False, True)}
        self.waiting: deque[tuple[float, asyncio.Transport]] = deque()
        self.paced: set[Connection] = set()
        self.usage_asked = 0

    async def answer_when_due(self) -> None:
        """Send delayed answers; all have the same delay, so the queue is in order of time."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(TICK_S)
            until_s = now() + TICK_S / 2
            while self.waiting and self.waiting[0][0] <= until_s:
                transport = self.waiting.popleft()[1]
                if not transport.is_closing():
                    transport.write(ANSWER)

    async def pace(self) -> None:
        """Send every paced stream its next chunk once per interval; a late tick is not made up for by a burst."""
        now = asyncio.get_running_loop().time
        due_s = now()
        while True:
            due_s = max(due_s + self.interval_s, now())
            await asyncio.sleep(due_s - now())
            for stream in [stream for stream in self.paced if stream.send_next()]:
                self.paced.discard(stream)


class Connection(asyncio.Protocol):
    """One client: gathers requests and starts their answers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.buffer = b""
        self.left = 0
        self.end = b""
        self.burst: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour only

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (head_end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:head_end]
            body_end = head_end + 4 + content_length(head)
            if len(self.buffer) < body_end:
                return
            body, self.buffer = self.buffer[head_end + 4 : body_end], self.buffer[body_end:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        plan = self.plan
        if head.startswith(b"GET "):
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            asked = b'{"usage_asked":%d}' % plan.usage_asked
            self.transport.write(response(asked) if path == wire.STATS_PATH else BODIES.get(path, HEALTHY))
        elif not body:
            self.transport.write(BAD_REQUEST)
        elif b'"stream":true' in body or b'"stream": true' in body:
            self.start_stream(usage=wire.ASKS_USAGE in body)
        elif plan.delay_s:
            plan.waiting.append((asyncio.get_running_loop().time() + plan.delay_s, self.transport))
        else:
            self.transport.write(ANSWER)

    def start_stream(self, *, usage: bool) -> None:
        self.plan.usage_asked += usage
        self.transport.write(wire.STREAM_HEAD + FIRST_CHUNK)
        self.left = self.plan.chunks - 1
        self.end = self.plan.ends[usage]
        if self.plan.interval_s:
            self.plan.paced.add(self)
        else:
            self.burst = asyncio.ensure_future(self.send_all())

    def send_next(self) -> bool:
        """Send one chunk; True once the stream is over."""
        if self.left > 0:
            self.transport.write(CHUNK)
            self.left -= 1
            return False
        self.transport.write(self.end)
        return True

    async def send_all(self) -> None:
        """Send the rest flat out, in bursts, as fast as the reader takes it."""
        burst = self.plan.burst
        while self.left > 0:
            for _ in range(min(burst, self.left)):
                self.transport.write(CHUNK)
            self.left -= burst
            await asyncio.sleep(0)
            await self.writable.wait()
        self.transport.write(self.end)

    def connection_lost(self, exc: Exception | None) -> None:
        self.plan.paced.discard(self)
        if self.burst is not None:
            self.burst.cancel()


def content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    return int(lowered[start + 17 :].partition(b"\r\n")[0])


async def serve(port: int, plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(functools.partial(Connection, plan), "127.0.0.1", port, backlog=4096)
    async with server, asyncio.TaskGroup() as clocks:
        if plan.delay_s:
            clocks.create_task(plan.answer_when_due())
        if plan.interval_s:
            clocks.create_task(plan.pace())
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--interval-ms", type=float, default=0.0)
    parser.add_argument("--burst", type=int, default=1)
    options = parser.parse_args()
    plan = Plan(options.delay_ms / 1000, options.chunks, options.interval_ms / 1000, options.burst)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(options.port, plan))
    else:
        uvloop.run(serve(options.port, plan))


if __name__ == "__main__":
    main()
