"""The mock provider keeps the same contract without an upstream: every dialect, streamed or not, repeatable by seed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmops.app import Stack
from llmops.errors import UpstreamUnavailable
from llmops.settings import Settings
from llmops.types import Operation

from .clients import DIALECTS, SCHEMA, Ask
from .test_providers import FINISH, logged, say

Build = Callable[..., Settings]


def mock(**options: Any) -> dict[str, Any]:
    return {"m": [{"provider": "mock", "mock": options}]}


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Operation:
    return request.param  # type: ignore[no-any-return]


async def test_streamed_or_not_it_says_the_same(settings: Build, dialect: Operation) -> None:
    async with Stack(settings(mock(seed=3))) as stack:
        whole = await say(stack, dialect, Ask("Hello"))
        streamed = await say(stack, dialect, Ask("Hello", stream=True))
        assert whole.text and whole.finish == FINISH[dialect][0]
        assert (whole.text, whole.prompt, whole.completion) == (streamed.text, streamed.prompt, streamed.completion)


async def test_the_seed_decides_the_answer(settings: Build, dialect: Operation) -> None:
    said = []
    for seed in (1, 1, 2):
        async with Stack(settings(mock(seed=seed))) as stack:
            said.append((await say(stack, dialect, Ask("Hello"))).text)
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_their_follow_up(settings: Build, dialect: Operation, stream: bool) -> None:
    async with Stack(settings(mock())) as stack:
        tools = ("get_weather", "get_time")
        said = await say(stack, dialect, Ask("get_weather and get_time", tools=tools, stream=stream))
        assert [name for name, _ in said.calls] == list(tools) and said.finish == FINISH[dialect][1]
        results = tuple((id_, name, "ok") for id_, (name, _) in zip(said.ids, said.calls, strict=True))
        again = await say(stack, dialect, Ask("get_weather and get_time", tools=tools, results=results, stream=stream))
        assert again.text and not again.calls


@pytest.mark.parametrize("stream", [False, True])
async def test_structured_output_fits_its_schema(settings: Build, dialect: Operation, stream: bool) -> None:
    async with Stack(settings(mock())) as stack:
        said = await say(stack, dialect, Ask("JSON", schema=SCHEMA, stream=stream))
        assert isinstance(json.loads(said.text)["answer"], int)
        assert (await logged(stack))["json_valid"] is True


async def test_it_can_be_told_what_to_say(settings: Build, dialect: Operation) -> None:
    async with Stack(settings(mock(reply="Nothing but this"))) as stack:
        assert (await say(stack, dialect, Ask("Hello"))).text == "Nothing but this"


async def test_it_can_be_told_to_fail(settings: Build, dialect: Operation) -> None:
    async with Stack(settings(mock(error_rate=1.0))) as stack:
        with pytest.raises(UpstreamUnavailable, match="error_rate"):
            await say(stack, dialect, Ask("Hello"))
        record = await logged(stack)
        assert (record["status"], record["error_type"]) == (503, "upstream_unavailable")
