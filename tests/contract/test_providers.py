"""Every provider keeps one contract: what any client dialect asks reaches the upstream, what it answers comes back.

The upstreams are fakes that refuse what the real ones refuse (see ``tests/fakes``). ``compatible`` is a server that has
Chat Completions alone; the Azures are Azure's two kinds of address.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmops.app import Stack
from llmops.errors import UnsupportedParameter
from llmops.types import Operation, Reply

from ..fakes.gateway import settings_for
from ..fakes.wires import ARGUMENTS, CACHED, COMPLETION, JSON_TEXT, PROMPT, TEXT
from .bench import PROVIDERS, Bench, Provider, bench
from .clients import DIALECTS, SCHEMA, Ask, Said, read, read_stream, write

FINISH = {"chat": ("stop", "tool_calls"), "responses": ("end", "tool"), "messages": ("end_turn", "tool_use")}


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
async def on(request: pytest.FixtureRequest, log_dir: Path) -> AsyncIterator[Bench]:
    async with bench(request.param, log_dir) as found:
        yield found


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Operation:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[False, True], ids=["complete", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


PAIRS = [(provider, dialect) for provider in PROVIDERS for dialect in DIALECTS]
NATIVE = [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in PAIRS if pair[1] in pair[0].native]
TRANSLATED = [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in PAIRS if pair[1] not in pair[0].native]


async def drain(reply: Reply) -> bytes:
    assert reply.stream is not None
    return b"".join([events async for events in reply.stream])


async def say(stack: Stack, dialect: Operation, ask: Ask, model: str = "m", **more: Any) -> Said:
    reply = await stack.call(dialect, write(dialect, ask, model, **more))
    return read_stream(dialect, await drain(reply)) if ask.stream else read(dialect, reply.body)


async def logged(stack: Stack) -> dict[str, Any]:
    await stack.parts.log.flush()
    (line,) = (stack.settings.log.dir / "gateway.jsonl").read_text().splitlines()
    record: dict[str, Any] = json.loads(line)
    return record


async def test_a_text_comes_back_with_its_usage_and_its_record(on: Bench, dialect: Operation, stream: bool) -> None:
    said = await say(on.stack, dialect, Ask(stream=stream))
    assert (said.text, said.calls, said.finish) == (TEXT, [], FINISH[dialect][0])
    assert (said.prompt, said.completion) == (PROMPT, COMPLETION)
    seen = on.fake.seen[0]
    assert (seen.last_text, seen.model) == ("Tell me something", "upstream-model")
    assert (seen.stream, seen.max_tokens) == (stream, 500)
    record = await logged(on.stack)
    assert (record["status"], record["model"], record["operation"], record["stream"]) == (200, "m", dialect, stream)
    assert record["provider"] == on.provider.deployment["provider"] and record["upstream_model"] == "upstream-model"
    usage = record["token_usage"]
    assert (usage["prompt"], usage["cached"], usage["completion"]) == (PROMPT, CACHED, COMPLETION)
    assert usage["source"] == "provider"
    assert record["ttft_ms"] is not None and record["upstream_id"] and record["finish_reason"]


@pytest.mark.parametrize("pieces", [1, 7, 64])
async def test_a_stream_may_be_cut_into_any_chunks(on: Bench, dialect: Operation, pieces: int) -> None:
    on.fake.pieces = pieces
    said = await say(on.stack, dialect, Ask(stream=True))
    assert (said.text, said.prompt, said.completion) == (TEXT, PROMPT, COMPLETION)


async def test_the_system_text_arrives(on: Bench, dialect: Operation) -> None:
    await say(on.stack, dialect, Ask(system="Be brief."))
    assert on.fake.seen[0].system == "Be brief."


async def test_an_image_arrives(on: Bench, dialect: Operation) -> None:
    await say(on.stack, dialect, Ask("What is this?", image=("image/png", "iVBORw0KGgo=")))
    assert on.fake.seen[0].images == [("image/png", "iVBORw0KGgo=")]
    assert on.fake.seen[0].last_text == "What is this?"


async def test_a_tool_is_called_and_its_result_goes_back(on: Bench, dialect: Operation, stream: bool) -> None:
    said = await say(on.stack, dialect, Ask("Use get_weather", tools=("get_weather", "get_time"), stream=stream))
    assert (said.calls, said.finish) == ([("get_weather", ARGUMENTS)], FINISH[dialect][1])
    assert on.fake.seen[0].tools == ["get_weather", "get_time"]
    results = ((said.ids[0], "get_weather", "17 degrees"),)
    again = await say(on.stack, dialect, Ask("Use get_weather", tools=("get_weather",), results=results, stream=stream))
    assert again.text == TEXT
    ((id_, text),) = on.fake.seen[1].results
    assert "17 degrees" in text
    assert id_ in (said.ids[0], "get_weather")  # Gemini goes by name


async def test_several_tools_may_be_called_at_once(on: Bench, dialect: Operation, stream: bool) -> None:
    tools = ("get_weather", "get_time")
    said = await say(on.stack, dialect, Ask("get_weather and get_time", tools=tools, stream=stream))
    assert said.calls == [("get_weather", ARGUMENTS), ("get_time", ARGUMENTS)]
    assert len(set(said.ids)) == 2
    results = tuple((id_, name, f"{name} gave this") for id_, (name, _) in zip(said.ids, said.calls, strict=True))
    await say(on.stack, dialect, Ask("both", tools=tools, results=results, stream=stream))
    gave = [text for _, text in on.fake.seen[1].results]
    assert ["get_weather gave this" in gave[0], "get_time gave this" in gave[1]] == [True, True]


async def test_structured_output_is_asked_for_and_checked(on: Bench, dialect: Operation, stream: bool) -> None:
    said = await say(on.stack, dialect, Ask("As JSON", schema=SCHEMA, stream=stream))
    assert said.text == JSON_TEXT
    assert on.fake.seen[0].schema == SCHEMA
    assert (await logged(on.stack))["json_valid"] is True


@pytest.mark.parametrize(("provider", "dialect"), NATIVE)
async def test_the_fast_lane_changes_only_the_model(provider: Provider, dialect: Operation, log_dir: Path) -> None:
    """Unknown parameters, spacing, number forms and escapes arrive as they were written."""
    async with bench(provider, log_dir) as on:
        ask = write(dialect, Ask(), model="m")
        inner = json.dumps(ask)[1:-1].replace('"model": "m", ', "")
        odd = '"x_unknown":{"a" :\t[1.0e2 ,-0.0, "\\u00e9\\/", null ]},"seed_of_ours":12345678901234567890'
        await on.stack.call(dialect, f'{{"model":"m",{odd},{inner}}}'.encode())
        arrived = on.upstream.requests[0].body.decode()
        assert odd.split('"x_unknown":')[1].split(',"seed')[0] in arrived
        assert '"seed_of_ours":12345678901234567890' in arrived
        assert json.loads(arrived) == {**json.loads(f"{{{odd},{inner}}}"), "model": "upstream-model"}


async def test_an_unchanged_model_leaves_the_body_byte_for_byte(log_dir: Path, dialect: Operation) -> None:
    provider = next(one for one in PROVIDERS if dialect in one.native)
    raw = f' {{ "model":"upstream-model" , {json.dumps(write(dialect, Ask()))[15:]}\n'.encode()
    async with bench(provider, log_dir) as found:
        settings = settings_for(log_dir, {"upstream-model": [provider.deployment_at(found.upstream.url)]})
        found.stack.reload(settings)
        await found.stack.call(dialect, raw)
        assert found.upstream.requests[0].body == raw


@pytest.mark.parametrize(("provider", "dialect"), TRANSLATED)
async def test_what_a_translation_cannot_carry_is_named(provider: Provider, dialect: Operation, log_dir: Path) -> None:
    async with bench(provider, log_dir) as on:
        body = write(dialect, Ask(), x_unknown={"a": 1})
        with pytest.raises(UnsupportedParameter, match="x_unknown") as caught:
            await on.stack.call(dialect, body)
        assert (caught.value.status, caught.value.param) == (400, "x_unknown")
        assert "X-LLMOps-Allow-Dropped" in caught.value.message and on.upstream.requests == []


@pytest.mark.parametrize(("provider", "dialect"), TRANSLATED)
async def test_a_caller_may_go_without(provider: Provider, dialect: Operation, log_dir: Path) -> None:
    async with bench(provider, log_dir) as on:
        reply = await on.stack.call(dialect, write(dialect, Ask(), x_unknown={"a": 1}), allow_dropped=True)
        assert read(dialect, reply.body).text == TEXT
        assert (await logged(on.stack))["dropped_parameters"] == ["x_unknown"]
        assert b"x_unknown" not in on.upstream.requests[0].body


async def test_a_body_cannot_choose_an_address_a_credential_or_a_header(on: Bench, dialect: Operation) -> None:
    """Fields with such names are data like any other: unknown to translations, passed on by the fast lane."""
    traps = {
        "base_url": "http://127.0.0.1:1",
        "api_base": "http://127.0.0.1:1",
        "api_key": "sk-stolen",
        "headers": {"x-stolen": "1"},
        "extra_headers": {"x-stolen": "1"},
        "api_version": "1999",
        "timeout": 0,
    }
    reply = await on.stack.call(dialect, write(dialect, Ask(), **traps), allow_dropped=True)
    assert read(dialect, reply.body).text == TEXT
    (request,) = on.upstream.requests
    assert "x-stolen" not in request.headers and "sk-stolen" not in str(request.headers)


async def test_the_trace_goes_on_upstream(on: Bench, dialect: Operation) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await on.stack.call(dialect, write(dialect, Ask()), traceparent=parent)
    version, trace, span, _ = on.upstream.requests[0].headers["traceparent"].split("-")
    record = await logged(on.stack)
    assert (version, trace, span) == ("00", "0af7651916cd43dd8448eb211c80319c", record["span_id"])
    assert (record["trace_id"], record["parent_span_id"]) == (trace, "b7ad6b7169203331")


EMBEDDERS = [provider for provider in PROVIDERS if provider.name != "anthropic"]


@pytest.mark.parametrize("provider", EMBEDDERS, ids=lambda provider: provider.name)
async def test_embeddings(provider: Provider, log_dir: Path) -> None:
    async with bench(provider, log_dir) as found:
        reply = await found.stack.call("embeddings", {"model": "m", "input": ["one", "two"]})
        body = json.loads(reply.body)
        assert [item["embedding"] for item in body["data"]] == [[0.25, -0.5], [0.25, -0.5]]
        assert [item["index"] for item in body["data"]] == [0, 1]


async def test_tokens_are_counted_by_anthropic_itself_and_estimated_elsewhere(on: Bench) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 40}]}
    reply = await on.stack.call("count_tokens", body)
    native = on.provider.name == "anthropic"
    assert json.loads(reply.body) == {"input_tokens": 77 if native else 10}
    assert dict(reply.headers).get(b"x-llmops-estimated") == (None if native else b"true")
