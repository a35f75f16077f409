"""Recording, limits, the cache and a ledger around an upstream that does as it is told: calls end as real ones do.

Time is the event loop's turns, so a run of many riders takes milliseconds and repeats exactly.
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from llmops.caching.cache import Cache, CacheRules
from llmops.caching.fingerprint import Fingerprints
from llmops.clock import ManualClock
from llmops.errors import LLMOpsError, UpstreamBroken, UpstreamUnavailable
from llmops.policies.cache import cache
from llmops.policies.limits import limits
from llmops.policies.recording import recording
from llmops.policies.routing import Model, ModelTable, routing
from llmops.store.answers.local import LocalAnswers
from llmops.telemetry.record import FinishedCall, RefusedRequest
from llmops.types import Call, Deployment, Handler, Outcome, Reply, Usage
from tests.spend.till import PRICED, Till

from .questions import QUESTION, a_call

PROMPT_TOKENS = 10


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How one call upstream goes: how long it takes, how many chunks it has, and before which of them it breaks."""

    before: int = 0
    between: int = 0
    chunks: int = 3
    breaks_before: int | None = None
    """0: before the first content."""
    chunk_bytes: int = 8


class Upstream:
    """Plays its scripts in turn, the last one for ever; one token of the answer is one chunk."""

    def __init__(self, scripts: Sequence[Script] = (Script(),)) -> None:
        self.scripts = list(scripts)
        self.begun = self.under_way = self.most = self.cancelled = 0
        self.used: list[Usage] = []
        """Of the calls that came whole."""

    async def __call__(self, call: Call) -> Reply:
        script = self.scripts[min(self.begun, len(self.scripts) - 1)]
        number, self.begun = self.begun, self.begun + 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await turns(script.before)
            if script.breaks_before == 0:
                raise UpstreamUnavailable("no", upstream_status=503)
        except BaseException as exc:
            self.end(exc)
            raise
        outcome = Outcome(first_content_s=0.0)
        if call.view.stream:
            return Reply(stream=_Stream(self, script, number, outcome), outcome=outcome)
        outcome.usage = self.complete(script)
        return Reply(body=b"".join(answer(script, number)), outcome=outcome)

    def complete(self, script: Script) -> Usage:
        usage = Usage(prompt=PROMPT_TOKENS, completion=script.chunks)
        self.used.append(usage)
        self.end(None)
        return usage

    def end(self, exc: BaseException | None) -> None:
        self.under_way -= 1
        self.cancelled += isinstance(exc, asyncio.CancelledError)


def answer(script: Script, number: int) -> list[bytes]:
    """The chunks of the answer to call ``number``."""
    return [f"{number}.{index};".encode().ljust(script.chunk_bytes, b".") for index in range(script.chunks)]


class _Stream:
    def __init__(self, upstream: Upstream, script: Script, number: int, outcome: Outcome) -> None:
        self._upstream = upstream
        self._script = script
        self._chunks = answer(script, number)
        self._next = 0
        self._outcome = outcome
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._next:
                await turns(self._script.between)
            if self._script.breaks_before == self._next:
                raise UpstreamBroken("cut")
        except BaseException as exc:
            self._end(exc)
            raise
        if self._next == len(self._chunks):
            if not self._ended:
                self._ended = True
                self._outcome.usage = self._upstream.complete(self._script)
            raise StopAsyncIteration
        self._next += 1
        self._outcome.output_chars += 4
        return self._chunks[self._next - 1]

    async def aclose(self) -> None:
        self._end(asyncio.CancelledError())

    def _end(self, exc: BaseException) -> None:
        if not self._ended:
            self._ended = True
            self._upstream.end(exc)


class Stand:
    """The pipeline. ``ended`` are the calls that have, in their order; the till's ledger has settled them."""

    def __init__(
        self,
        folder: Path,
        upstream: Handler | None = None,
        *,
        clock: ManualClock | None = None,
        timeout_s: float = 600.0,
        deployment: Deployment = PRICED,
        **rules: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock or ManualClock()
        self.till = Till(folder, clock=self.clock, enabled=False)
        self.upstream = Upstream() if upstream is None else upstream
        self.ended: list[FinishedCall] = []
        self.known = Cache(LocalAnswers(100, 10_000_000, self.clock.now_s))
        self.known.fingerprints = Fingerprints(b"k" * 32)
        self.rules = CacheRules(**rules)
        self.timeout_s = timeout_s
        self.serve(deployment)

    def serve(self, *deployments: Deployment, generation: bytes = b"1") -> None:
        """Answer from these deployments from now on, as after a reload."""
        table = ModelTable([Model(name="m", deployments=deployments, generation=generation)])
        stack = [
            recording(self, self.clock),
            limits(table, self.till.admission),
            cache(table, self.known, self.rules, self.clock, self.timeout_s),
            routing(table, random.Random(1)),
        ]
        handler: Handler = self.upstream
        for policy in reversed(stack):
            handler = policy(handler)
        self.handler = handler

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        assert isinstance(ended, FinishedCall)
        self.till.ledger.append(ended)
        self.ended.append(ended)

    async def ask(self, body: dict[str, Any] | bytes = QUESTION, *, number: int = 0, **fields: Any) -> Reply:
        number = number or len(self.ended) + 1
        given = {"started_at_s": self.clock.now_s(), "started_s": self.clock.monotonic_s(), **fields}
        return await self.handler(a_call(body, number, **given))

    async def state(self, body: dict[str, Any] | bytes = QUESTION, **fields: Any) -> str:
        """What the cache did for this call; the code of its error, where it has one."""
        try:
            reply = await self.ask(body, **fields)
            if reply.stream is not None:
                async for _ in reply.stream:
                    pass
        except LLMOpsError as error:
            return error.code
        return reply.cache.state if reply.cache is not None else "none"


async def read(reply: Reply) -> bytes:
    """The whole answer."""
    if reply.stream is None:
        return reply.body
    return b"".join([chunk async for chunk in reply.stream])
