"""A request is one trace across services: headers carry it out and in, and calls of the gateway are its leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from llmops import Stack, tracing
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Gateway
from tests.tracing.collector import Collector

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def test_headers_carry_the_step_and_whose_it_is(traced: Collector) -> None:
    with tracing.labelled(session="s-1", user="José"), tracing.step("answer"):
        carried = tracing.headers()
    span = traced.named("answer")
    assert carried.pop("traceparent")[:-2] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-"
    assert carried == {"x-llmops-session": "s-1"}, "the user is not ASCII"


@pytest.mark.parametrize(
    "headers",
    [{"Traceparent": PARENT, "tracestate": "a=b"}, [(b"traceparent", PARENT.encode()), (b"tracestate", b"a=b")]],
)
def test_a_step_continues_an_incoming_request(traced: Collector, headers: Any) -> None:
    with tracing.continue_from(headers), tracing.step("answer"):
        pass
    span = traced.named("answer")
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == ("a" * 32, "b" * 16, "a=b")


def test_a_request_without_a_trace_begins_one_whatever_was_current(traced: Collector) -> None:
    with tracing.step("outer"), tracing.continue_from({"traceparent": "nonsense"}), tracing.step("inner"):
        pass
    assert traced.named("inner").parent_span_id == b""
    assert traced.named("inner").trace_id != traced.named("outer").trace_id


def test_an_unsampled_request_stays_unsampled(traced: Collector) -> None:
    with tracing.continue_from({"traceparent": PARENT[:-1] + "0"}), tracing.step("answer"):
        assert tracing.headers()["traceparent"].endswith("-00")
    assert tracing.tally().ended == 0


def test_labels_of_a_request_are_believed_only_when_asked_for() -> None:
    sent = {"X-LLMOps-User": "mallory", "x-llmops-session": "s" * 1000}
    with tracing.continue_from(sent):
        assert tracing.headers() == {}
    with tracing.continue_from(sent, trust_labels=True):
        assert tracing.headers() == {"x-llmops-user": "mallory"}


def test_a_label_that_makes_no_sense_is_told() -> None:
    with pytest.raises(ValueError, match="user 'a\\\\nb' is not"), tracing.labelled(user="a\nb"):
        pass


async def test_calls_through_the_official_client_are_leaves_of_the_step(
    traced: Collector, settings: Callable[..., Settings]
) -> None:
    async with Gateway(settings()) as gateway:
        http = httpx2.AsyncClient(event_hooks={"request": [tracing.on_request_async]})
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", http_client=http) as client:
            with tracing.labelled(user="alice"), tracing.step("generate"):
                messages: Any = CHAT["messages"]
                await client.chat.completions.create(model="mock", messages=messages)
                await client.chat.completions.create(
                    model="mock", messages=messages, extra_headers=tracing.headers() | {"x-llmops-tags": "a=b"}
                )
        records = await gateway.records()
    span = traced.named("generate")
    assert [(each["trace_id"], each["parent_span_id"], each["user"]) for each in records] == [
        (span.trace_id.hex(), span.span_id.hex(), "alice")
    ] * 2


def test_the_hook_for_clients_that_wait() -> None:
    request = httpx2.Request("GET", "http://127.0.0.1")
    with tracing.continue_from({"traceparent": PARENT}):
        tracing.on_request(request)
    assert request.headers["traceparent"] == PARENT


async def test_calls_in_process_are_leaves_too(
    traced: Collector, settings: Callable[..., Settings], log_dir: Path
) -> None:
    async with Stack(settings()) as stack:
        with tracing.step("generate"):
            await stack.call("chat", CHAT)
            await stack.call("chat", CHAT, traceparent=PARENT)
        await stack.call("chat", CHAT)
    records = [json.loads(line) for line in (log_dir / "gateway.jsonl").read_text().splitlines()]
    span = traced.named("generate")
    assert [each.get("parent_span_id") for each in records] == [span.span_id.hex(), "b" * 16, None]
    assert records[0]["trace_id"] == span.trace_id.hex()
