"""Stores of answers under contract, in-process and in Redis, behind one face and on a clock that the test moves."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from llmops.clock import ManualClock
from llmops.redis_settings import RedisSettings
from llmops.store.answers.answers import Answers
from llmops.store.answers.labels import Labels, Selector
from llmops.store.answers.local import LocalAnswers
from llmops.store.answers.redis import RedisAnswers

from ..store.redis_server import RedisServer

LONG_S = 1000.0
"""Longer than any test: what expires meanwhile does so because the test moved its clock."""


def labels(tenant: str = "acme", model: str = "m", **fields: Any) -> Labels:
    return Labels(tenant=tenant, model=model, **fields)


class Answering:
    """Puts and gets as the cache does. What has returned has happened."""

    def __init__(self, answers: Answers, clock: ManualClock) -> None:
        self.answers = answers
        self.clock = clock

    async def get(self, key: bytes) -> bytes | None:
        found = self.answers.get(key)
        return await found if inspect.isawaitable(found) else found  # type: ignore[return-value]

    async def put(
        self,
        key: bytes,
        data: bytes = b"answer",
        of: Labels | None = None,
        *,
        began_s: float | None = None,
        keep_s: float = LONG_S,
    ) -> None:
        now_s = self.clock.now_s()
        self.answers.put(
            key, data, of or labels(), began_s=now_s if began_s is None else began_s, expires_s=now_s + keep_s
        )
        await settled(self.answers)

    async def invalidate(self, **fields: str) -> None:
        """And a moment passes: an answer counts as older than what happened at the same instant."""
        await self.answers.invalidate(Selector(**fields))
        self.clock.advance(0.001)


async def settled(answers: Answers) -> None:
    """What was put is kept."""
    while isinstance(answers, RedisAnswers) and answers.puts_waiting:
        await asyncio.sleep(0.001)


def in_process(max_entries: int = 1000, max_bytes: int = 100_000_000) -> Answering:
    clock = ManualClock(time.time())
    return Answering(LocalAnswers(max_entries, max_bytes, clock.now_s), clock)


@asynccontextmanager
async def in_redis(
    server: RedisServer, namespace: str | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Answering]:
    clock = clock or ManualClock(time.time())
    answers = redis_answers(redis_settings(server, namespace), clock)
    await answers.start()
    clock.advance(0.001)
    try:
        yield Answering(answers, clock)
    finally:
        await answers.aclose()


def redis_settings(server: RedisServer, namespace: str | None = None, **fields: Any) -> RedisSettings:
    """A namespace of its own where none is given. Patient, since tests share their machine."""
    patience = {"connect_timeout_seconds": 5.0, "command_timeout_seconds": 5.0, **fields}
    return RedisSettings(url=server.url, namespace=namespace or uuid4().hex, **patience)


def redis_answers(settings: RedisSettings, clock: ManualClock | None = None) -> RedisAnswers:
    """Not started yet."""
    if clock is None:
        return RedisAnswers(settings)
    return RedisAnswers(settings, now_s=clock.now_s, monotonic_s=clock.monotonic_s)
