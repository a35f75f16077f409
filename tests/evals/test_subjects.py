"""Subjects: callables, the pipeline in-process, endpoints over HTTP, recordings."""

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llmops.app import Stack
from llmops.assembly.asking import StackAsk
from llmops.dev.replay import Recording, RecordingError, ReplayServer
from llmops.errors import ConfigError, InvalidRequest
from llmops.evals import evaluate
from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.subjects.chat_request import ChatRequest, fill
from llmops.evals.subjects.completion import read_completion
from llmops.evals.subjects.endpoint import EndpointSubject
from llmops.evals.subjects.function import FunctionSubject, output_of
from llmops.evals.subjects.model import ModelSubject
from llmops.evals.subjects.replay import ReplaySubject
from llmops.settings import Settings
from tests.fakes.gateway import Gateway

from .subjects_and_scorers import Exact

Build = Callable[..., Settings]
RECORDING = Recording([("m", f"say {word}", word) for word in ("yes", "no")])
CASES = [Case(id=word, input=f"say {word}", reference=word) for word in ("yes", "no")]


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("words", Output(text="words")),
        ({"text": "words", "k": 1}, Output(text="words", data={"text": "words", "k": 1})),
        ([1, None], Output(data=[1, None])),
        (Output(text="x", cached=True), Output(text="x", cached=True)),
    ],
)
def test_what_a_callable_may_return(value: Any, output: Output) -> None:
    assert output_of(value) == output
    with pytest.raises(TypeError):
        output_of(object())


async def test_a_function_gets_the_case_where_it_asks_for_it() -> None:
    case = Case(id="a", input={"question": "?"}, reference="r")
    assert (await FunctionSubject(lambda case: case.reference).answer(case, 0)).text == "r"
    assert (await FunctionSubject(lambda question: question["question"]).answer(case, 0)).text == "?"
    assert FunctionSubject(output_of).versions == {"function": "llmops.evals.subjects.function:output_of"}


def test_a_case_as_a_request() -> None:
    plain = ChatRequest(model="m", system="Be brief.", params={"temperature": 0})
    body = plain.body(Case(id="a", input="Hi", metadata={"request": {"seed": 1}}))
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert (body["temperature"], body["seed"]) == (0, 1)
    filled = ChatRequest(model="m", template="{q} {{x}}").body(Case(id="a", input={"q": "2+2?", "other": [1]}))
    assert filled["messages"] == [{"role": "user", "content": "2+2? {x}"}]
    with pytest.raises(InvalidRequest, match="the input of case 'a' is a int"):
        plain.body(Case(id="a", input=7))


@pytest.mark.parametrize("template", ["{missing}", "{q.__class__}", "{q[0]}", "{", "{}"])
def test_a_template_reaches_nothing_but_its_variables(template: str) -> None:
    with pytest.raises(InvalidRequest):
        fill(template, {"q": "x"})


def test_a_completion_as_an_output() -> None:
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"content": None, "tool_calls": [call, {"function": {"name": "g", "arguments": "{"}}]}
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    found = read_completion(
        json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage}).encode()
    )
    assert [(each.name, each.arguments) for each in found.tool_calls] == [("f", {"a": 1}), ("g", "{")]
    assert (found.text, found.finish_reason, found.tokens_in, found.tokens_out) == (None, "tool_calls", 3, 4)


@asynccontextmanager
async def upstream_settings(settings: Build, **sections: Any):  # type: ignore[no-untyped-def]
    async with ReplayServer(RECORDING) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": upstream.url, "price": {"input": 1, "output": 2}}
        yield settings({"m": [where]}, **sections), upstream


async def test_a_model_in_process_with_what_its_record_says(settings: Build) -> None:
    async with upstream_settings(settings) as (built, upstream), Stack(built) as stack:
        subject = ModelSubject(StackAsk(stack, tags={"eval": "r"}), ChatRequest(model="m"))
        run = await evaluate(CASES, subject, [Exact()], repeats=2)
        assert (run.summary.passed, run.summary.unpriced, upstream.answered) == (4, 0, 4)
        assert run.results is not None
        first = run.results[0].output
        assert first.trace_id is not None and first.latency_ms is not None
        assert first.cost_nanousd == (first.tokens_in or 0) * 1000 + (first.tokens_out or 0) * 2000


async def test_repeats_in_process_are_asked_anew_though_the_cache_is_on(settings: Build) -> None:
    async with upstream_settings(settings, cache={"enabled": True}) as (built, upstream), Stack(built) as stack:
        subject = ModelSubject(StackAsk(stack), ChatRequest(model="m"))
        run = await evaluate(CASES, subject, [Exact()], repeats=3, run_id="r")
        assert (run.summary.failed, run.summary.cached, upstream.answered) == (0, 0, 6)
        again = await evaluate(CASES, subject, [Exact()], repeats=3, run_id="r")
        assert (again.summary.recovered, upstream.answered) == (6, 6), "the same run finds its own answers"
        assert again.summary.cost_nanousd == run.summary.cost_nanousd
        assert again.summary.latency_ms is None
        assert (await evaluate(CASES, subject, repeats=3, run_id="s")).summary.recovered == 0


async def test_an_endpoint(settings: Build) -> None:
    async with upstream_settings(settings, cache={"enabled": True}) as (built, upstream), Gateway(built) as gateway:
        subject = EndpointSubject(
            f"{gateway.url}/v1", ChatRequest(model="m"), price_of=lambda prompt, cached, out: prompt + out
        )
        run = await evaluate(CASES, subject, [Exact()], repeats=2, run_id="r")
        assert (run.summary.passed, upstream.answered) == (4, 4)
        again = await evaluate(CASES, subject, [Exact()], repeats=2, run_id="r")
        assert (again.summary.recovered, upstream.answered) == (4, 4)
        assert again.summary.cost_nanousd == run.summary.cost_nanousd == run.summary.tokens_in + run.summary.tokens_out
        records = await gateway.records()
        assert run.results is not None
        assert {each.output.trace_id for each in run.results} <= {each["trace_id"] for each in records}
        unknown = await evaluate([Case(id="x", input="say what")], subject)
        assert list(unknown.summary.errors) == ["upstream_rejected"]
        await subject.aclose()


async def test_an_endpoint_that_is_not_there_is_an_error_of_each_case() -> None:
    subject = EndpointSubject("http://127.0.0.1:9/v1", ChatRequest(model="m"), retries=1)
    run = await evaluate(CASES, subject)
    assert run.summary.errors == {"upstream_unreachable": 2}
    await subject.aclose()


@pytest.mark.parametrize(
    ("url", "fields", "problem"),
    [("ftp://x", {}, "not an http"), ("http://x/v1", {"key": "a\r\nb: c"}, "what no header can")],
)
def test_an_impossible_endpoint_is_told(url: str, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        EndpointSubject(url, ChatRequest(model="m"), **fields)


async def test_recorded_answers_are_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id": "yes", "output": "yes"}\n{"id": "yes", "output": {"text": "no", "tokens_out": 3}}\n')
    run = await evaluate(CASES, ReplaySubject.read(path), [Exact()], repeats=2)
    assert (run.summary.passed, run.summary.errors, run.summary.tokens_out) == (1, {"not_found": 2}, 3)
    path.write_text('{"id": "yes"}')
    with pytest.raises(ConfigError, match="line 1"):
        ReplaySubject.read(path)


def test_a_recording_of_several_models(tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_text(
        '{"prompt": "Hi ", "a": {"response": "from a", "correct": true}, "b": {"response": "from b"}}\n'
        '{"prompt": "Ho", "response": "from anybody"}\n'
    )
    found = Recording.read(path)
    assert (found.models, len(found)) == (["a", "b"], 3)
    assert [found.answer(*asked) for asked in (("a", "Hi"), ("b", "Hi"), ("c", "Hi"), ("c", "Ho"))] == [
        "from a",
        "from b",
        None,
        "from anybody",
    ]
    path.write_text('{"id": 1}')
    with pytest.raises(RecordingError, match="line 1"):
        Recording.read(path)
