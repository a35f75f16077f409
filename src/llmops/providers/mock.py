"""The provider that needs no network and no key: the default, the test double, and a load target.

The same request and seed give the same answer, in every dialect, streamed or not. It honours JSON mode, JSON Schema,
tools, ``n``, ``max_tokens``, ``stop`` and reasoning, and can be slow or fail on demand. Being slow it obeys the limits
of the call as an upstream's adapter does, so that deadlines can be rehearsed. It does not understand language: see
`mock_answer` for what it says.
"""

import asyncio
import hashlib
import math
import random
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from ..dialects.conversation import Answer, Conversation
from ..dialects.count_tokens import CountTokensDialect
from ..dialects.dialect import ClientDialect, Dialect
from ..dialects.embeddings import EmbeddingsDialect
from ..dialects.written import written
from ..errors import InvalidRequest, UpstreamTimeout, UpstreamUnavailable
from ..tokens import estimate_tokens
from ..types import Call, Operation, Outcome, Reply, Timeouts, Usage
from .http_provider import estimated_count
from .mock_answer import answer_to

_DEFAULT_DIMENSIONS = 256
_MAX_NUMBERS = 1_000_000
"""Numbers of an embeddings answer: they are made on the event loop, which other calls share."""


class MockOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``latency_ms`` to the first token; then ``tokens_per_second`` (0: at once); ``error_rate`` from 0 to 1.

    ``reply`` replaces the made-up text; ``words`` is its length where the request asks for none. ``spread`` is the
    sigma of a log-normal that the latency scatters by, around its median.
    """

    seed: int = 0
    latency_ms: float = 0.0
    tokens_per_second: float = 0.0
    error_rate: float = 0.0
    reply: str | None = None
    words: int = 24
    spread: float = 0.0


class MockProvider:
    """A `Provider` that answers every operation itself."""

    name: ClassVar[str] = "mock"

    def __init__(
        self,
        options: MockOptions,
        *,
        dialects: Mapping[Operation, ClientDialect],
        conversational: Mapping[Operation, Dialect],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._options = options
        self._dialects = dialects
        self._conversational = conversational
        self._now = monotonic_s
        self._luck = random.Random(options.seed)

    async def send(self, call: Call) -> Reply:
        if self._options.error_rate and self._luck.random() < self._options.error_rate:
            raise UpstreamUnavailable("the mock provider fails on demand (error_rate)", upstream_status=503)
        began_s = self._now()
        if self._options.latency_ms:
            await self._spend(self._latency_s(), began_s, call)
        match self._dialects[call.operation]:
            case EmbeddingsDialect() as embeddings:
                return self._embed(call, embeddings)
            case CountTokensDialect():
                return estimated_count(call, self._now())
        return await self._converse(call, self._conversational[call.operation], began_s)

    def _latency_s(self) -> float:
        median_s, spread = self._options.latency_ms / 1000, self._options.spread
        return median_s * math.exp(spread * self._luck.gauss(0.0, 1.0)) if spread else median_s

    async def _spend(self, seconds: float, began_s: float, call: Call) -> None:
        """Be slow before the first byte: `UpstreamTimeout` at the limit of that, or of the whole."""
        limits = _limits(call)
        await _sleep(seconds, self._now() - began_s, min(limits.first_byte_s, limits.total_s))

    async def _converse(self, call: Call, dialect: Dialect, began_s: float) -> Reply:
        conversation = dialect.read_request(call.body)
        answer = self._answer(call, conversation)
        speed = self._options.tokens_per_second
        if speed and call.view.stream:
            ends_s = began_s + _limits(call).total_s
            return written(answer, call, dialect, self._now(), lambda: _sleep(1 / speed, 0.0, ends_s - self._now()))
        if speed:
            await self._spend(answer.usage.completion / speed, began_s, call)
        return written(answer, call, dialect, self._now())

    def _answer(self, call: Call, conversation: Conversation) -> Answer:
        digest = hashlib.blake2b(
            msgspec.msgpack.encode(conversation.messages), digest_size=8, key=str(self._options.seed).encode()
        ).digest()
        number = int.from_bytes(digest, "big")
        choices, completion, reasoning = answer_to(conversation, number, self._options.words, self._options.reply)
        prompt = estimate_tokens(sum(len(message.content) for message in call.view.messages))
        return Answer(
            id=f"mock-{number:016x}",
            model=call.deployment.upstream_model(call.view.model) if call.deployment else call.view.model,
            created_s=int(call.started_at_s),
            choices=choices,
            usage=Usage(prompt=prompt, completion=completion, reasoning=reasoning),
        )

    def _embed(self, call: Call, dialect: EmbeddingsDialect) -> Reply:
        request = dialect.read_request(call.body)
        size = request.dimensions or _DEFAULT_DIMENSIONS
        if size * len(request.inputs) > _MAX_NUMBERS:
            raise InvalidRequest(
                f"{len(request.inputs)} inputs of {size} dimensions are more than the {_MAX_NUMBERS} "
                "numbers that the mock provider makes in one call",
                param="input",
            )
        vectors = [self._vector(text, size) for text in request.inputs]
        usage = Usage(prompt=estimate_tokens(sum(len(text.encode()) for text in request.inputs)))
        body = dialect.write_reply(vectors, call.view.model, usage, request.encoding_format)
        return Reply(body=body, outcome=Outcome(usage=usage, model=call.view.model, first_content_s=self._now()))

    def _vector(self, text: str, size: int) -> list[float]:
        """A unit vector that depends on the text and the seed alone."""
        dice = random.Random(f"{self._options.seed}:{text}")
        raw = [dice.gauss(0.0, 1.0) for _ in range(size)]
        norm = sum(value * value for value in raw) ** 0.5
        return [value / norm for value in raw]


def _limits(call: Call) -> Timeouts:
    """What is left of the caller's patience, or else the deployment's own limits."""
    return call.timeouts or (call.deployment.timeouts if call.deployment is not None else Timeouts())


async def _sleep(seconds: float, spent_s: float, limit_s: float) -> None:
    """`UpstreamTimeout` where the limit comes first."""
    left_s = limit_s - spent_s
    await asyncio.sleep(max(min(seconds, left_s), 0.0))
    if seconds > left_s:
        raise UpstreamTimeout("the mock provider was slower than the call's limit")
