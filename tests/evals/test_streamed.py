"""Streams as answers: the same as one that came whole, and when it began."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmops.app import Stack
from llmops.assembly.asking import StackAsk
from llmops.clock import ManualClock
from llmops.errors import UpstreamBroken, UpstreamError
from llmops.evals import evaluate
from llmops.evals.case import Case
from llmops.evals.subjects.chat_request import ChatRequest
from llmops.evals.subjects.completion import cached_tokens, read_completion
from llmops.evals.subjects.endpoint import EndpointSubject
from llmops.evals.subjects.model import ModelSubject
from llmops.evals.subjects.streamed import StreamedAnswer
from llmops.settings import Settings
from tests.fakes.gateway import Gateway

Build = Callable[..., Settings]
CASES = [Case(id=word, input=f"say {word}") for word in ("yes", "no")]
DONE = b"data: [DONE]\n\n"


def event(**chunk: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def said(index: int = 0, finish: str | None = None, **delta: Any) -> bytes:
    return event(choices=[{"index": index, "delta": delta, "finish_reason": finish}])


def test_deltas_become_one_answer() -> None:
    clock = ManualClock()
    answer = StreamedAnswer(clock.monotonic_s)
    before_s = clock.monotonic_s()
    answer.feed(said(role="assistant", content=""))
    assert answer.first_content_s is None, "a role is no content"
    clock.advance(2)
    fragment = {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"a"'}}
    whole = said(content="Hel") + said(content="lo", index=1) + said(content="lo") + said(tool_calls=[fragment])
    for byte in whole:  # in whatever pieces the network brings it
        answer.feed(bytes([byte]))
    answer.feed(said(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]) + said(finish="tool_calls"))
    answer.feed(said(index=1, finish="stop"))
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}
    answer.feed(event(choices=[], usage=usage) + DONE)
    found = read_completion(answer.body())
    assert (found.text, found.finish_reason, found.tokens_in, found.tokens_out) == ("Hello", "tool_calls", 7, 3)
    assert [(call.name, call.arguments) for call in found.tool_calls] == [("f", {"a": 1})]
    assert cached_tokens(answer.body()) == 5
    assert answer.first_content_s == before_s + 2


def test_half_an_answer_is_none() -> None:
    cut = StreamedAnswer(ManualClock().monotonic_s)
    cut.feed(said(content="Hel"))
    with pytest.raises(UpstreamBroken, match="cut"):
        cut.body()
    with pytest.raises(UpstreamError):
        cut.feed(event(error={"message": "overloaded", "type": "server_error"}))
    with pytest.raises(UpstreamBroken, match="too long"):
        StreamedAnswer(ManualClock().monotonic_s, most_bytes=10).feed(said(content="Hello"))


async def test_in_process_and_over_http_alike(settings: Build) -> None:
    built = settings()
    model = built.llm.model
    async with Stack(built) as stack, Gateway(built) as gateway:
        endpoint = EndpointSubject(f"{gateway.url}/v1", ChatRequest(model=model, stream=True))
        inside = ModelSubject(StackAsk(stack), ChatRequest(model=model, stream=True))
        whole = ModelSubject(StackAsk(stack), ChatRequest(model=model))
        texts = []
        for subject in (whole, inside, endpoint):
            run = await evaluate(CASES, subject)
            assert run.results is not None and run.summary.failed == 0, run.summary.errors
            outputs = [each.output for each in run.results]
            texts.append({each.case_id: (each.output.text, each.output.tokens_out) for each in run.results})
            assert all((each.ttft_ms is None) is (subject is whole) for each in outputs)
            assert all(each.ttft_ms is None or 0 < each.ttft_ms <= (each.latency_ms or 0) for each in outputs)
        assert texts[0] == texts[1] == texts[2]
        assert inside.versions["stream"] == "true"
        await endpoint.aclose()


async def test_a_stream_from_the_cache_began_at_no_time(settings: Build) -> None:
    built = settings(cache={"enabled": True})
    async with Stack(built) as stack:
        subject = ModelSubject(StackAsk(stack), ChatRequest(model=built.llm.model, stream=True))
        first = await evaluate(CASES, subject, run_id="r")
        again = await evaluate(CASES, subject, run_id="r")
        assert first.summary.ttft_ms is not None and first.summary.ttft_ms.n == 2
        assert again.summary.ttft_ms is None and again.summary.recovered == 2
        assert again.summary.cost_nanousd == first.summary.cost_nanousd
