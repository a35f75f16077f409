"""Overload over HTTP: who is refused and in which words, that a refusal is recorded and counted, and recovery."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmops.errors import LLMOpsError, Overloaded
from llmops.gateway.connection import connection_class
from llmops.settings import Settings
from llmops.types import Priority
from tests.fakes.gateway import CHAT, MESSAGES, Gateway, http_request
from tests.fakes.upstream import Upstream, Wire

Build = Callable[..., Settings]
SLOW = {"slow": [{"provider": "mock", "mock": {"latency_ms": 400}}]}
COMPLETION = {
    "id": "c",
    "model": "held",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "mock", "input": "Hi"},
    "/v1/messages": MESSAGES,
    "/v1/embeddings": {"model": "mock", "input": "Hi"},
}


class Refusing:
    """Refuses all but high priority, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Priority, int]] = []

    def refusal(self, priority: Priority, calls: int) -> LLMOpsError | None:
        self.asked.append((priority, calls))
        return None if priority == "high" else Overloaded("too much to do", retry_after_s=2)


@pytest.fixture(params=["at once", "as a task"])
def gateway(request: pytest.FixtureRequest, settings: Build) -> Gateway:
    """Under our own connections a refusal is answered before there is a task; under any other server by the task."""
    made = Gateway(settings())
    if request.param == "at once":
        made._server.config.http = connection_class()
    made.app.data_plane.shedder = Refusing()
    return made


@pytest.mark.parametrize("path", PATHS)
async def test_a_refusal_in_every_dialect(path: str, gateway: Gateway) -> None:
    async with gateway:
        answer = await gateway.post(path, PATHS[path])
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert answer.headers["x-request-id"] and answer.headers["traceparent"]
        assert answer.json()["error"]["message"] == "too much to do"
        assert answer.json()["error"]["type"] == "overloaded_error"
        passed = await gateway.post(path, PATHS[path], {"X-LLMOps-Priority": "high"})
        assert passed.status == 200
        lines = await gateway.records()
        assert [(line["status"], line["error_type"], line["model"]) for line in lines] == [
            (503, "overloaded", "none"),
            (200, None, "mock"),
        ]
        assert lines[0]["request_id"] == answer.headers["x-request-id"]


async def test_each_request_is_judged_once_and_counts_while_it_is_under_way(gateway: Gateway) -> None:
    async with gateway:
        shedder = gateway.app.data_plane.shedder
        assert isinstance(shedder, Refusing)
        for priority in ("low", "nonsense", "HIGH"):
            await gateway.post("/v1/chat/completions", CHAT, {"x-llmops-priority": priority})
        assert shedder.asked == [("low", 0), ("normal", 0), ("high", 0)]
        assert (await gateway.status())["in_flight"] == 0


async def test_the_body_is_not_read_and_the_connection_goes_on(gateway: Gateway) -> None:
    """A refused request may still be sending its body when it is answered; what follows is the next request."""
    body = b'{"model": "mock", "messages": ' + b" " * 200_000 + b"not JSON"
    wanted = http_request("POST", "/v1/chat/completions", CHAT, {"x-llmops-priority": "high"})
    async with gateway, await gateway.connect() as connection:
        for _ in range(3):
            whole = http_request("POST", "/v1/chat/completions", body)
            await connection.send(whole[:1000])
            assert (await connection.read_answer()).status == 503
            await connection.send(whole[1000:])
            await connection.send(wanted)
            assert (await connection.read_answer()).status == 200


async def test_requests_in_a_pipeline_are_answered_in_their_order(gateway: Gateway) -> None:
    high = {"x-llmops-priority": "high"}
    mixed = [None, high, None, None, high] * 10
    async with gateway, await gateway.connect() as connection:
        await connection.send(
            b"".join(http_request("POST", "/v1/chat/completions", CHAT, headers) for headers in mixed)
        )
        found = [(await connection.read_answer()).status for _ in mixed]
        assert found == [200 if headers else 503 for headers in mixed]
        assert (await gateway.status())["in_flight"] == 0


async def test_what_is_no_call_is_never_shed(gateway: Gateway) -> None:
    async with gateway:
        for path in ("/health", "/ready", "/v1/models", "/api/status", "/metrics"):
            assert (await gateway.get(path)).status == 200
        assert (await gateway.get("/v1/chat/completions")).status == 405


async def test_the_last_places_are_for_high_priority_and_all_is_well_afterwards(settings: Build) -> None:
    answered = asyncio.Event()

    async def held_back(wire: Wire) -> None:
        await answered.wait()
        await wire.answer(200, COMPLETION)

    async with Upstream(held_back) as upstream:
        held = {"held": [{"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}]}
        built = settings(held, resilience={"overload": {"max_calls": 5, "reserved_share": 0.4}})
        async with Gateway(built) as gateway:

            async def ask(priority: str) -> tuple[int, str | None]:
                answer = await gateway.post(
                    "/v1/chat/completions", {**CHAT, "model": "held"}, {"x-llmops-priority": priority}
                )
                return answer.status, answer.headers.get("retry-after")

            async def there_are(calls: int) -> None:
                async with asyncio.timeout(20):
                    while (await gateway.status())["in_flight"] < calls:
                        await asyncio.sleep(0.01)

            under_way = [asyncio.create_task(ask("normal")) for _ in range(3)]
            await there_are(3)
            refused = [await ask("normal"), await ask("low")]
            health = (await gateway.get("/health")).json()
            under_way += [asyncio.create_task(ask("high")) for _ in range(2)]
            await there_are(5)
            refused.append(await ask("high"))
            assert [status for status, _ in refused] == [503] * 3
            assert {again for _, again in refused[:2]} <= {"2", "3"}
            assert health["status"] == "degraded" and "calls are turned away" in health["problems"][0]
            answered.set()
            assert [status for status, _ in await asyncio.gather(*under_way)] == [200] * 5
            assert (await ask("low"))[0] == 200
            metrics = (await gateway.get("/metrics")).body.decode()
            for priority, count in (("low", 1), ("normal", 1), ("high", 1)):
                assert f'llmops_calls_shed_total{{priority="{priority}",sign="calls"}} {count}.0' in metrics
            assert len(await gateway.records()) == 3 + 2 + 3 + 1


async def test_without_resilience_nothing_is_shed(settings: Build) -> None:
    built = settings(resilience={"enabled": False, "overload": {"max_calls": 1, "reserved_share": 0.9}})
    async with Gateway(built) as gateway:
        assert gateway.app.data_plane.shedder is None
        assert (await gateway.post("/v1/chat/completions", CHAT)).status == 200


async def test_places_per_tenant_are_a_limit_with_a_name(settings: Build) -> None:
    built = settings(SLOW, resilience={"pools": {"per_tenant": 2}})
    async with Gateway(built) as gateway:
        body = {**CHAT, "model": "slow"}
        answers = await asyncio.gather(*[gateway.post("/v1/chat/completions", body) for _ in range(3)])
        assert sorted(answer.status for answer in answers) == [200, 200, 429]
        refused = next(answer for answer in answers if answer.status == 429)
        assert "'resilience.pools.per_tenant'" in refused.json()["error"]["message"]
