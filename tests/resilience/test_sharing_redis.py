"""Two gateways on one Redis: what one has found out about an upstream, the other acts on; Redis may die meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import CHAT, Gateway, settings_for
from tests.fakes.upstream import Upstream, Wire
from tests.store.redis_server import RedisServer

OK = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
EJECTION_S = 1.0


class House:
    """Gateways over the same two upstreams, of which the first is broken while ``broken`` is set."""

    def __init__(self) -> None:
        self.broken = True
        self.gateways: list[Gateway] = []
        self.answers: list[int] = []
        self.longest_s = 0.0

    async def first(self, wire: Wire) -> None:
        await (wire.answer(500, {"error": {"message": "down"}}) if self.broken else wire.answer(200, OK))

    async def second(self, wire: Wire) -> None:
        await wire.answer(200, OK)

    async def call(self, gateway: Gateway) -> int:
        begun_s = time.perf_counter()
        answer = await gateway.post("/v1/chat/completions", {**CHAT, "model": "house"})
        self.longest_s = max(self.longest_s, time.perf_counter() - begun_s)
        self.answers.append(answer.status)
        return answer.status

    async def shown(self, gateway: Gateway) -> dict[str, Any]:
        found = (await gateway.get("/api/deployments")).json()
        return {each["name"]: each for each in found}

    async def health(self, gateway: Gateway) -> str:
        return (await gateway.get("/health")).body.decode()


async def until(condition: Callable[[], Any], limit_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + limit_s
    while not await condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def house(tmp_path: Path, redis_alone: RedisServer) -> AsyncIterator[House]:
    house = House()
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(Upstream(each)) for each in (house.first, house.second)]
        house.upstreams = upstreams  # type: ignore[attr-defined]
        models = {
            "house": {
                "strategy": "ordered",
                "deployments": [
                    {"name": name, "provider": "openai", "base_url": f"{upstream.url}/v1", "api_key": "sk-very-secret"}
                    for name, upstream in zip(("first", "second"), upstreams, strict=True)
                ],
            }
        }
        for number in range(2):
            settings = settings_for(
                tmp_path / str(number) / "logs",
                models,
                redis={"url": redis_alone.url},
                resilience={"breaker": {"ejection_seconds": EJECTION_S, "ejection_jitter": 0}},
            )
            house.gateways.append(await stack.enter_async_context(Gateway(settings)))
        yield house


def posted(server: RedisServer) -> dict[bytes, bytes]:
    """The notes on the board, without its head."""
    board: dict[bytes, bytes] = server.command("HGETALL", "{llmops}:breakers:1")
    return {field: note for field, note in board.items() if field}


def asked(house: House) -> int:
    upstreams: list[Upstream] = house.upstreams  # type: ignore[attr-defined]
    return len(upstreams[0].requests)


async def test_one_sees_the_failures_and_the_other_stops_asking_and_hears_when_it_is_well(
    house: House, redis_alone: RedisServer
) -> None:
    one, other = house.gateways
    for _ in range(5):
        assert await house.call(one) == 200
    assert asked(house) == 5 and (await house.shown(one))["first"]["breaker"]["state"] == "open"

    async def other_knows() -> bool:
        return bool((await house.shown(other))["first"]["breaker"]["state"] == "open")

    await until(other_knows, 10)
    assert (await house.shown(other))["first"]["shared"]
    for _ in range(20):
        assert await house.call(other) == 200
    assert asked(house) == 5, "it never asked by itself"
    (field,) = posted(redis_alone)
    written = b" ".join([field, posted(redis_alone)[field]])
    assert b"first|" in written and b"down" in written and b"very-secret" not in written

    house.broken = False
    await asyncio.sleep(EJECTION_S)
    for _ in range(3):
        await house.call(other)

    async def one_knows() -> bool:
        return bool((await house.shown(one))["first"]["breaker"]["state"] == "closed")

    await until(one_knows, 10)
    assert asked(house) == 8
    await house.call(one)
    assert asked(house) == 9 and set(house.answers) == {200}


async def test_redis_dies_and_comes_back_under_load_while_breakers_are_shared(
    house: House, redis_alone: RedisServer
) -> None:
    one, other = house.gateways
    done = asyncio.Event()

    async def work(gateway: Gateway) -> None:
        while not done.is_set():
            await house.call(gateway)
            await asyncio.sleep(0.01)

    working = [asyncio.ensure_future(work(gateway)) for gateway in house.gateways for _ in range(4)]

    async def both_say(state: str) -> bool:
        return {(await house.shown(each))["first"]["breaker"]["state"] for each in house.gateways} == {state}

    async def lost() -> bool:
        return all(["breakers are not shared" in await house.health(each) for each in house.gateways])

    async def found() -> bool:
        return not any(["breakers are not shared" in await house.health(each) for each in house.gateways])

    await until(lambda: both_say("open"))
    redis_alone.kill()
    await until(lost)
    assert not (await house.shown(one))["first"]["shared"]
    house.broken = False
    await until(lambda: both_say("closed"))  # each finds out by itself
    house.broken = True
    await until(lambda: both_say("open"))
    await asyncio.to_thread(redis_alone.start)
    await until(found)
    house.broken = False
    await until(lambda: both_say("closed"))
    done.set()
    await asyncio.gather(*working)
    assert set(house.answers) == {200} and len(house.answers) > 100
    assert house.longest_s < 1.0

    house.broken = True  # they share again: one finds out for both
    for _ in range(5):
        await house.call(one)

    async def other_knows() -> bool:
        return bool((await house.shown(other))["first"]["breaker"]["state"] == "open")

    await until(other_knows, 2.5)


async def test_hostile_values_harm_nobody(house: House, redis_alone: RedisServer) -> None:
    one, other = house.gateways
    for _ in range(5):
        await house.call(one)

    async def is_posted() -> bool:
        return bool(posted(redis_alone))

    await until(is_posted)
    (field,) = posted(redis_alone)
    field = field.rpartition(b"|")[0]
    stamp = str(int(time.time() * 1e6)).encode()
    for number, note in enumerate((b"\xff\xfe", b"{}", b'{"phase":"open","changed_s":4e9,"out_until_s":4e9}')):
        redis_alone.command("HSET", "{llmops}:breakers:1", field + b"|%d" % number, stamp + b" " + note)
    redis_alone.command("HSET", "{llmops}:breakers:1", "garbage", "garbage")

    async def closed_again() -> bool:
        await house.call(other)
        return bool((await house.shown(one))["first"]["breaker"]["state"] == "closed")

    house.broken = False
    await until(closed_again)
    assert set(house.answers) == {200}
