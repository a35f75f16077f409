"""``client.messages`` of the anthropic SDK, on every road."""

from typing import Any

import pytest
from anthropic import BadRequestError
from anthropic.types import Message
from pydantic import BaseModel

from .conftest import MODEL, Road

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


class Weather(BaseModel):
    city: str
    days: int


TOOLS: Any = [
    {"name": "weather", "input_schema": Weather.model_json_schema()},
    {"name": "clock", "input_schema": {"type": "object", "properties": {}}},
]


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def test_a_message(road: Road) -> None:
    answer = await road.anthropic.messages.create(model=MODEL, max_tokens=99, system="Be kind.", messages=HELLO)
    assert (answer.type, answer.role, answer.stop_reason, answer.model) == ("message", "assistant", "end_turn", MODEL)
    assert len(text_of(answer).split()) == 24 and answer.usage.output_tokens == 24 and answer.usage.input_tokens > 0
    assert answer._request_id == (await road.gateway.records())[-1]["request_id"]


async def test_a_stream(road: Road) -> None:
    whole = text_of(await road.anthropic.messages.create(model=MODEL, max_tokens=99, messages=HELLO))
    stream = await road.anthropic.messages.create(model=MODEL, max_tokens=99, messages=HELLO, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"] and kinds[-2:] == ["message_delta", "message_stop"]
    async with road.anthropic.messages.stream(model=MODEL, max_tokens=99, messages=HELLO) as helper:
        assert "".join([text async for text in helper.text_stream]) == whole
        final = await helper.get_final_message()
    assert text_of(final) == whole and final.stop_reason == "end_turn" and final.usage.output_tokens == 24


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_are_called_and_their_results_answered(road: Road, streamed: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "Ask weather and clock."}]
    wish: Any = {"model": MODEL, "max_tokens": 99, "tools": TOOLS}
    if streamed:
        async with road.anthropic.messages.stream(**wish, messages=messages) as helper:
            asked = await helper.get_final_message()
    else:
        asked = await road.anthropic.messages.create(**wish, messages=messages)
    called = [block for block in asked.content if block.type == "tool_use"]
    assert [call.name for call in called] == ["weather", "clock"] and asked.stop_reason == "tool_use"
    Weather.model_validate(called[0].input)
    messages.append({"role": "assistant", "content": asked.content})  # the SDK's own objects go back as they came
    messages.append(
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": called[0].id, "content": "sunny"},
                {
                    "type": "tool_result",
                    "tool_use_id": called[1].id,
                    "content": [{"type": "text", "text": "late"}],
                    "is_error": True,
                },
            ],
        }
    )
    answer = await road.anthropic.messages.create(**wish, messages=messages)
    assert text_of(answer) and answer.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "none"}, []),
        ({"type": "any"}, ["weather"]),
        ({"type": "tool", "name": "clock"}, ["clock"]),
        ({"type": "any", "disable_parallel_tool_use": True}, ["weather"]),
    ],
)
async def test_the_choice_of_tools_arrives(road: Road, choice: Any, names: list[str]) -> None:
    answer = await road.anthropic.messages.create(
        model=MODEL, max_tokens=99, messages=HELLO, tools=TOOLS, tool_choice=choice
    )
    assert [block.name for block in answer.content if block.type == "tool_use"] == names


async def test_structured_output_is_parsed(road: Road) -> None:
    answer = await road.anthropic.messages.parse(model=MODEL, max_tokens=99, messages=HELLO, output_format=Weather)
    assert isinstance(answer.parsed_output, Weather)
    assert (await road.gateway.records())[-1]["json_valid"] is True


@pytest.mark.parametrize("streamed", [False, True])
async def test_thinking_is_shown(road: Road, streamed: bool) -> None:
    wish: Any = {
        "model": MODEL,
        "max_tokens": 4000,
        "messages": HELLO,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    if streamed:
        async with road.anthropic.messages.stream(**wish) as helper:
            answer = await helper.get_final_message()
    else:
        answer = await road.anthropic.messages.create(**wish)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking == "The mock thinks before it answers."  # type: ignore[union-attr]


async def test_images_documents_and_limits(road: Road) -> None:
    messages: list[Any] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}},
            ],
        }
    ]
    answer = await road.anthropic.messages.create(model=MODEL, max_tokens=3, messages=messages)
    assert answer.stop_reason == "max_tokens" and len(text_of(answer).split()) == 3


async def test_the_stop_sequence_that_was_met_is_named(road: Road) -> None:
    whole = text_of(await road.anthropic.messages.create(model=MODEL, max_tokens=99, messages=HELLO))
    word = whole.split()[5]
    answer = await road.anthropic.messages.create(model=MODEL, max_tokens=99, messages=HELLO, stop_sequences=[word])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", word)
    async with road.anthropic.messages.stream(
        model=MODEL, max_tokens=99, messages=HELLO, stop_sequences=[word]
    ) as helper:
        streamed = await helper.get_final_message()
    assert (streamed.stop_reason, streamed.stop_sequence, text_of(streamed)) == ("stop_sequence", word, text_of(answer))


async def test_tokens_are_counted(road: Road) -> None:
    few = await road.anthropic.messages.count_tokens(model=MODEL, messages=HELLO)
    long: Any = [{"role": "user", "content": "Hello " * 99}]
    many = await road.anthropic.messages.count_tokens(model=MODEL, messages=long)
    assert 0 < few.input_tokens < many.input_tokens


async def test_what_only_anthropic_has_is_refused_elsewhere(road: Road) -> None:
    wish: Any = {"model": MODEL, "max_tokens": 9, "messages": HELLO, "extra_body": {"container": "c1"}}
    if road.name in ("mock", "messages"):
        assert text_of(await road.anthropic.messages.create(**wish))
        return
    with pytest.raises(BadRequestError, match="container"):
        await road.anthropic.messages.create(**wish)
