"""``client.chat.completions`` of the openai SDK, on every road."""

import json
from typing import Any

import pytest
from openai import BadRequestError, pydantic_function_tool
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from .conftest import MODEL, Road

HELLO: list[Any] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


class Weather(BaseModel):
    city: str
    days: int


class Clock(BaseModel):
    zone: str


TOOLS: Any = [pydantic_function_tool(Weather, name="weather"), pydantic_function_tool(Clock, name="clock")]


def text_of(completion: ChatCompletion) -> str:
    content = completion.choices[0].message.content
    assert content
    return content


async def test_a_completion(road: Road) -> None:
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].finish_reason == "stop" and len(text_of(answer).split()) == 24
    assert answer.usage is not None and answer.usage.completion_tokens == 24 and answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model == MODEL and answer.object == "chat.completion" and answer.created > 1_700_000_000
    assert answer._request_id == (await road.gateway.records())[-1]["request_id"]


async def test_a_stream_brings_the_same_text_and_hides_usage_that_was_not_asked_for(road: Road) -> None:
    whole = text_of(await road.openai.chat.completions.create(model=MODEL, messages=HELLO))
    stream = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[-1].choices[0].finish_reason == "stop" and chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1 and all(chunk.usage is None for chunk in chunks)
    record = (await road.gateway.records())[-1]
    assert record["stream"] and record["token_usage"]["completion"] == 24
    assert record["token_usage"]["source"] == "provider" and record["ttft_ms"] is not None


async def test_a_stream_ends_with_the_usage_that_was_asked_for(road: Road) -> None:
    stream = await road.openai.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in stream][-1]
    assert last.choices == [] and last.usage is not None and last.usage.completion_tokens == 24


async def test_the_stream_helper_puts_the_completion_together(road: Road) -> None:
    async with road.openai.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "weather and clock"}], tools=TOOLS
    ) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None and [call.function.name for call in calls] == ["weather", "clock"]
    assert isinstance(calls[0].function.parsed_arguments, Weather) and final.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("parallel", [True, False])
async def test_tools_are_called_and_their_results_answered(road: Road, parallel: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "Ask weather and clock."}]
    asked = await road.openai.chat.completions.create(
        model=MODEL, messages=messages, tools=TOOLS, parallel_tool_calls=parallel
    )
    assert asked.choices[0].finish_reason == "tool_calls"
    called: list[Any] = list(asked.choices[0].message.tool_calls or [])
    assert [call.function.name for call in called] == (["weather", "clock"] if parallel else ["weather"])
    Weather.model_validate_json(called[0].function.arguments)
    messages.append(asked.choices[0].message)  # the SDK's own object goes back as it came
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in called]
    answer = await road.openai.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    assert answer.choices[0].finish_reason == "stop" and text_of(answer)


@pytest.mark.parametrize(
    ("choice", "names"),
    [("none", []), ("required", ["weather"]), ({"type": "function", "function": {"name": "clock"}}, ["clock"])],
)
async def test_the_choice_of_tools_arrives(road: Road, choice: Any, names: list[str]) -> None:
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, tools=TOOLS, tool_choice=choice)
    called: list[Any] = list(answer.choices[0].message.tool_calls or [])
    assert [call.function.name for call in called] == names


async def test_structured_output_is_parsed(road: Road) -> None:
    answer = await road.openai.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)
    assert (await road.gateway.records())[-1]["json_valid"] is True


async def test_structured_output_is_parsed_from_a_stream(road: Road) -> None:
    async with road.openai.chat.completions.stream(model=MODEL, messages=HELLO, response_format=Weather) as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Weather)
    assert (await road.gateway.records())[-1]["json_valid"] is True


async def refused(road: Road, **wish: Any) -> str | None:
    """The parameter that a road which cannot carry ``wish`` names."""
    with pytest.raises(BadRequestError) as caught:
        await road.openai.chat.completions.create(model=MODEL, messages=HELLO, **wish)
    assert caught.value.code == "unsupported_parameter" and caught.value.status_code == 400
    return caught.value.param


async def test_json_mode(road: Road) -> None:
    wish: Any = {"response_format": {"type": "json_object"}}
    if not road.offers_chat:
        assert await refused(road, **wish) == "response_format"
        return
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, **wish)
    assert isinstance(json.loads(text_of(answer)), dict)


async def test_alternatives(road: Road) -> None:
    if not road.offers_chat:
        assert await refused(road, n=2) == "n"
        return
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    stream = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, n=2, stream=True)
    texts = {0: "", 1: ""}
    async for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {choice.index: choice.message.content for choice in answer.choices}


async def test_logprobs(road: Road) -> None:
    if not road.offers_chat:
        assert await refused(road, logprobs=True, top_logprobs=1) == "logprobs"
        return
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, top_logprobs=1)
    found = answer.choices[0].logprobs
    assert found is not None and found.content is not None
    assert "".join(entry.token for entry in found.content) == text_of(answer)
    assert all(len(entry.top_logprobs) == 1 for entry in found.content)
    stream = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, stream=True)
    tokens = [
        entry.token
        async for chunk in stream
        for choice in chunk.choices
        if choice.logprobs
        for entry in choice.logprobs.content or []
    ]
    assert "".join(tokens) == text_of(answer)


async def test_reasoning_is_shown_and_counted(road: Road) -> None:
    answer = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, reasoning_effort="high")
    assert (answer.choices[0].message.model_extra or {})["reasoning_content"] == "The mock thinks before it answers."
    assert answer.usage is not None and answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 6
    stream = await road.openai.chat.completions.create(
        model=MODEL, messages=HELLO, reasoning_effort="high", stream=True
    )
    thoughts = [
        (choice.delta.model_extra or {}).get("reasoning_content", "")
        async for chunk in stream
        for choice in chunk.choices
    ]
    assert "".join(thoughts) == "The mock thinks before it answers."


async def test_images_inline_and_by_address(road: Road) -> None:
    for url in (f"data:image/png;base64,{PIXEL}", "https://example.com/a.png"):
        messages: list[Any] = [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            }
        ]
        assert text_of(await road.openai.chat.completions.create(model=MODEL, messages=messages))


async def test_limits_and_stops(road: Road) -> None:
    cut = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, max_completion_tokens=3)
    assert cut.choices[0].finish_reason == "length" and len(text_of(cut).split()) == 3
    whole = text_of(await road.openai.chat.completions.create(model=MODEL, messages=HELLO))
    word = whole.split()[5]
    stopped = await road.openai.chat.completions.create(model=MODEL, messages=HELLO, stop=[word])
    assert text_of(stopped) == whole.split(word, 1)[0] and stopped.choices[0].finish_reason == "stop"


async def test_what_was_dropped_with_leave_is_told(road: Road) -> None:
    raw = await road.openai.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=HELLO,
        seed=7,
        extra_body={"not_of_openai": 1},
        extra_headers={"X-LLMOps-Allow-Dropped": "true"},
    )
    dropped = raw.headers.get("x-llmops-dropped")
    assert dropped == (None if road.offers_chat else "not_of_openai, seed")
    assert text_of(raw.parse())
