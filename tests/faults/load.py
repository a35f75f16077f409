"""Clients that call at a steady rate, whatever becomes of the gateway, and remember what each of them was answered."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST

from .plan import Plan, PlanOf

_LONGEST_S = 60.0
_ENDS = (b"data: [DONE]", b"event: message_stop", b"event: response.completed")


@dataclass(frozen=True)
class Caller:
    """Somebody with a key."""

    tenant: str
    key: str


@dataclass
class Sent:
    """One call as its client saw it. ``whole``: the answer came to its regular end, noticed at ``ended_s``."""

    plan: Plan
    started_s: float
    status: int = 0
    whole: bool = False
    failed: str = ""
    ended_s: float = 0.0


class Load:
    """``async with Load(…)``: calls are made until the block ends, which waits for those under way."""

    def __init__(
        self, port: int, callers: Sequence[Caller], plan_of: PlanOf, *, rate: float, luck: random.Random, tags: int = 2
    ) -> None:
        """``rate`` calls a second, each with so many ``tags``."""
        self.sent: dict[str, Sent] = {}
        self.paused = False
        self.started = 0
        self._port = port
        self._callers = callers
        self._plan_of = plan_of
        self._rate = rate
        self._luck = luck
        self._tags = tags
        self._under_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._pacing = asyncio.create_task(self._pace())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Call no more, and wait for the answers under way."""
        self._pacing.cancel()
        await asyncio.gather(self._pacing, return_exceptions=True)
        await asyncio.gather(*self._under_way)

    async def _pace(self) -> None:
        due_s = time.monotonic()
        while True:
            due_s += 1 / self._rate
            delay_s = due_s - time.monotonic()
            if delay_s > 0:
                await asyncio.sleep(delay_s)
            elif delay_s < -0.5:  # the machine is too slow for this rate: do not pile up what is overdue
                due_s = time.monotonic()
                await asyncio.sleep(0)
            if not self.paused:
                task = asyncio.create_task(self._call())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _call(self) -> None:
        trace_id = f"{self._luck.getrandbits(128):032x}"
        plan = self._plan_of(trace_id)
        self.started += 1
        sent = self.sent[trace_id] = Sent(plan, time.monotonic())
        request = self._request(trace_id, plan)
        try:
            async with asyncio.timeout(_LONGEST_S):
                await _exchange(self._port, request, sent)
        except (OSError, EOFError, ValueError, TimeoutError) as exc:
            sent.failed = f"{type(exc).__name__}: {exc}"
        sent.ended_s = time.monotonic()

    def _request(self, trace_id: str, plan: Plan) -> bytes:
        luck = self._luck
        caller = luck.choice(self._callers)
        tags = [f"feature={luck.choice('abc')}", *(f"tag-{number}={'v' * 80}" for number in range(1, self._tags))]
        headers = {
            "traceparent": f"00-{trace_id}-{luck.getrandbits(64) or 1:016x}-01",
            "authorization": f"Bearer {caller.key}",
            "x-llmops-user": f"user-{luck.randrange(20)}",
            "x-llmops-tags": ", ".join(tags),
        }
        return http_request("POST", plan.path, plan.body(luck.choice((5, 50, 500))), headers)


async def _exchange(port: int, request: bytes, sent: Sent) -> None:
    async with Connection(*await asyncio.open_connection(HOST, port, limit=2**20)) as connection:
        await connection.send(request)
        answer = await connection.read_answer()
    sent.status = answer.status
    sent.whole = answer.status == 200 and (not sent.plan.stream or any(end in answer.body for end in _ENDS))
    if not sent.whole:
        sent.failed = answer.body[-300:].decode("utf-8", "replace")
