"""A gateway whose cache is in Redis, while Redis dies and comes back: misses, never errors."""

import asyncio
from collections.abc import Callable

from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Gateway, http_request
from tests.store.redis_server import RedisServer


async def test_calls_go_on_without_redis(settings: Callable[..., Settings], redis_alone: RedisServer) -> None:
    async with Gateway(settings(cache={"enabled": True}, redis={"url": redis_alone.url})) as gateway:

        async def until(*states: str) -> None:
            async with asyncio.timeout(10):
                while True:
                    answer = await gateway.post("/v1/chat/completions", CHAT)
                    assert answer.status == 200, answer
                    if answer.headers["x-llmops-cache"].partition(";")[0] in states:
                        return

        await until("hit")
        redis_alone.kill()
        await until("miss")
        health = (await gateway.get("/health")).json()
        assert any("no answers are kept or given out" in problem for problem in health["problems"])
        async with await gateway.connect() as connection:
            await connection.send(http_request("DELETE", "/api/cache?all=true", None))
            refused = await connection.read_answer()
        assert (refused.status, refused.json()["error"]["code"]) == (503, "store_unavailable")
        await asyncio.to_thread(redis_alone.start)
        await until("hit")
        assert (await gateway.get("/api/cache")).json()["lost"] is None
