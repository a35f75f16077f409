"""Steps of every kind of function make one tree, say what they are, and keep what was said to themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import get_current_span

from llmops import tracing
from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.facts import Step as StepWord
from llmops.telemetry.spans.span import Span as OurSpan
from llmops.tracing.step import KINDS
from tests.tracing.collector import Collector, attributes


def current() -> str:
    """The id of the step that this is inside of; empty outside."""
    context = get_current_span().get_span_context()
    return f"{context.span_id:016x}" if context.is_valid else ""


def parent_of(span: Span) -> str:
    return span.parent_span_id.hex()


def test_steps_inside_steps_are_one_tree(traced: Collector) -> None:
    @tracing.step("retrieve")
    def retrieve() -> str:
        return current()

    @tracing.step
    def answer() -> str:
        with tracing.step("grade") as graded:
            graded.set(score=0.5)
            return retrieve()

    inner = answer()
    assert current() == ""
    tree = [traced.named(name) for name in ("answer", "grade", "retrieve")]
    assert [parent_of(span) for span in tree] == ["", tree[0].span_id.hex(), tree[1].span_id.hex()]
    assert len({span.trace_id for span in tree}) == 1
    assert tree[2].span_id.hex() == inner
    assert set(traced.services) == {"shop"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("retriever", "retriever"),
        ("grade", "evaluator"),
        ("generate", "chain"),
        ("tool", "tool"),
        ("checkout", "chain"),
    ],
)
def test_a_name_says_the_kind(traced: Collector, name: str, kind: str) -> None:
    with tracing.step(name):
        pass
    assert attributes(traced.named(name))["llmops.step"] == kind


def test_a_kind_that_is_given_wins_and_a_wrong_one_is_told() -> None:
    with pytest.raises(ValueError, match="kind 'retreiver' is none of"):
        tracing.step("x", kind="retreiver")  # type: ignore[call-overload]


def test_every_kind_is_a_step_that_the_store_knows() -> None:
    words = set(getattr(StepWord, "__args__", ()))
    assert set(KINDS.values()) <= words


def test_what_a_step_says_is_read_as_facts(traced: Collector) -> None:
    with (
        tracing.labelled(session="s-1", user="alice", release_id="r1", prompt_version="v2"),
        tracing.step("weather", kind="tool", model="m") as step,
    ):
        step.set(input_tokens=3, output_tokens=None, places=["a", "b"], odd={"deep": [1]}, huge=2**70)
    span = traced.named("weather")
    said = attributes(span)
    assert (said["places"], said["odd"], said["huge"]) == (["a", "b"], '{"deep": [1]}', str(2**70))
    facts = facts_of(
        OurSpan(trace_id="a" * 32, span_id="b" * 16, name=span.name, started_ns=0, ended_ns=1, attributes=said)
    )
    assert (facts.step, facts.operation, facts.tool, facts.model) == ("tool", "execute_tool", "weather", "m")
    assert (facts.session, facts.user, facts.release_id, facts.prompt_version) == ("s-1", "alice", "r1", "v2")
    assert (facts.input_tokens, facts.output_tokens) == (3, None)


async def test_coroutines_beside_each_other_have_the_same_parent(traced: Collector) -> None:
    @tracing.step("search")
    async def search(number: int) -> str:
        await asyncio.sleep(0)
        return current()

    with tracing.step("answer"):
        found = await asyncio.gather(search(1), search(2))
        outer = current()
    assert len({*found, outer}) == 3
    traced.named("answer")
    assert {parent_of(span) for span in traced.spans if span.name == "search"} == {outer}


def test_a_generator_is_inside_its_step_only_while_it_runs(traced: Collector) -> None:
    seen = []

    @tracing.step("tokens")
    def tokens() -> Iterator[str]:
        seen.append(current())
        sent = yield "a"
        seen.append(current())
        try:
            yield sent
        except KeyError:
            seen.append(current())
            yield "mended"
        return "done"

    def read() -> Iterator[Any]:
        return (yield from tokens())

    stream: Any = read()
    assert [next(stream), current(), stream.send("b"), current(), stream.throw(KeyError()), current()] == [
        "a",
        "",
        "b",
        "",
        "mended",
        "",
    ]
    with pytest.raises(StopIteration) as stopped:
        next(stream)
    assert stopped.value.value == "done"
    assert set(seen) == {traced.named("tokens").span_id.hex()}


async def test_so_is_an_asynchronous_generator(traced: Collector) -> None:
    seen = []

    @tracing.step("tokens")
    async def tokens() -> AsyncIterator[str]:
        seen.append(current())
        try:
            yield "a"
        except KeyError:
            await asyncio.sleep(0)
            seen.append(current())
            yield "mended"

    stream: Any = tokens()
    assert [await anext(stream), current(), await stream.athrow(KeyError()), current()] == ["a", "", "mended", ""]
    assert [item async for item in stream] == []
    assert set(seen) == {traced.named("tokens").span_id.hex()}


async def test_a_reader_that_stops_early_is_no_failure(traced: Collector) -> None:
    closed = []

    @tracing.step("tokens")
    async def tokens() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(current())

    stream: Any = tokens()
    await anext(stream)
    await stream.aclose()
    span = traced.named("tokens")
    assert (span.status.code, closed) == (Status.STATUS_CODE_UNSET, [span.span_id.hex()])


def fails() -> None:
    raise KeyError("the customer's words")


def fails_as_generator() -> Iterator[str]:
    yield "a"
    raise KeyError("the customer's words")


@pytest.mark.parametrize("call", [fails, fails_as_generator])
def test_a_failure_is_recorded_without_its_words_and_goes_on(traced: Collector, call: Callable[[], Any]) -> None:
    with pytest.raises(KeyError):
        list(tracing.step("tool")(call)() or ())
    span = traced.named("tool")
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "")
    assert attributes(span)["error.type"] == "KeyError"
    assert b"customer" not in span.SerializeToString()


async def test_a_cancelled_step_is_not_a_failed_one(traced: Collector) -> None:
    @tracing.step("slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = traced.named("slow")
    assert (span.status.code, attributes(span)["llmops.cancelled"]) == (Status.STATUS_CODE_UNSET, True)


def test_content_is_kept_only_where_it_is_asked_for(collector: Collector) -> None:
    @tracing.step("retrieve")
    def retrieve(question: str, top: int = 3) -> list[str]:
        return ["Within 30 days."]

    for capture in (False, True):
        tracing.configure(endpoint=collector.url, service="shop", capture_content=capture)
        retrieve("refunds?", top=1)
        tracing.shutdown()
    first, second = (attributes(span) for span in collector.spans)
    assert "refunds" not in str(first) and "30 days" not in str(first)
    assert second["llmops.input"] == '{"args": ["refunds?"], "top": 1}'
    assert second["llmops.output"] == '["Within 30 days."]'


def test_an_open_step_cannot_be_opened_again() -> None:
    opening = tracing.step("grade")
    with opening, pytest.raises(RuntimeError, match="'grade' is open already"), opening:
        pass


def test_without_a_configuration_steps_do_nothing_and_functions_stay_what_they_are() -> None:
    @tracing.step("retrieve")
    def retrieve(question: str) -> str:
        """Find it."""
        return question

    assert (retrieve("x"), retrieve.__name__, retrieve.__doc__) == ("x", "retrieve", "Find it.")
    assert (tracing.headers(), tracing.tally(), tracing.flush()) == ({}, tracing.Tally(0, 0, 0, 0, 0), True)
    with pytest.raises(RuntimeError, match="there is no provider"):
        tracing.provider()
