"""The mock provider: the same seed and request give the same answer, and it can be slow or fail on demand."""

import json
import time
from collections import Counter
from typing import Any

import pytest

from llmops.clock import SystemClock
from llmops.dialects.registry import CONVERSATIONAL, DIALECTS
from llmops.dialects.sse import EventParser
from llmops.errors import InvalidRequest, UpstreamTimeout, UpstreamUnavailable
from llmops.providers.mock import MockOptions, MockProvider
from llmops.types import Call, Deployment, Operation, Reply, Timeouts

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
SAME: dict[Operation, dict[str, Any]] = {
    "chat": CHAT,
    "responses": {"model": "m", "input": "Hello"},
    "messages": {"model": "m", "max_tokens": 999, "messages": [{"role": "user", "content": "Hello"}]},
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("sun", "moon")
]


def a_mock(**options: Any) -> MockProvider:
    return MockProvider(
        MockOptions(**options), dialects=DIALECTS, conversational=CONVERSATIONAL, monotonic_s=SystemClock().monotonic_s
    )


async def ask(
    mock: MockProvider, body: dict[str, Any], operation: Operation = "chat", timeouts: Timeouts | None = None
) -> Reply:
    raw = json.dumps(body).encode()
    return await mock.send(
        Call(
            operation=operation,
            body=raw,
            view=DIALECTS[operation].view(raw),
            request_id="r1",
            trace_id="t",
            span_id="s",
            started_at_s=7,
            started_s=0,
            deployment=Deployment(name="d", provider=mock, model=None),
            keep_text=True,
            timeouts=timeouts,
        )
    )


async def chat(mock: MockProvider, **wish: Any) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads((await ask(mock, {**CHAT, **wish})).body)
    return reply


async def text(mock: MockProvider, **wish: Any) -> str:
    content: str = (await chat(mock, **wish))["choices"][0]["message"]["content"]
    return content


async def streamed(mock: MockProvider, operation: Operation = "chat", **wish: Any) -> tuple[Reply, bytes]:
    reply = await ask(mock, {**SAME[operation], "stream": True, **wish}, operation)
    assert reply.stream is not None
    return reply, b"".join([piece async for piece in reply.stream])


# --- determinism ------------------------------------------------------------------------------------------------


async def test_the_answer_depends_on_the_request_and_the_seed_alone() -> None:
    assert (await ask(a_mock(), CHAT)).body == (await ask(a_mock(), CHAT)).body
    assert await text(a_mock()) != await text(a_mock(seed=5))
    seen = {await text(a_mock(), messages=[{"role": "user", "content": f"Hello {number}"}]) for number in range(9)}
    assert len(seen) > 5
    mock = a_mock()
    assert await text(mock) == await text(mock)  # nothing is remembered between calls


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"n": 3},
        {"tools": TOOLS},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": "low"},
        {"max_tokens": 3},
        {"stop": ["what"]},
        {"logprobs": True},
    ],
)
async def test_a_stream_says_the_same(wish: dict[str, Any]) -> None:
    whole = CONVERSATIONAL["chat"].read_reply((await ask(a_mock(), {**CHAT, **wish})).body)
    reply, wire = await streamed(a_mock(), **wish)
    reader = CONVERSATIONAL["chat"].stream_reader()
    texts: Counter[int] = Counter()
    said: dict[int, str] = {choice.index: "" for choice in whole.choices}
    for event in EventParser().feed(wire):
        for delta in reader.feed(event):
            if hasattr(delta, "text") and type(delta).__name__ == "TextDelta":
                said[delta.choice] += delta.text  # type: ignore[union-attr]
                texts[delta.choice] += 1  # type: ignore[union-attr]
    for choice in whole.choices:
        assert said[choice.index] == "".join(part.text for part in choice.parts if type(part).__name__ == "Text")  # type: ignore[union-attr]
    assert reply.outcome.usage == whole.usage and reply.outcome.finish_reason == whole.choices[0].finish_reason
    assert reader.finished


async def test_every_dialect_gets_the_same_words() -> None:
    texts = set()
    for operation, body in SAME.items():
        whole = await ask(a_mock(), body, operation)
        stream, _ = await streamed(a_mock(), operation)
        texts |= {whole.outcome.text, stream.outcome.text}
        assert whole.outcome.usage == stream.outcome.usage and whole.outcome.usage.completion == 24
    assert len(texts) == 1


# --- what it honours --------------------------------------------------------------------------------------------


async def test_the_text_is_as_long_as_configured_or_fixed() -> None:
    assert len((await text(a_mock(words=5))).split()) == 5
    assert await text(a_mock(reply="Just this.")) == "Just this."
    assert await text(a_mock(reply="Not JSON"), response_format={"type": "json_object"}) == "Not JSON"


async def test_limits_cut_and_stops_end_the_text() -> None:
    cut = (await chat(a_mock(reply="one two three"), max_tokens=2))["choices"][0]
    assert (cut["message"]["content"], cut["finish_reason"]) == ("one two", "length")
    exact = (await chat(a_mock(reply="one two three"), max_tokens=3))["choices"][0]
    assert (exact["message"]["content"], exact["finish_reason"]) == ("one two three", "stop")
    stopped = (await chat(a_mock(reply="one two three"), stop=["nothing", " two"]))["choices"][0]
    assert (stopped["message"]["content"], stopped["stop_reason"]) == ("one", " two")


async def test_usage_adds_up() -> None:
    reply = await chat(a_mock(reply="one two three"), n=2, reasoning_effort="high")
    usage = reply["usage"]
    assert usage["completion_tokens"] == 2 * (3 + 6)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2 * 6
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    longer = await chat(a_mock(), messages=[{"role": "user", "content": "Hello " * 100}])
    assert longer["usage"]["prompt_tokens"] > usage["prompt_tokens"] > 0


async def test_json_fits_the_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 4}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(await text(a_mock(), response_format=wanted))["n"] in (3, 4)
    assert isinstance(json.loads(await text(a_mock(), response_format={"type": "json_object"})), dict)


def saying(words: str, *results: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": words}]
    if results:
        calls = [{"id": call, "type": "function", "function": {"name": "sun", "arguments": "{}"}} for call in results]
        messages.append({"role": "assistant", "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": call, "content": "x"} for call in results]
    return messages


@pytest.mark.parametrize(
    ("messages", "choice", "parallel", "names"),
    [
        (saying("Hello"), None, None, ["sun"]),
        (saying("Hello"), "auto", None, ["sun"]),
        (saying("the moon"), None, None, ["moon"]),
        (saying("moon and sun"), None, None, ["sun", "moon"]),
        (saying("moon and sun"), None, False, ["sun"]),
        (saying("Hello"), "none", None, []),
        (saying("Hello"), {"type": "function", "function": {"name": "moon"}}, None, ["moon"]),
        (saying("Hello"), {"type": "function", "function": {"name": "stars"}}, None, []),
        (saying("sun", "c1"), None, None, []),
        (saying("sun", "c1"), "required", None, ["sun"]),
    ],
)
async def test_tools_are_called_by_the_rules(messages: Any, choice: Any, parallel: Any, names: list[str]) -> None:
    reply = await chat(a_mock(), messages=messages, tools=TOOLS, tool_choice=choice, parallel_tool_calls=parallel)
    calls = reply["choices"][0]["message"].get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == names
    assert reply["choices"][0]["finish_reason"] == ("tool_calls" if names else "stop")
    assert all(isinstance(json.loads(call["function"]["arguments"])["city"], str) for call in calls)
    assert len({call["id"] for call in calls}) == len(calls)


async def test_without_tools_none_is_called() -> None:
    assert "tool_calls" not in (await chat(a_mock(), tool_choice="required"))["choices"][0]["message"]


@pytest.mark.parametrize(
    "parameters", [{"properties": 5}, {"$ref": "#"}, {"type": "string"}, {"enum": []}, {"type": 5}]
)
async def test_a_tool_with_a_broken_schema_is_called_with_an_object(parameters: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    call = (await chat(a_mock(), tools=[tool]))["choices"][0]["message"]["tool_calls"][0]
    assert isinstance(json.loads(call["function"]["arguments"]), dict)


# --- embeddings and counts --------------------------------------------------------------------------------------


async def test_embeddings_are_unit_vectors_of_the_text_and_the_seed() -> None:
    async def embed(mock: MockProvider, *texts: str, **wish: Any) -> list[list[float]]:
        reply = json.loads((await ask(mock, {"model": "m", "input": list(texts), **wish}, "embeddings")).body)
        return [item["embedding"] for item in reply["data"]]

    one, two = await embed(a_mock(), "a", "b")
    assert len(one) == 256 and one != two and sum(value * value for value in one) == pytest.approx(1)
    assert await embed(a_mock(), "b", "a") == [two, one] and await embed(a_mock(seed=1), "a") != [one]
    assert len((await embed(a_mock(), "a", dimensions=3))[0]) == 3
    with pytest.raises(InvalidRequest, match="1000000"):
        await embed(a_mock(), "a", dimensions=2_000_000)


async def test_a_count_is_an_estimate_and_says_so() -> None:
    reply = await ask(a_mock(), SAME["messages"], "count_tokens")
    assert json.loads(reply.body)["input_tokens"] > 0 and (b"x-llmops-estimated", b"true") in reply.headers
    assert reply.outcome.usage.source == "none"


# --- slowness and failure ---------------------------------------------------------------------------------------


async def test_failures_come_at_their_rate_and_repeatably() -> None:
    async def pattern(seed: int) -> list[bool]:
        mock, failed = a_mock(error_rate=0.3, seed=seed), []
        for _ in range(200):
            try:
                await ask(mock, CHAT)
                failed.append(False)
            except UpstreamUnavailable as exc:
                assert (exc.status, exc.upstream_status, exc.retryable) == (503, 503, True)
                failed.append(True)
        return failed

    first = await pattern(0)
    assert 35 < sum(first) < 85 and await pattern(0) == first and await pattern(1) != first
    with pytest.raises(UpstreamUnavailable):
        await ask(a_mock(error_rate=1.0), CHAT)


async def test_latency_comes_before_the_first_token_and_speed_after_it() -> None:
    began = time.perf_counter()
    reply = await ask(a_mock(reply="a b c d e f", latency_ms=40, tokens_per_second=100), {**CHAT, "stream": True})
    opened = time.perf_counter() - began
    assert reply.stream is not None and 0.035 < opened < 0.5
    pieces = [piece async for piece in reply.stream]
    assert time.perf_counter() - began - opened > 0.045 and len(pieces) >= 6
    began = time.perf_counter()
    await ask(a_mock(reply="a b c d e f", tokens_per_second=100), CHAT)
    assert time.perf_counter() - began > 0.055


@pytest.mark.parametrize(
    ("options", "limits", "wish"),
    [
        ({"latency_ms": 60_000}, Timeouts(first_byte_s=0.02), {}),
        ({"latency_ms": 60_000}, Timeouts(total_s=0.02), {"stream": True}),
        ({"tokens_per_second": 0.01}, Timeouts(total_s=0.02), {}),
    ],
)
async def test_being_slow_it_obeys_the_limits_of_the_call(
    options: dict[str, Any], limits: Timeouts, wish: dict[str, Any]
) -> None:
    with pytest.raises(UpstreamTimeout):
        await ask(a_mock(**options), {**CHAT, **wish}, timeouts=limits)


async def test_a_slow_stream_ends_at_the_limit_of_the_whole_with_what_it_had() -> None:
    mock = a_mock(reply="a b c d e f", tokens_per_second=20)
    reply = await ask(mock, {**CHAT, "stream": True}, timeouts=Timeouts(total_s=0.12))
    assert reply.stream is not None
    await anext(reply.stream)
    with pytest.raises(UpstreamTimeout):
        async for _ in reply.stream:
            pass
    assert reply.outcome.output_chars > 0


async def test_a_stream_that_is_closed_says_no_more() -> None:
    reply = await ask(a_mock(), {**CHAT, "stream": True})
    stream = reply.stream
    assert stream is not None
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert [piece async for piece in stream] == []


async def test_a_text_is_as_long_as_the_last_message_asks_for() -> None:
    asked = [{"role": "user", "content": "Sum it up in about 150 words."}]
    reply = await chat(a_mock(words=5), messages=asked)
    assert len(reply["choices"][0]["message"]["content"].split(" ")) == 150
    assert reply["usage"]["completion_tokens"] == 150 and reply["choices"][0]["finish_reason"] == "stop"
    assert len((await text(a_mock(words=5))).split(" ")) == 5
    beyond = [{"role": "user", "content": "In about 1234567 words."}]
    assert len((await text(a_mock(words=5), messages=beyond)).split(" ")) == 5


def test_latencies_scatter_around_the_median() -> None:
    mock, still = a_mock(latency_ms=100, spread=0.5, seed=3), a_mock(latency_ms=100)
    found = sorted(mock._latency_s() for _ in range(501))
    assert found[0] < 0.06 and found[-1] > 0.2 and found[250] == pytest.approx(0.1, rel=0.15)
    assert still._latency_s() == 0.1
