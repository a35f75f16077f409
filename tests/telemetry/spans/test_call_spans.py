"""Spans that are derived from a call's row: all its steps, inside each other, with ids that stay the same."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.record import FailedAttemptRecord
from llmops.telemetry.spans.call_spans import StoredCall, facts_of_call, spans_of_call, step_id
from llmops.telemetry.spans.call_timings import CallTimings, timings_of
from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.span import Span

AT_MS = 1_795_255_200_250


def a_call(timings: CallTimings | None = None, **fields: Any) -> StoredCall:
    given_fields: dict[str, Any] = {
        "request_id": "req_1",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_span_id": "c" * 16,
        "started_at_ms": AT_MS,
        "latency_ms": 100.0,
        "ttft_ms": 99.0,
        "timings": msgspec.json.encode(timings).decode() if timings is not None else None,
        "tenant": "acme",
        "user": "u",
        "session": "s",
        "key_id": "k",
        "operation": "chat",
        "model": "gpt-4o",
        "requested_model": "gpt-4o",
        "provider": "openai",
        "deployment": "gpt-4o/0",
        "upstream_model": "gpt-4o-2026",
        "upstream_id": "x",
        "prompt_version": "v1",
        "release_id": "r1",
        "status": 200,
        "error_type": None,
        "finish_reason": "stop",
        "attempts": 1,
        "stream": False,
        "cache": None,
        "cached": False,
        "degraded": None,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_nanousd": 1000,
        "saved_nanousd": 0,
        "tags": "{}",
    }
    return StoredCall(**{**given_fields, **fields})


def steps(call: StoredCall) -> list[tuple[str, float, float, str]]:
    """Names, begins and durations in milliseconds, and states of a call's steps."""
    return [
        (span.name, span.started_ns / 1e6 - AT_MS, span.duration_ns / 1e6, span.status)
        for span in spans_of_call(call)[1:]
    ]


def close(found: list[tuple[str, float, float, str]]) -> list[tuple[str, float, float, str]]:
    return [(name, round(begin, 3), round(took, 3), status) for name, begin, took, status in found]


TIMINGS = CallTimings(read=1.0, auth=2.0, limits=3.0, cache=4.0, upstream=80.0)


def test_a_call_is_its_request_over_its_steps() -> None:
    root, *rest = spans_of_call(a_call(TIMINGS, cache="miss"))
    assert (root.name, root.kind, root.parent_id, root.duration_ns) == ("chat gpt-4o", "server", "c" * 16, 10**8)
    assert {span.parent_id for span in rest} == {root.span_id} and {span.trace_id for span in rest} == {"a" * 32}
    assert close(steps(a_call(TIMINGS, cache="miss"))) == [
        ("auth", 1.0, 2.0, "unset"),
        ("limits", 3.0, 3.0, "unset"),
        ("cache", 6.0, 4.0, "unset"),
        ("attempt gpt-4o/0", 19.0, 80.0, "unset"),
    ]
    assert rest[-1].kind == "client" and rest[-1].attributes["gen_ai.provider.name"] == "openai"


def test_failed_attempts_say_why() -> None:
    failed = FailedAttemptRecord(
        deployment="gpt-4o/1", error_type="upstream_unavailable", status=503, latency_ms=5.0, began_ms=6.5
    )
    call = a_call(msgspec.structs.replace(TIMINGS, cache=None, failed=[failed]), attempts=2)
    first, second = spans_of_call(call)[-2:]
    assert close(steps(call))[-2:] == [
        ("attempt gpt-4o/1", 6.5, 5.0, "error"),
        ("attempt gpt-4o/0", 19.0, 80.0, "unset"),
    ]
    assert first.status_message == first.attributes["error.type"] == "upstream_unavailable"
    assert (first.attributes["http.response.status_code"], first.attributes["llmops.attempt"]) == (503, 1)
    assert second.attributes["llmops.attempt"] == 2
    lost = a_call(
        CallTimings(read=1.0, failed=[failed]), attempts=1, error_type="upstream_unavailable", status=503, ttft_ms=None
    )
    assert [span.status for span in spans_of_call(lost)] == ["error", "error"]


@pytest.mark.parametrize(
    ("timings", "status", "failing"),
    [
        (CallTimings(read=1.0), 401, "auth"),
        (CallTimings(read=1.0, auth=1.0), 429, "limits"),
        (CallTimings(read=1.0), 429, "limits"),
    ],
)
def test_the_step_that_refused_a_call_is_seen(timings: CallTimings, status: int, failing: str) -> None:
    call = a_call(timings, status=status, error_type="no", attempts=0, deployment=None, ttft_ms=None)
    *_, last = spans_of_call(call)
    assert (last.name, last.status, last.ended_ns) == (failing, "error", spans_of_call(call)[0].ended_ns)


def test_a_hit_has_no_attempt_and_a_shared_answer_a_wait() -> None:
    hit = a_call(CallTimings(read=1.0, cache=2.0), cache="hit", cached=True, attempts=0, deployment=None)
    assert [name for name, *_ in steps(hit)] == ["cache"]
    shared = a_call(CallTimings(read=1.0, cache=2.0), cache="shared", cached=True, attempts=0, deployment=None)
    assert close(steps(shared)) == [("cache", 1.0, 2.0, "unset"), ("wait", 3.0, 96.0, "unset")]


def test_ids_are_the_same_for_whoever_derives_them_and_differ_otherwise() -> None:
    call = a_call(TIMINGS)
    ids = [span.span_id for span in spans_of_call(call)]
    assert ids == [span.span_id for span in spans_of_call(call)] and len(set(ids)) == len(ids)
    assert step_id("b" * 16, "auth") in ids and step_id("d" * 16, "auth") not in ids
    assert all(len(each) == 16 and int(each, 16) for each in ids)


def test_tokens_and_cost_stand_on_the_request_only() -> None:
    root, *rest = [facts_of(span) for span in spans_of_call(a_call(TIMINGS))]
    assert (root.input_tokens, root.output_tokens, root.cost_nanousd, root.ttft_us) == (10, 5, 1000, 99_000)
    assert (root.session, root.user, root.release_id, root.prompt_version) == ("s", "u", "r1", "v1")
    assert root.model == "gpt-4o" and root.step == "llm"
    assert all(each.input_tokens is each.cost_nanousd is None and each.step == "gateway" for each in rest)
    assert facts_of_call(a_call(operation="embeddings")).step == "embedding"


def test_a_row_of_an_earlier_version_is_its_request_alone() -> None:
    assert len(spans_of_call(a_call(None, attempts=None))) == 1


NUMBERS = st.none() | st.floats(-1e6, 1e6)


@given(
    timings=st.builds(CallTimings, read=NUMBERS, auth=NUMBERS, limits=NUMBERS, cache=NUMBERS, upstream=NUMBERS),
    latency_ms=st.floats(0, 1e6),
    ttft_ms=NUMBERS,
    attempts=st.integers(0, 3),
    stream=st.booleans(),
    error_type=st.none() | st.just("e"),
    cache=st.sampled_from([None, "hit", "shared"]),
)
def test_steps_lie_inside_their_request_whatever_the_row_says(timings: CallTimings, **fields: Any) -> None:
    root, *rest = spans_of_call(a_call(timings, **fields))
    for span in rest:
        assert root.started_ns <= span.started_ns <= span.ended_ns <= root.ended_ns + 1


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"auth":"x"}', '{"failed":[{}]}', "\x00", "[" * 10_000])
def test_timings_that_are_none_say_nothing(text: str | None) -> None:
    assert timings_of(text) == CallTimings()
    assert isinstance(spans_of_call(a_call(timings=None))[0], Span)
