"""An open-loop load generator: ``python -m benchmarks.open_load --port N --phase 900:10 --phase 400:5``; prints JSON.

Each phase is a rate and its length in seconds. Calls are sent at random instants that do not depend on the answers, and
timed from the instant that was planned, so a target that is slow cannot make its own load lighter. A call takes an idle
connection or opens another one; only where all ``--connections`` are in use is one not sent, and counted as failed. An
answer is good when it is a 200, whole, and there within ``--deadline-s``. A raw protocol on uvloop, for it shares its
core with the mock upstream.
"""

import argparse
import asyncio
import functools
import json
import random
import time
from collections import deque
from typing import cast

from . import wire
from .streams import percentile

PRIORITIES = ("low", "normal", "high")
TICK_S = 0.001
DRAIN_S = 10.0
OK, SHED, FAILED = "ok", "shed", "failed"
_LENGTH = b"content-length: "


class Sent:
    """One call: when it was due, of which priority and phase, and what became of it after how long."""

    __slots__ = ("due_s", "end", "phase", "priority", "took_s")

    def __init__(self, due_s: float, priority: int, phase: int) -> None:
        self.due_s = due_s
        self.priority = priority
        self.phase = phase
        self.end = ""
        self.took_s = 0.0


class Generator:
    """The connections, and everything that was sent."""

    def __init__(self, port: int, connections: int, stream: bool, shares: list[float]) -> None:
        body = wire.STREAM_BODY if stream else wire.CHAT_BODY
        extra = "content-type: application/json\r\nx-llmops-priority: "
        plain = wire.request(body).decode()
        self.requests = [plain.replace("content-type: application/json", extra + name).encode() for name in PRIORITIES]
        self.port = port
        self.limit = connections
        self.shares = shares
        self.idle: deque[Connection] = deque()
        self.opened = 0
        self.sent: list[Sent] = []
        self.open_calls = 0
        self.opening: set[asyncio.Task[None]] = set()
        self.lateness_s = 0.0

    async def open(self) -> "Connection | None":
        self.opened += 1
        try:
            made = await asyncio.get_running_loop().create_connection(
                functools.partial(Connection, self), "127.0.0.1", self.port
            )
        except OSError:
            self.opened -= 1
            return None
        return made[1]

    async def run(self, phases: list[tuple[float, float]], seed: int) -> None:
        """Send all phases, then wait for what is still open."""
        luck = random.Random(seed)
        start_s = due_s = time.perf_counter() + 0.1
        for number, (rate, seconds) in enumerate(phases):
            end_s = start_s + seconds
            while due_s < end_s:
                now_s = time.perf_counter()
                self.lateness_s = max(self.lateness_s, now_s - due_s)
                while due_s <= now_s and due_s < end_s:
                    self.send(Sent(due_s, luck.choices((0, 1, 2), self.shares)[0], number))
                    due_s += luck.expovariate(rate)
                await asyncio.sleep(TICK_S)
            start_s = end_s
        deadline_s = time.perf_counter() + DRAIN_S
        while self.open_calls and time.perf_counter() < deadline_s:  # noqa: ASYNC110 - no event per answer
            await asyncio.sleep(0.01)
        for call in self.sent:
            if not call.end:
                call.end, call.took_s = FAILED, time.perf_counter() - call.due_s

    def send(self, call: Sent) -> None:
        self.sent.append(call)
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                self.open_calls += 1
                connection.start(call)
                return
        if self.opened >= self.limit:
            call.end = FAILED
            return
        self.open_calls += 1
        task = asyncio.get_running_loop().create_task(self._send_on_new(call))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _send_on_new(self, call: Sent) -> None:
        connection = await self.open()
        if connection is None:
            self.open_calls -= 1
            call.end, call.took_s = FAILED, time.perf_counter() - call.due_s
        else:
            connection.start(call)


class Connection(asyncio.Protocol):
    """A keep-alive connection with at most one call."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.call: Sent | None = None
        self.tail = b""
        self.status = b""
        self.missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour only

    def start(self, call: Sent) -> None:
        self.call = call
        self.status = self.tail = b""
        self.transport.write(self.generator.requests[call.priority])

    def data_received(self, data: bytes) -> None:
        if not self.status:
            self.status = data[9:12]
            at = data.find(_LENGTH)
            self.missing = -1
            if at >= 0:
                length = int(data[at + len(_LENGTH) : data.index(b"\r", at)])
                self.missing = data.index(b"\r\n\r\n") + 4 + length
        if self.missing >= 0:
            self.missing -= len(data)
            if self.missing <= 0:
                self.end()
            return
        self.tail = data[-len(wire.END) :] if len(data) >= len(wire.END) else (self.tail + data)[-len(wire.END) :]
        if self.tail == wire.END:
            self.end()

    def end(self) -> None:
        call, self.call = self.call, None
        if call is not None:
            call.took_s = time.perf_counter() - call.due_s
            call.end = OK if self.status == b"200" else SHED if self.status == b"503" else FAILED
            self.generator.open_calls -= 1
            self.generator.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.generator.opened -= 1
        if self.call is not None:
            self.call.end, self.call.took_s = FAILED, time.perf_counter() - self.call.due_s
            self.call = None
            self.generator.open_calls -= 1


def figures(
    generator: Generator, phases: list[tuple[float, float]], settle_s: float, deadline_s: float
) -> dict[str, object]:
    """By phase, without its first ``settle_s``; and of the last one, when the last call was not answered well."""
    starts = [
        min((call.due_s for call in generator.sent if call.phase == number), default=0.0)
        for number in range(len(phases))
    ]
    found = []
    for number, (_, seconds) in enumerate(phases):
        calls = [call for call in generator.sent if call.phase == number and call.due_s >= starts[number] + settle_s]
        length_s = seconds - settle_s
        good = [call for call in calls if call.end == OK and call.took_s <= deadline_s]
        answered = [call.took_s for call in calls if call.end == OK]
        shed = [call.took_s for call in calls if call.end == SHED]
        high = [call for call in calls if call.priority == 2]
        found.append({
            "offered_per_s": len(calls) / length_s,
            "goodput_per_s": len(good) / length_s,
            "shed_share": len(shed) / max(len(calls), 1),
            "failed": sum(call.end == FAILED for call in calls),
            "late": len(answered) - len(good),
            "p50_ms": percentile(answered, 50) * 1e3,
            "p99_ms": percentile(answered, 99) * 1e3,
            "shed_p99_ms": percentile(shed, 99) * 1e3,
            "high_good_share": sum(call.end == OK and call.took_s <= deadline_s for call in high) / max(len(high), 1),
            "high_answered_share": sum(call.end == OK for call in high) / max(len(high), 1),
        })  # fmt: skip
    last = len(phases) - 1
    bad = [call.due_s - starts[last] for call in generator.sent
           if call.phase == last and not (call.end == OK and call.took_s <= deadline_s)]  # fmt: skip
    seconds_bad: dict[int, int] = {}
    for at in bad:
        seconds_bad[int(at)] = seconds_bad.get(int(at), 0) + 1
    return {
        "phases": found,
        "last_bad_s": max(bad, default=0.0),
        "bad_by_second": [seconds_bad.get(second, 0) for second in range(int(phases[last][1]))],
        "connections": generator.opened,
        "generator_late_ms": generator.lateness_s * 1e3,
    }


async def load(options: argparse.Namespace) -> dict[str, object]:
    phases = [(float(rate), float(seconds)) for rate, _, seconds in (each.partition(":") for each in options.phase)]
    generator = Generator(options.port, options.connections, options.stream, options.shares)
    opened = [await generator.open() for _ in range(options.opened)]
    generator.idle.extend(each for each in opened if each is not None)
    await generator.run(phases, options.seed)
    return figures(generator, phases, options.settle_s, options.deadline_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--phase", action="append", required=True, help="rate:seconds, in order")
    parser.add_argument("--connections", type=int, default=4000, help="at most")
    parser.add_argument("--opened", type=int, default=200, help="before the first call")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--shares", type=float, nargs=3, default=[0.3, 0.55, 0.15], help="of low, normal, high")
    parser.add_argument("--settle-s", type=float, default=2.0, help="beginning of a phase that is not counted")
    parser.add_argument("--deadline-s", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import uvloop

    print(json.dumps(uvloop.run(load(options))))


if __name__ == "__main__":
    main()
