"""Opaque proofs of one provider survive a turn through the SDKs, which hand the model's messages back as they came.

Gemini wants the signature of a tool call back, Anthropic that of its thinking; no client dialect but their own has a
field for them.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.fakes.upstream import Upstream, Wire

from .conftest import MODEL, Road

SIGNATURE = "c2lnbmF0dXJl" * 20
ASK = "What is the weather?"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}

GEMINI_CALL = {
    "candidates": [
        {
            "index": 0,
            "finishReason": "STOP",
            "content": {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"id": "c1", "name": "weather", "args": {"city": "Oslo"}},
                        "thoughtSignature": SIGNATURE,
                    }
                ],
            },
        }
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5},
}
GEMINI_TEXT = {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"parts": [{"text": "Sunny."}]}}]}
BLOCKS = [
    {"type": "thinking", "thinking": "A tool will know.", "signature": SIGNATURE},
    {"type": "redacted_thinking", "data": "b3BhcXVl"},
    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
]
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "c",
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 5},
}


async def gemini(wire: Wire) -> None:
    reply = GEMINI_TEXT if "functionResponse" in wire.request.body.decode() else GEMINI_CALL
    if wire.request.query:
        await wire.sse([f"data: {json.dumps(reply)}\n\n".encode()])
    else:
        await wire.answer(200, reply)


async def anthropic(wire: Wire) -> None:
    if "tool_result" in wire.request.body.decode():
        await wire.answer(200, {**MESSAGE, "stop_reason": "end_turn", "content": [{"type": "text", "text": "Sunny."}]})
    elif wire.request.json().get("stream"):
        await wire.sse([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in _events()])
    else:
        await wire.answer(200, {**MESSAGE, "content": BLOCKS})


def _events() -> list[dict[str, Any]]:
    thinking, redacted, call = BLOCKS
    pieces: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "A tool "},
                {"type": "thinking_delta", "thinking": "will know."},
                {"type": "signature_delta", "signature": thinking["signature"]},
            ],
        ),
        (redacted, []),
        ({**call, "input": {}}, [{"type": "input_json_delta", "partial_json": '{"city": "Oslo"}'}]),
    ]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
    ]
    for index, (start, deltas) in enumerate(pieces):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    return [
        *events,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]


async def chat(road: Road, streamed: bool) -> str:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
    messages: list[Any] = [{"role": "user", "content": ASK}]
    if streamed:
        async with road.openai.chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
            asked: Any = (await stream.get_final_completion()).choices[0].message
    else:
        whole = await road.openai.chat.completions.create(model=MODEL, messages=messages, tools=tools)
        asked = whole.choices[0].message
    messages += [asked, {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "sunny"}]
    answer = await road.openai.chat.completions.create(model=MODEL, messages=messages, tools=tools)
    return answer.choices[0].message.content or ""


async def responses(road: Road, streamed: bool) -> str:
    tools: Any = [{"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}]
    history: list[Any] = [{"role": "user", "content": ASK}]
    if streamed:
        async with road.openai.responses.stream(model=MODEL, input=history, tools=tools) as stream:
            asked: Any = await stream.get_final_response()
    else:
        asked = await road.openai.responses.create(model=MODEL, input=history, tools=tools)
    history += [*asked.output, {"type": "function_call_output", "call_id": asked.output[-1].call_id, "output": "sunny"}]
    return (await road.openai.responses.create(model=MODEL, input=history, tools=tools)).output_text


async def messages(road: Road, streamed: bool) -> str:
    wish: Any = {"model": MODEL, "max_tokens": 99, "tools": [{"name": "weather", "input_schema": PARAMETERS}]}
    history: list[Any] = [{"role": "user", "content": ASK}]
    if streamed:
        async with road.anthropic.messages.stream(**wish, messages=history) as stream:
            asked: Any = await stream.get_final_message()
    else:
        asked = await road.anthropic.messages.create(**wish, messages=history)
    history += [
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": asked.content[-1].id, "content": "sunny"}]},
    ]
    answer: Any = await road.anthropic.messages.create(**wish, messages=history)
    return str(answer.content[0].text)


@pytest.fixture(params=["gemini", "anthropic"])
async def upstream(request: pytest.FixtureRequest) -> AsyncIterator[Upstream]:
    async with Upstream(gemini if request.param == "gemini" else anthropic) as serving:
        serving.name = request.param  # type: ignore[attr-defined]
        yield serving


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("talk", [chat, responses, messages])
async def test_a_proof_comes_back(talk: Any, streamed: bool, upstream: Upstream, front: Callable[..., Any]) -> None:
    provider = upstream.name  # type: ignore[attr-defined]
    road = await front({"provider": provider, "base_url": upstream.url, "api_key": "k", "model": "model-3"})
    assert await talk(road, streamed) == "Sunny."
    sent = upstream.requests[-1].json()
    if provider == "gemini":
        assert sent["contents"][1]["parts"] == GEMINI_CALL["candidates"][0]["content"]["parts"]  # type: ignore[index]
    else:
        assert sent["messages"][1]["content"] == BLOCKS
