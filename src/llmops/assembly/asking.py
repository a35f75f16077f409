"""The way by which an eval asks the pipeline: in-process, under the same policies, and with what the record says of it.

Last resorts are none here: what is under test is the model, and not what stands in for it.
"""

from typing import Any

import msgspec

from ..app import Stack
from ..evals.subjects.model import Asked
from ..evals.subjects.streamed import StreamedAnswer
from ..telemetry.record import FinishedCall, usage_of
from ..types import CacheWish, Call, Reply, ReplyStream

_SHARED = frozenset({"hit", "shared"})


class StackAsk:
    """An `Ask`. ``tenant`` is who pays; ``tags`` go on every record, so that spend can be told from others'."""

    def __init__(self, stack: Stack, *, tenant: str = "default", tags: dict[str, str] | None = None) -> None:
        self._stack = stack
        self._tenant = tenant
        self._tags = tags or {}

    async def __call__(self, body: dict[str, Any], *, namespace: str | None) -> Asked:
        call = self._stack.arrive(
            "chat",
            msgspec.json.encode(body),
            tenant=self._tenant,
            tags=self._tags,
            may_degrade=False,
            cache_namespace=namespace,
            cache=None if namespace is not None else CacheWish(reads=False, writes=False),
        )
        clock = self._stack.parts.clock
        reply = await self._stack.handler(call)
        body, ttft_ms = reply.body, None
        if reply.stream is not None:
            body, ttft_ms = await self._streamed(call, reply.stream)
        usage = usage_of(FinishedCall(call=call, reply=reply, ended_s=clock.monotonic_s()))
        known = usage if usage.source != "none" else reply.outcome.usage
        return Asked(
            body=body,
            cached=reply.cached,
            is_own=namespace is not None and reply.cache is not None and reply.cache.state in _SHARED,
            latency_ms=round((clock.monotonic_s() - call.started_s) * 1000, 3),
            ttft_ms=ttft_ms,
            tokens_in=known.prompt,
            tokens_out=known.completion,
            cost_nanousd=self._cost(call, reply),
            trace_id=call.trace_id,
            release_id=call.release_id,
        )

    async def _streamed(self, call: Call, stream: ReplyStream) -> tuple[bytes, float | None]:
        """The whole answer, and the milliseconds until it began."""
        answer = StreamedAnswer(self._stack.parts.clock.monotonic_s)
        try:
            async for chunk in stream:
                answer.feed(chunk)
        finally:
            await stream.aclose()
        first_s = answer.first_content_s
        return answer.body(), None if first_s is None else round((first_s - call.started_s) * 1000, 3)

    def _cost(self, call: Call, reply: Reply) -> int | None:
        """What the answer cost when it was made, also where that was before a crash."""
        deployment = call.deployment or (reply.cache.deployment if reply.cache is not None else None)
        if deployment is None:
            return None
        price = self._stack.parts.desk.ledger.prices.find(deployment, call.view.model, call.started_at_s)
        return price.cost(reply.outcome.usage) if price is not None else None
