"""``client.responses`` of the openai SDK, on every road."""

from typing import Any

import pytest
from openai import BadRequestError
from openai.types.responses import Response, ResponseCompletedEvent, ResponseFunctionToolCall
from pydantic import BaseModel

from .conftest import MODEL, Road

HELLO = "Hello"


class Weather(BaseModel):
    city: str
    days: int


SCHEMA = {**Weather.model_json_schema(), "additionalProperties": False}
TOOLS: Any = [
    {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True},
    {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}, "strict": False},
]


async def test_a_response(road: Road) -> None:
    response = await road.openai.responses.create(model=MODEL, input=HELLO, instructions="Be kind.")
    assert response.status == "completed" and len(response.output_text.split()) == 24
    assert response.usage is not None and response.usage.output_tokens == 24
    assert response.usage.total_tokens == response.usage.input_tokens + 24
    assert response.model == MODEL and response._request_id


async def test_a_stream(road: Road) -> None:
    whole = (await road.openai.responses.create(model=MODEL, input=HELLO)).output_text
    stream = await road.openai.responses.create(model=MODEL, input=HELLO, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole
    assert isinstance(events[-1], ResponseCompletedEvent) and events[-1].response.output_text == whole
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.usage is not None and events[-1].response.usage.output_tokens == 24


async def test_the_stream_helper_puts_the_response_together(road: Road) -> None:
    async with road.openai.responses.stream(model=MODEL, input="weather, clock", tools=TOOLS) as stream:
        final = await stream.get_final_response()
    assert [call.name for call in calls_of(final)] == ["weather", "clock"]


def calls_of(response: Any) -> list[ResponseFunctionToolCall]:
    return [item for item in response.output if item.type == "function_call"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_are_called_and_their_results_answered(road: Road, streamed: bool) -> None:
    history: list[Any] = [{"role": "user", "content": "Ask weather and clock."}]
    asked: Response
    if streamed:
        stream = await road.openai.responses.create(model=MODEL, input=history, tools=TOOLS, stream=True)
        asked = [event async for event in stream][-1].response  # type: ignore[union-attr]
    else:
        asked = await road.openai.responses.create(model=MODEL, input=history, tools=TOOLS)
    called = calls_of(asked)
    assert [call.name for call in called] == ["weather", "clock"]
    Weather.model_validate_json(called[0].arguments)
    history += asked.output  # the SDK's own objects go back as they came
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in called]
    answer = await road.openai.responses.create(model=MODEL, input=history, tools=TOOLS)
    assert answer.output_text and not calls_of(answer)


async def test_structured_output_is_parsed(road: Road) -> None:
    response = await road.openai.responses.parse(model=MODEL, input=HELLO, text_format=Weather)
    assert isinstance(response.output_parsed, Weather)
    assert (await road.gateway.records())[-1]["json_valid"] is True


async def test_reasoning_is_shown_counted_and_taken_back(road: Road) -> None:
    response = await road.openai.responses.create(
        model=MODEL, input=HELLO, reasoning={"effort": "high", "summary": "auto"}
    )
    thought = response.output[0]
    assert thought.type == "reasoning" and thought.summary[0].text == "The mock thinks before it answers."
    assert response.usage is not None and response.usage.output_tokens_details.reasoning_tokens == 6
    history: list[Any] = [{"role": "user", "content": HELLO}, *response.output, {"role": "user", "content": "Go on"}]
    if road.name == "messages":  # Anthropic takes thinking back only with its own proof, which the mock has not made
        with pytest.raises(BadRequestError) as caught:
            await road.openai.responses.create(model=MODEL, input=history)
        assert caught.value.param == "input[1]"
        return
    assert (await road.openai.responses.create(model=MODEL, input=history)).output_text


async def test_images_and_limits(road: Road) -> None:
    history: list[Any] = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
            ],
        }
    ]
    response = await road.openai.responses.create(model=MODEL, input=history, max_output_tokens=3)
    assert response.status == "incomplete" and response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens" and len(response.output_text.split()) == 3


async def test_logprobs(road: Road) -> None:
    wish: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
    if not road.offers_chat:
        with pytest.raises(BadRequestError, match="top_logprobs"):
            await road.openai.responses.create(model=MODEL, input=HELLO, **wish)
        return
    response = await road.openai.responses.create(model=MODEL, input=HELLO, **wish)
    content: Any = response.output[0]
    assert "".join(entry.token for entry in content.content[0].logprobs) == response.output_text


async def test_state_that_only_openai_keeps_is_refused_where_it_would_be_lost(road: Road) -> None:
    """On the fast lane it is the upstream's to honour; the mock at its end takes it, and has no use for it."""
    if road.name in ("mock", "fast"):
        assert (await road.openai.responses.create(model=MODEL, input=HELLO, previous_response_id="resp_1")).output_text
        return
    with pytest.raises(BadRequestError) as caught:
        await road.openai.responses.create(model=MODEL, input=HELLO, previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
