"""Streamed Chat Completions: the tap, the reader, the writer, and both roads fed in pieces."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from llmops.dialects.chat import ChatDialect
from llmops.dialects.conversation import (
    Delta,
    Finished,
    Lost,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from llmops.dialects.sse import Event, EventParser
from llmops.errors import UpstreamBroken, UpstreamCredential, UpstreamError, UpstreamRateLimited, UpstreamUnavailable
from llmops.types import NO_USAGE, Call, Outcome, RequestView, Usage

DIALECT = ChatDialect()
DONE = Event(b"[DONE]")
USAGE = {"prompt_tokens": 8, "completion_tokens": 9, "total_tokens": 17}


def a_call(*, keep_text: bool = False, wants_usage: bool = False, choices: int = 1) -> Call:
    view = RequestView(model="m", stream=True, wants_usage=wants_usage, choices=choices)
    return Call(
        operation="chat",
        body=b"",
        view=view,
        request_id="r1",
        trace_id="t",
        span_id="s",
        started_at_s=7,
        started_s=0,
        keep_text=keep_text,
    )


def chunk(delta: Any = None, finish: str | None = None, index: int = 0, **fields: Any) -> Event:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish, **fields}
    return Event(
        json.dumps(
            {"id": "c-1", "object": "chat.completion.chunk", "created": 5, "model": "m-1", "choices": [choice]}
        ).encode()
    )


def usage_chunk() -> Event:
    return Event(
        json.dumps(
            {
                "id": "c-1",
                "object": "chat.completion.chunk",
                "created": 5,
                "model": "m-1",
                "choices": [],
                "usage": USAGE,
            }
        ).encode()
    )


def called(index: int, **call: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **call}]}


LOGPROBS = {"content": [{"token": "llo", "logprob": -1, "bytes": None, "top_logprobs": []}]}
PROOF = {"extra_content": {"google": {"thought_signature": "sig"}}}
STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "Hé"}),
    chunk({"content": "llo"}, logprobs=LOGPROBS),
    chunk(called(0, id="t1", type="function", function={"name": "f", "arguments": ""}, **PROOF)),
    chunk(called(0, function={"arguments": '{"a":'})),
    chunk(called(1, id="t2", type="function", function={"name": "g", "arguments": "{}"})),
    chunk(called(0, function={"arguments": "1}"})),
    chunk(finish="tool_calls"),
    usage_chunk(),
    DONE,
]
DELTAS: list[Delta] = [
    Started(id="c-1", model="m-1", created_s=5),
    ReasoningDelta(text="hm"),
    TextDelta("Hé"),
    TextDelta("llo", logprobs=LOGPROBS),
    ToolCallStarted(index=0, id="t1", name="f", signature="sig"),
    ToolCallDelta(index=0, arguments='{"a":'),
    ToolCallStarted(index=1, id="t2", name="g"),
    ToolCallDelta(index=1, arguments="{}"),
    ToolCallDelta(index=0, arguments="1}"),
    Finished(reason="tool_calls"),
    UsageReported(Usage(prompt=8, completion=9)),
]


def as_bytes(events: Iterable[Event]) -> bytes:
    return b"".join(b"data: %b\n\n" % event.data for event in events)


def read(events: Iterable[Event]) -> list[Delta]:
    reader = DIALECT.stream_reader()
    return [delta for event in events for delta in reader.feed(event)]


def write(deltas: Iterable[Delta], call: Call | None = None) -> list[dict[str, Any]]:
    """The written chunks, each valid for the official SDK, with the terminator checked."""
    writer = DIALECT.stream_writer(call or a_call())
    *events, last = EventParser().feed(writer.feed(deltas) + writer.end())
    assert last == DONE
    for event in events:
        ChatCompletionChunk.model_validate_json(event.data)
    return [json.loads(event.data) for event in events]


# --- the tap ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 90), max_size=60), st.booleans())
def test_tap_forwards_every_byte_however_the_stream_is_cut(sizes: list[int], wants_usage: bool) -> None:
    """All but the usage chunk, which a client that did not ask for it does not see."""
    outcome = Outcome()
    call = a_call(keep_text=True, wants_usage=wants_usage)
    tap, parser, stream, forwarded = DIALECT.tap_stream(call, outcome), EventParser(), as_bytes(STREAM), b""
    for size in [*sizes, len(stream)]:
        forwarded += tap.feed(parser.feed(stream[:size]))
        stream = stream[size:]
    assert forwarded == as_bytes(event for event in STREAM if wants_usage or event != STREAM[-2])
    assert tap.finished and tap.end() == b""
    assert outcome.usage == Usage(prompt=8, completion=9)
    assert (outcome.finish_reason, outcome.model, outcome.upstream_id) == ("tool_calls", "m-1", "c-1")
    assert outcome.text == "Héllo" and outcome.output_chars == len("hm" + "Héllo" + "f" + '{"a":1}' + "g" + "{}")


@pytest.mark.parametrize(
    "content",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"refusal": "x"},
        called(0, id="t", function={"name": "f", "arguments": ""}),
    ],
)
def test_tap_sees_the_first_content(content: Any) -> None:
    tap = DIALECT.tap_stream(a_call(), Outcome())
    tap.feed([chunk({"role": "assistant", "content": ""}), chunk({"content": None}), chunk(None)])
    assert not tap.has_content
    tap.feed([chunk(content)])
    assert tap.has_content and not tap.finished


def test_an_upstream_without_a_terminator_gets_one() -> None:
    tap = DIALECT.tap_stream(a_call(), Outcome())
    tap.feed([chunk({"content": "x"})])
    assert not tap.finished
    tap.feed([chunk(finish="stop")])
    assert tap.finished and tap.end() == b"data: [DONE]\n\n"


def test_usage_may_ride_on_the_last_chunk() -> None:
    outcome = Outcome()
    wire = {**json.loads(chunk(finish="stop").data), "usage": USAGE}
    tap = DIALECT.tap_stream(a_call(), outcome)
    assert tap.feed([Event(json.dumps(wire).encode())]) != b"" and outcome.usage == Usage(prompt=8, completion=9)


def test_usage_on_an_empty_choice_after_the_end_is_hidden_too() -> None:
    usage = Event(json.dumps({**json.loads(chunk().data), "usage": USAGE}).encode())
    outcome = Outcome()
    tap = DIALECT.tap_stream(a_call(), outcome)
    assert tap.feed([usage]) != b"" and tap.feed([chunk({"content": "x"}, finish="stop")]) != b""
    assert tap.feed([usage]) == b"" and outcome.usage == Usage(prompt=8, completion=9)


def test_alternatives_are_all_waited_for() -> None:
    """The first to finish must not make the stream look finished: what the others still say would be cut off."""
    tap, reader = DIALECT.tap_stream(a_call(choices=2), Outcome()), DIALECT.stream_reader()
    events = [chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="stop")]
    tap.feed(events)
    for event in events:
        reader.feed(event)
    assert not tap.finished and not reader.finished
    tap.feed([chunk(finish="length", index=1)])
    reader.feed(chunk(finish="length", index=1))
    assert tap.finished and reader.finished


def test_what_follows_the_terminator_is_left_out() -> None:
    tap = DIALECT.tap_stream(a_call(), Outcome())
    assert tap.feed([DONE, DONE]) == as_bytes([DONE])
    assert read([*STREAM, DONE, chunk({"content": "more"})]) == DELTAS


def test_json_over_several_data_lines_stays_one_event() -> None:
    assert DIALECT.tap_stream(a_call(), Outcome()).feed([Event(b'{"choices":\n[]}')]) == b'data: {"choices": []}\n\n'


ERRORS = [b'{"error":{"message":"boom"}}', b'{"error":"boom"}', b'{"choices":[],"error":{"message":"boom"}}']


@pytest.mark.parametrize("data", ERRORS)
def test_an_error_event_is_raised(data: bytes) -> None:
    for feed in (lambda event: DIALECT.tap_stream(a_call(), Outcome()).feed([event]), DIALECT.stream_reader().feed):
        with pytest.raises(UpstreamUnavailable, match="boom"):
            feed(Event(data))


CODES: list[tuple[bytes, type[UpstreamError], int]] = [
    (b'{"error":{"message":"sk-1","type":"insufficient_quota","code":null}}', UpstreamCredential, 429),
    (b'{"error":{"message":"sk-1","type":"x","code":"insufficient_quota"}}', UpstreamCredential, 429),
    (b'{"error":{"message":"sk-1","type":["insufficient_quota"],"code":"billing_hard_limit_reached"}}',
     UpstreamCredential, 429),
    (b'{"error":{"message":"sk-1","code":"invalid_api_key"}}', UpstreamCredential, 401),
    (b'{"error":{"message":"slow","code":"rate_limit_exceeded"}}', UpstreamRateLimited, 429),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "status"), CODES)
def test_an_error_event_is_what_its_code_says(data: bytes, kind: type[UpstreamError], status: int) -> None:
    with pytest.raises(kind) as caught:
        DIALECT.tap_stream(a_call(), Outcome()).feed([Event(data)])
    assert caught.value.upstream_status == status and "sk-1" not in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"{",
        b"\xff",
        b'{"choices":5}',
        b'{"choices":[5]}',
        b'{"choices":[{"delta":"x"}]}',
        b'{"choices":[{"index":"0"}]}',
        b'{"usage":[]}',
        b'{"choices":' + b"[" * 100_000,
        b"<html>",
        b"[done]",
    ],
)
def test_garbage_events_are_broken(data: bytes) -> None:
    for feed in (lambda event: DIALECT.tap_stream(a_call(), Outcome()).feed([event]), DIALECT.stream_reader().feed):
        with pytest.raises(UpstreamBroken):
            feed(Event(data))


# --- the reader -------------------------------------------------------------------------------------------------


def test_a_stream_is_read() -> None:
    assert read(STREAM) == DELTAS
    assert read(STREAM[:-1]) == DELTAS


def test_tap_and_reader_agree() -> None:
    outcome = Outcome()
    tap, reader = DIALECT.tap_stream(a_call(keep_text=True), outcome), DIALECT.stream_reader()
    for event in STREAM:
        tap.feed([event])
        deltas = reader.feed(event)
        assert tap.finished == reader.finished
        for delta in deltas:
            if isinstance(delta, Finished):
                assert delta.reason == outcome.finish_reason
    assert outcome.text == "".join(delta.text for delta in DELTAS if isinstance(delta, TextDelta))


@pytest.mark.parametrize(
    ("events", "deltas"),
    [
        ([chunk({"reasoning": "a"})], [ReasoningDelta(text="a")]),
        (
            [
                chunk(
                    {
                        "reasoning_content": "a",
                        "reasoning_details": [
                            {"type": "reasoning.text", "text": "a", "signature": "s"},
                            {"type": "reasoning.encrypted", "data": "x"},
                        ],
                    }
                )
            ],
            [ReasoningDelta(text="a"), ReasoningDelta(signature="s"), ReasoningDelta(encrypted="x")],
        ),
        ([chunk({"reasoning_details": [{"type": "reasoning.text", "text": "a"}]})], [ReasoningDelta(text="a")]),
        ([chunk({"refusal": "no"})], [RefusalDelta("no")]),
        ([chunk({"content": "x", "annotations": [{"type": "url_citation"}]})], [TextDelta("x"), Lost("annotations")]),
        ([chunk({"content": "x"}, index=1)], [TextDelta("x", 1)]),
        (
            [chunk({"tool_calls": [{"function": {"name": "f"}}, {"id": "x", "function": {"arguments": "{}"}}]})],
            [
                ToolCallStarted(index=0, id="call_0", name="f"),
                ToolCallStarted(index=1, id="x", name=""),
                ToolCallDelta(index=1, arguments="{}"),
            ],
        ),
        (
            [chunk({"content": ""}, logprobs={"content": [{"token": "", "logprob": 0}]})],
            [TextDelta("", 0, {"content": [{"token": "", "logprob": 0}]})],
        ),
        ([chunk(finish="stop", stop_reason="END")], [Finished(reason="stop", stop_sequence="END")]),
    ],
)
def test_chunks_become_deltas(events: list[Event], deltas: list[Delta]) -> None:
    assert read(events)[1:] == deltas


# --- the writer -------------------------------------------------------------------------------------------------


def test_a_stream_survives_the_round_trip() -> None:
    wires = write(DELTAS, a_call(wants_usage=True))
    assert read([Event(json.dumps(wire).encode()) for wire in wires]) == DELTAS
    assert [wire["choices"][0]["delta"].get("role") for wire in wires if wire["choices"]].count("assistant") == 1
    assert {(wire["id"], wire["created"], wire["model"]) for wire in wires} == {("c-1", 5, "m-1")}


def test_usage_is_written_for_who_asked() -> None:
    assert all("usage" not in wire for wire in write(DELTAS))
    assert write(DELTAS, a_call(wants_usage=True))[-1]["usage"]["total_tokens"] == 17
    assert write([Started(id="", model="", created_s=0)], a_call(wants_usage=True)) == []


def test_gaps_are_filled_from_the_call() -> None:
    (wire,) = write([Started(id="", model="", created_s=0), TextDelta("x")])
    assert (wire["id"], wire["model"], wire["created"]) == ("r1", "m", 7)


_pieces = st.one_of(
    st.builds(ReasoningDelta, text=st.text(min_size=1, max_size=4)),
    st.builds(ReasoningDelta, signature=st.just("s")),
    st.builds(ReasoningDelta, encrypted=st.text(min_size=1, max_size=4)),
    st.builds(TextDelta, st.text(min_size=1, max_size=4)),
    st.builds(RefusalDelta, st.text(min_size=1, max_size=4)),
)


@given(st.lists(_pieces, max_size=12), st.integers(0, 2))
def test_the_sdk_puts_any_stream_together_as_a_reply_that_reads_the_same(pieces: list[Delta], calls: int) -> None:
    deltas: list[Delta] = [Started(id="c", model="m", created_s=1), *pieces]
    for index in range(calls):
        deltas += [
            ToolCallStarted(index=index, id=f"t{index}", name="f", signature="g"),
            ToolCallDelta(index=index, arguments='{"a"'),
            ToolCallDelta(index=index, arguments=":1}"),
        ]
    state: Any = ChatCompletionStreamState()
    for wire in write([*deltas, Finished(reason="stop")]):
        state.handle_chunk(ChatCompletionChunk.model_validate(wire))
    answer = (
        DIALECT.read_reply(state.current_completion_snapshot.model_dump_json().encode()) if (pieces or calls) else None
    )
    parts: list[Any] = answer.choices[0].parts if answer else []

    def joined(kind: type, member: str, of: list[Any]) -> str:
        return "".join(getattr(one, member) or "" for one in of if isinstance(one, kind))

    for kinds, member in (
        ((TextDelta, Text), "text"),
        ((RefusalDelta, Refusal), "text"),
        ((ReasoningDelta, Reasoning), "text"),
        ((ReasoningDelta, Reasoning), "signature"),
        ((ReasoningDelta, Reasoning), "encrypted"),
    ):
        assert joined(kinds[0], member, deltas) == joined(kinds[1], member, parts)
    assert [part for part in parts if isinstance(part, ToolCall)] == [
        ToolCall(id=f"t{index}", name="f", arguments='{"a":1}', signature="g") for index in range(calls)
    ]


@given(st.binary(max_size=80), st.integers(0, 10))
def test_any_bytes_give_deltas_or_a_typed_error(noise: bytes, place: int) -> None:
    stream = as_bytes(STREAM[:place]) + noise + as_bytes(STREAM[place:])
    for feed in (lambda events: DIALECT.tap_stream(a_call(), Outcome()).feed(events), read):
        try:
            feed(EventParser().feed(stream))
        except (UpstreamBroken, UpstreamUnavailable) as exc:
            assert exc.message


def test_no_usage_is_no_usage() -> None:
    outcome = Outcome()
    DIALECT.tap_stream(a_call(), outcome).feed([chunk({"content": "x"}), chunk(finish="stop"), DONE])
    assert outcome.usage == NO_USAGE
