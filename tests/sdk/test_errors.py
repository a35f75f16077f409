"""What goes wrong reaches the SDKs as the exception classes that their users catch."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.upstream import Upstream, Wire, answering

from .conftest import MODEL, Road, lay

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
Front = Callable[..., Any]
OPENAI_ERROR = {"error": {"message": "said so", "type": "x", "code": "some_code", "param": "messages"}}
ANTHROPIC_ERROR = {"type": "error", "error": {"type": "x", "message": "said so"}}


async def chat(road: Road, **wish: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await road.openai.chat.completions.create(**{"model": MODEL, "messages": HELLO, **wish})
    assert caught.value.request_id == (await road.gateway.records())[-1]["request_id"]
    return caught.value


async def respond(road: Road, **wish: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await road.openai.responses.create(**{"model": MODEL, "input": "Hello", **wish})
    return caught.value


async def message(road: Road, **wish: Any) -> anthropic.APIStatusError:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await road.anthropic.messages.create(**{"model": MODEL, "max_tokens": 9, "messages": HELLO, **wish})
    assert caught.value.request_id == (await road.gateway.records())[-1]["request_id"]
    return caught.value


async def test_a_wrong_type_is_a_bad_request_that_names_its_place(road: Road) -> None:
    error = await chat(road, messages="Hello")
    assert isinstance(error, openai.BadRequestError) and error.param == "messages"
    assert isinstance(await respond(road, input=5), openai.BadRequestError)
    other = await message(road, messages="Hello")
    assert isinstance(other, anthropic.BadRequestError) and "messages" in other.message


async def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(road: Road) -> None:
    error = await chat(road, model="gone")
    assert isinstance(error, openai.NotFoundError) and error.code == "model_not_found" and MODEL in error.message
    assert isinstance(await respond(road, model="gone"), openai.NotFoundError)
    other = await message(road, model="gone")
    assert isinstance(other, anthropic.NotFoundError) and MODEL in other.message


async def test_a_body_over_the_limit(front: Front) -> None:
    road = await front({"provider": "mock"}, server={"body_limit_bytes": 1024})
    large: Any = [{"role": "user", "content": "x" * 2000}]
    error = await chat(road, messages=large)
    assert error.status_code == 413 and error.code == "request_too_large"
    assert isinstance(await message(road, messages=large), anthropic.RequestTooLargeError)


@pytest.mark.parametrize("name", ["mock", "fast", "chat", "messages"])
async def test_a_provider_that_fails_is_a_server_error(name: str, stack: Any, tmp_path: Path) -> None:
    road = await lay(stack, name, tmp_path, {"error_rate": 1.0})
    error = await chat(road)
    assert isinstance(error, openai.InternalServerError) and error.status_code == 503
    assert isinstance(await respond(road), openai.InternalServerError)
    assert (await message(road)).status_code == 503
    streamed = await chat(road, stream=True)
    assert streamed.status_code == 503  # before the first content there is still a status to tell it by


KINDS = [("openai", OPENAI_ERROR), ("anthropic", ANTHROPIC_ERROR)]


@pytest.mark.parametrize(("provider", "body"), KINDS)
async def test_a_rate_limit_of_the_provider(provider: str, body: Any, front: Front) -> None:
    async with Upstream(answering(429, body, {"retry-after": "7"})) as upstream:
        road = await front({"provider": provider, "base_url": upstream.url, "api_key": "k"})
        error = await chat(road)
        assert isinstance(error, openai.RateLimitError) and error.response.headers["retry-after"] == "7"
        assert isinstance(await respond(road), openai.RateLimitError)
        other = await message(road)
        assert isinstance(other, anthropic.RateLimitError) and "said so" in other.message


@pytest.mark.parametrize(("provider", "body"), KINDS)
async def test_a_refusal_keeps_the_providers_words(provider: str, body: Any, front: Front) -> None:
    async with Upstream(answering(400, body)) as upstream:
        road = await front({"provider": provider, "base_url": upstream.url, "api_key": "k"})
        error = await chat(road)
        assert isinstance(error, openai.BadRequestError) and "said so" in error.message
        assert isinstance(await message(road), anthropic.BadRequestError)


@pytest.mark.parametrize(("provider", "body"), KINDS)
@pytest.mark.parametrize("status", [401, 403])
async def test_the_gateways_own_credential_is_not_the_callers_fault(
    provider: str, body: Any, status: int, front: Front
) -> None:
    async with Upstream(answering(status, body)) as upstream:
        road = await front({"provider": provider, "base_url": upstream.url, "api_key": "sk-secret"})
        error = await chat(road)
        assert isinstance(error, openai.InternalServerError) and error.status_code == 502
        assert "said so" not in str(error.body) and "sk-secret" not in str(error.body)
        assert (await message(road)).status_code == 502


async def test_nobody_there(front: Front) -> None:
    road = await front({"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k"})
    error = await chat(road)
    assert error.status_code == 502 and error.code == "upstream_unreachable"
    assert (await message(road)).status_code == 502


async def test_no_answer_in_time(front: Front) -> None:
    async def silent(wire: Wire) -> None:
        await wire.writer.wait_closed()

    async with Upstream(silent) as upstream:
        road = await front({"provider": "openai", "base_url": upstream.url, "api_key": "k", "timeout_seconds": 0.2})
        error = await chat(road)
        assert error.status_code == 504 and error.code == "upstream_timeout"


CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}],
}
START = {
    "type": "message_start",
    "message": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hel"}}
RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "status": "in_progress",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
CREATED = {"type": "response.created", "sequence_number": 0, "response": RESPONSE}
DELTA = {
    "type": "response.output_text.delta",
    "sequence_number": 1,
    "item_id": "i",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hel",
    "logprobs": [],
}
STREAMS = {"/chat/completions": [CHUNK], "/responses": [CREATED, DELTA], "/v1/messages": [START, BLOCK]}


def as_event(event: dict[str, Any]) -> bytes:
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def breaking_off(failure: dict[str, Any] | None) -> Any:
    """A script: the beginning of a stream in the dialect of the path, then an error event, or the line is cut."""

    async def script(wire: Wire) -> None:
        await wire.begin()
        for event in STREAMS[wire.request.path]:
            await wire.chunk(as_event(event))
        await asyncio.sleep(0.05)  # by then the first content has been read on its own
        if failure is not None:
            await wire.chunk(as_event(failure))
        wire.cut()

    return script


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("cut", [False, True])
async def test_a_stream_that_fails_after_its_first_content_raises(provider: str, cut: bool, front: Front) -> None:
    failure = None if cut else ANTHROPIC_ERROR if provider == "anthropic" else OPENAI_ERROR
    async with Upstream(breaking_off(failure)) as upstream:
        road: Road = await front({"provider": provider, "base_url": upstream.url, "api_key": "k"})
        await _chat_breaks(road)
        await _messages_break(road)
        await _responses_break(road)
        records = await road.gateway.records()
    assert [record["error_type"] for record in records] == [records[0]["error_type"]] * 3
    assert records[0]["error_type"] in ("upstream_broken", "upstream_unavailable")
    assert all(record["token_usage"]["source"] == "estimated" for record in records)


async def _chat_breaks(road: Road) -> None:
    texts = []
    with pytest.raises(openai.APIError):
        async for chunk in await road.openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            texts.append(chunk.choices[0].delta.content or "")
    assert "".join(texts) == "Hel"


async def _responses_break(road: Road) -> None:
    texts = []
    with pytest.raises(openai.APIError):
        async for event in await road.openai.responses.create(model=MODEL, input="Hello", stream=True):
            texts.append(event.delta if event.type == "response.output_text.delta" else "")
    assert "".join(texts) == "Hel"


async def _messages_break(road: Road) -> None:
    with pytest.raises(anthropic.APIStatusError):
        async with road.anthropic.messages.stream(model=MODEL, max_tokens=9, messages=HELLO) as stream:
            async for _ in stream:
                pass
