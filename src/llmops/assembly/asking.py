"""The way by which an eval asks the pipeline: in-process, under the same policies, and with what the record says of it.

Last resorts are none here: what is under test is the model, and not what stands in for it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ..app import Stack
from ..errors import LLMOpsError
from ..evals.cell_key import current_key
from ..evals.subjects.model import Asked
from ..evals.subjects.streamed import StreamedAnswer
from ..telemetry.record import FinishedCall, usage_of
from ..types import CacheWish, Call, Operation, Reply, ReplyStream

_SHARED = frozenset({"hit", "shared"})


class StackAsk:
    """An `Ask`. ``tenant`` is who pays; ``tags`` go on every record, so that spend can be told from others'."""

    def __init__(self, stack: Stack, *, tenant: str = "default", tags: dict[str, str] | None = None) -> None:
        self._stack = stack
        self._tenant = tenant
        self._tags = tags or {}

    async def __call__(self, body: dict[str, Any], *, namespace: str | None) -> Asked:
        return await self.ask("chat", body, namespace=namespace)

    async def ask(self, operation: Operation, body: dict[str, Any], *, namespace: str | None) -> Asked:
        """The same for another operation; a stream is read to its end."""
        call = self._stack.arrive(
            operation,
            msgspec.json.encode(body),
            tenant=self._tenant,
            tags=self._tags,
            may_degrade=False,
            cache_namespace=namespace,
            cache=None if namespace is not None else CacheWish(reads=False, writes=False),
        )
        clock = self._stack.parts.clock
        reply = await self._stack.handler(call)
        answer, ttft_ms = reply.body, None
        if reply.stream is not None:
            answer, ttft_ms = await self._streamed(call, reply.stream)
        usage = usage_of(FinishedCall(call=call, reply=reply, ended_s=clock.monotonic_s()))
        known = usage if usage.source != "none" else reply.outcome.usage
        return Asked(
            body=answer,
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


class AskEmbedder:
    """Texts as vectors of a configured model, each call with what it cost."""

    def __init__(self, ask: StackAsk, model: str) -> None:
        self._ask = ask
        self._model = model

    @property
    def version(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        vectors, _ = await self.embed_priced(texts)
        return vectors

    async def embed_priced(self, texts: Sequence[str]) -> tuple[list[list[float]], int | None]:
        """`LLMOpsError` where the model does not answer, or with something else."""
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        told = hashlib.blake2b(msgspec.json.encode(body), digest_size=12).hexdigest()
        asked = await self._ask.ask("embeddings", body, namespace=current_key(f"embeddings:{told}"))
        try:
            data = msgspec.json.decode(asked.body)["data"]
            vectors = [each["embedding"] for each in sorted(data, key=lambda each: each.get("index", 0))]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as exc:
            raise LLMOpsError(f"{self._model!r} answered with no embeddings: {exc}") from exc
        if len(vectors) != len(texts):
            raise LLMOpsError(f"{self._model!r} answered with {len(vectors)} embeddings for {len(texts)} texts")
        return vectors, asked.cost_nanousd
