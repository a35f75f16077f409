"""The pipeline in-process: calls recorded as over HTTP, and reloads that take effect or change nothing."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.app import Stack, check
from llmops.assembly import build_gateway
from llmops.clock import ManualClock
from llmops.errors import ClientDisconnected, ConfigError, InvalidRequest, UnknownModel
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, USER
from tests.fakes.upstream import Upstream, Wire, answering

Build = Callable[..., Settings]
MOCK = {"provider": "mock"}


async def log_of(stack: Stack) -> list[dict[str, Any]]:
    await stack.parts.log.flush()
    file = stack.settings.log.dir / "gateway.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def test_a_call_without_a_server(settings: Build) -> None:
    async with Stack(settings(prompts={"version": "v7"}), clock=ManualClock(), seed=1) as stack:
        reply = await stack.call("chat", CHAT)
        assert json.loads(reply.body)["choices"][0]["message"]["content"]
        assert (await stack.call("chat", json.dumps(CHAT).encode())).body == reply.body
        first, second = await log_of(stack)
        assert (first["status"], first["prompt_version"], first["provider"]) == (200, "v7", "mock")
        assert first["messages_masked"] == second["messages_masked"] and first["request_id"] != second["request_id"]
        assert first["timestamp"] == "2023-11-14T22:13:20.000Z"


async def test_the_seed_fixes_identifiers(settings: Build) -> None:
    ids = []
    for seed in (1, 1, 2):
        async with Stack(settings(), seed=seed) as stack:
            await stack.call("chat", CHAT)
            ids.append((await log_of(stack))[-1]["request_id"])
    assert ids[0] == ids[1] != ids[2]


async def test_refusals_are_raised_and_recorded(settings: Build) -> None:
    async with Stack(settings()) as stack:
        with pytest.raises(UnknownModel):
            await stack.call("chat", {**CHAT, "model": "other"})
        with pytest.raises(InvalidRequest):
            await stack.call("chat", {"model": "mock"})  # never became a call, so there is nothing to record
        (record,) = await log_of(stack)
        assert (record["status"], record["model"], record["requested_model"]) == (404, "none", "other")


async def test_a_trace_is_continued(settings: Build) -> None:
    async with Stack(settings()) as stack:
        await stack.call("chat", CHAT, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        await stack.call("chat", CHAT, traceparent="nonsense")
        first, second = await log_of(stack)
        assert (first["trace_id"], first["parent_span_id"]) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
        assert (len(second["trace_id"]), second["parent_span_id"]) == (32, None)


async def test_a_stream_and_one_that_is_given_up(settings: Build) -> None:
    async with Stack(settings()) as stack:
        for closes in (False, True):
            reply = await stack.call("chat", {**CHAT, "stream": True})
            assert reply.stream is not None
            if closes:
                await reply.stream.__anext__()
                await reply.stream.aclose()
            else:
                assert b"".join([events async for events in reply.stream]).endswith(b"data: [DONE]\n\n")
        assert [line["status"] for line in await log_of(stack)] == [200, 499]


async def test_cancelling_a_call_cancels_the_upstreams_work(settings: Build) -> None:
    async def silent(wire: Wire) -> None:
        await asyncio.sleep(30)

    async with Upstream(silent) as upstream:
        models = {"m": [{"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}]}
        async with Stack(settings(models)) as stack:
            call = asyncio.create_task(stack.call("chat", {"model": "m", "messages": USER}))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await upstream.until_open(0)
            assert [line["error_type"] for line in await log_of(stack)] == [ClientDisconnected.code]


async def test_weights_share_the_calls(settings: Build) -> None:
    deployments = [{**MOCK, "name": "big", "weight": 9}, {**MOCK, "name": "small", "weight": 1}]
    async with Stack(settings({"m": {"strategy": "weighted", "deployments": deployments}}), seed=5) as stack:
        for _ in range(300):
            await stack.call("chat", {**CHAT, "model": "m"})
        went = Counter(line["deployment"] for line in await log_of(stack))
        assert went["big"] + went["small"] == 300 and 15 <= went["small"] <= 50


async def test_a_reload_takes_effect_for_the_calls_to_come(settings: Build) -> None:
    async with Stack(settings({"old": [MOCK]})) as stack:
        before = stack.handler
        notes = stack.reload(
            settings(
                {"new": [MOCK]},
                log={"rotate_hours": 1},
                server={"port": 9},
                auth={"refresh_seconds": 1},
                database={"url": "sqlite:///other.db"},
            )
        )
        assert stack.handler is not before and stack.table_names() == ["new", "mock"]
        assert sorted(note.split(" ")[0] for note in notes) == [
            "auth.refresh_seconds",
            "database.url",
            "log.rotate_hours",
            "server.port",
        ]
        await stack.call("chat", {**CHAT, "model": "new"})
        with pytest.raises(UnknownModel):
            await stack.call("chat", {**CHAT, "model": "old"})


async def test_a_reload_that_cannot_be_used_changes_nothing(settings: Build) -> None:
    async with Stack(settings({"m": [MOCK]})) as stack:
        before = (stack.settings, stack.table, stack.handler)
        with pytest.raises(ConfigError, match=r"models\.x\.deployments\.0: no credential"):
            stack.reload(settings({"x": [{"provider": "anthropic", "api_key_env": "SURELY_NOT_SET_ANYWHERE"}]}))
        assert (stack.settings, stack.table, stack.handler) == before
        await stack.call("chat", {**CHAT, "model": "m"})


async def test_a_call_under_way_ends_under_the_old_settings(settings: Build) -> None:
    async def slow(wire: Wire) -> None:
        await asyncio.sleep(0.1)
        await wire.answer(200, {"id": "x", "choices": [{"index": 0, "message": {"content": "hi"}}]})

    async with Upstream(slow) as upstream:
        models = {"m": [{"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}]}
        async with Stack(settings(models)) as stack:
            call = asyncio.create_task(stack.call("chat", {"model": "m", "messages": USER}))
            await asyncio.sleep(0.02)
            stack.reload(settings())
            assert json.loads((await call).body)["id"] == "x"


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        (
            {"provider": "openai", "preset": "openai", "api_key_env": "SURELY_NOT_SET_ANYWHERE"},
            "no credential: set the variable SURELY_NOT_SET_ANYWHERE",
        ),
        ({"provider": "gemini", "api_key": "a\nb"}, "control characters"),
        ({"provider": "gemini", "api_key": "ключ-ключ"}, "not ASCII"),
        ({"provider": "azure", "base_url": "https://a", "api_key": ""}, "no credential"),
        ({"provider": "openai", "base_url": "http://user:pass@host/v1"}, "carries no credentials"),
        ({"provider": "openai", "base_url": "http://host/v1?key=x"}, "query or fragment"),
        ({"provider": "openai", "base_url": "http://host:port/v1"}, "[Pp]ort"),
        ({"provider": "openai", "base_url": "http://"}, "is not an http"),
    ],
)
def test_deployments_that_cannot_work(deployment: dict[str, Any], message: str, settings: Build) -> None:
    with pytest.raises(ConfigError, match=rf"models\.m\.deployments\.0: .*{message}") as caught:
        check(settings({"m": [{"provider": "mock"} | deployment]}))
    assert "ключ" not in caught.value.message


def test_the_default_model_is_there_beside_others(settings: Build) -> None:
    assert [model.name for model in check(settings({"m": [MOCK]}))] == ["m", "mock"]
    assert [model.name for model in check(settings({"mock": [MOCK, MOCK]}))] == ["mock"]


async def test_only_the_mock_is_needed_for_nothing_else(settings: Build, log_dir: Path) -> None:
    async with Stack(settings()) as stack:
        assert not (log_dir / "gateway.jsonl").exists()
        assert stack.models() == [
            {
                "name": "mock",
                "strategy": "ordered",
                "last_resorts": [],
                "deployments": [
                    {
                        "name": "mock/default",
                        "provider": "mock",
                        "model": "mock",
                        "base_url": "",
                        "weight": 1.0,
                        "has_secret": False,
                    }
                ],
            }
        ]


def test_a_log_folder_that_cannot_be_used_stops_the_start(settings: Build, log_dir: Path) -> None:
    log_dir.write_text("a file")
    with pytest.raises(ConfigError, match=r"log\.dir: .*cannot be used"):
        build_gateway(settings())


async def test_the_credential_goes_where_it_belongs_and_nowhere_else(settings: Build) -> None:
    good = {"id": "x", "choices": [{"index": 0, "message": {"content": "hi"}}]}
    async with Upstream(answering(200, good)) as one, Upstream(answering(200, good)) as other:
        models = {
            "one": [{"provider": "openai", "base_url": one.url, "api_key": "sk-for-one"}],
            "other": [{"provider": "openai", "preset": "vllm", "base_url": other.url}],
        }
        async with Stack(settings(models)) as stack:
            await stack.call("chat", {"model": "one", "messages": USER})
            await stack.call("chat", {"model": "other", "messages": USER})
    assert one.requests[0].headers["authorization"] == "Bearer sk-for-one"
    assert "authorization" not in other.requests[0].headers
