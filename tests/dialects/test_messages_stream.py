"""Streamed Messages: the tap, the reader, the writer, and both roads fed in pieces."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from anthropic.types import Message as WireMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llmops.dialects.conversation import (
    Delta,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from llmops.dialects.messages import MessagesDialect
from llmops.dialects.sse import Event, EventParser
from llmops.errors import (
    LLMOpsError,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from llmops.types import NO_USAGE, Call, Outcome, RequestView, Usage

DIALECT = MessagesDialect()
WIRE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def a_call(*, keep_text: bool = False) -> Call:
    return Call(
        operation="messages",
        body=b"",
        view=RequestView(model="m"),
        request_id="r1",
        trace_id="t",
        span_id="s",
        started_at_s=0,
        started_s=0,
        keep_text=keep_text,
    )


def event(kind: str, **fields: Any) -> Event:
    return Event(json.dumps({"type": kind, **fields}).encode(), kind.encode())


def block(index: int, **fields: Any) -> Event:
    return event("content_block_start", index=index, content_block=fields)


def delta(index: int, kind: str, **fields: Any) -> Event:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def stop(index: int) -> Event:
    return event("content_block_stop", index=index)


USED = {"input_tokens": 5, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1, "output_tokens": 1}
START = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": USED,
    },
)
END = event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 9})
STOP = event("message_stop")
PING = event("ping")
STREAM = [
    START,
    PING,
    block(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="hm"),
    delta(0, "signature_delta", signature="sig"),
    stop(0),
    block(1, type="redacted_thinking", data="zzz"),
    stop(1),
    block(2, type="text", text=""),
    delta(2, "text_delta", text="Hé"),
    delta(2, "text_delta", text="llo"),
    stop(2),
    block(3, type="tool_use", id="t1", name="f", input={}),
    delta(3, "input_json_delta", partial_json=""),
    delta(3, "input_json_delta", partial_json='{"a":'),
    delta(3, "input_json_delta", partial_json="1}"),
    stop(3),
    block(4, type="tool_use", id="t2", name="g", input={}),
    delta(4, "input_json_delta", partial_json=""),
    stop(4),
    END,
    STOP,
]
DELTAS: list[Delta] = [
    Started(
        id="msg_1",
        model="claude-x",
        created_s=0,
        usage=Usage(prompt=8, completion=1, cached=2, cache_write=1, source="estimated"),
    ),
    ReasoningDelta(text="hm"),
    ReasoningDelta(signature="sig"),
    ReasoningDelta(encrypted="zzz"),
    TextDelta("Hé"),
    TextDelta("llo"),
    ToolCallStarted(index=0, id="t1", name="f"),
    ToolCallDelta(index=0, arguments='{"a":'),
    ToolCallDelta(index=0, arguments="1}"),
    ToolCallStarted(index=1, id="t2", name="g"),
    ToolCallDelta(index=1, arguments="{}"),
    Finished(reason="tool_calls"),
    UsageReported(Usage(prompt=8, completion=9, cached=2, cache_write=1)),
]


def as_bytes(events: Iterable[Event]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event.name, event.data) for event in events)


def checked(stream: bytes) -> list[dict[str, Any]]:
    """The written events: each valid for the official SDK, blocks strictly one after the other."""
    events = EventParser().feed(stream)
    wires = [json.loads(event.data) for event in events]
    for one, wire in zip(events, wires, strict=True):
        WIRE_EVENT.validate_json(one.data)
        assert one.name.decode() == wire["type"]
    kinds = [wire["type"] for wire in wires]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"] and kinds.count("message_delta") == 1
    opened, following = None, 0
    for wire in wires:
        if wire["type"] == "content_block_start":
            assert opened is None and wire["index"] == following
            opened = wire["index"]
        elif wire["type"] == "content_block_delta":
            assert wire["index"] == opened
        elif wire["type"] == "content_block_stop":
            assert wire["index"] == opened
            opened, following = None, following + 1
    assert opened is None
    return wires


def as_client(wires: list[dict[str, Any]]) -> Any:
    """The message that a client puts together from the events."""
    message, end = wires[0]["message"], wires[-2]
    for wire in wires:
        if wire["type"] == "content_block_start":
            message["content"].append({**wire["content_block"], "json": ""})
        elif wire["type"] == "content_block_delta":
            added, part = wire["delta"], message["content"][-1]
            field = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(
                added["type"], "json"
            )
            part[field] += added["partial_json" if field == "json" else field]
        elif wire["type"] == "content_block_stop" and (part := message["content"][-1])["json"]:
            part["input"] = json.loads(part["json"])
    return WireMessage.model_validate({**message, **end["delta"], "usage": {**message["usage"], **end["usage"]}})


def write(deltas: Iterable[Delta]) -> list[dict[str, Any]]:
    writer = DIALECT.stream_writer(a_call())
    return checked(writer.feed(deltas) + writer.end())


def read(events: Iterable[Event]) -> list[Delta]:
    reader = DIALECT.stream_reader()
    return [delta for event in events for delta in reader.feed(event)]


# --- the tap ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), max_size=60))
def test_tap_forwards_every_byte_however_the_stream_is_cut(sizes: list[int]) -> None:
    outcome = Outcome()
    tap, parser, stream, forwarded = DIALECT.tap_stream(a_call(keep_text=True), outcome), EventParser(), b"", b""
    sent = stream = as_bytes(STREAM)
    for size in [*sizes, len(stream)]:
        forwarded += tap.feed(parser.feed(stream[:size]))
        stream = stream[size:]
    assert forwarded == sent and tap.finished and tap.end() == b""
    assert outcome.usage == Usage(prompt=8, completion=9, cached=2, cache_write=1)
    assert (outcome.finish_reason, outcome.model, outcome.upstream_id) == ("tool_calls", "claude-x", "msg_1")
    assert outcome.text == "Héllo" and outcome.output_chars == len("hm" + "Héllo" + "f" + '{"a":1}' + "g")


@pytest.mark.parametrize(
    ("before", "content"),
    [
        ([START, PING, block(0, type="text", text="")], delta(0, "text_delta", text="x")),
        ([START, block(0, type="thinking", thinking="")], delta(0, "thinking_delta", thinking="x")),
        ([START, delta(0, "text_delta", text=""), stop(0)], block(1, type="tool_use", id="t", name="f", input={})),
        ([START], block(0, type="redacted_thinking", data="z")),
        ([START], block(0, type="text", text="at once")),
    ],
)
def test_tap_sees_the_first_content(before: list[Event], content: Event) -> None:
    tap = DIALECT.tap_stream(a_call(), Outcome())
    tap.feed(before)
    assert not tap.has_content
    tap.feed([content])
    assert tap.has_content and not tap.finished


def test_usage_of_a_stream_that_is_cut_is_only_an_estimate() -> None:
    outcome = Outcome()
    DIALECT.tap_stream(a_call(), outcome).feed([START, block(0, type="text", text="")])
    assert outcome.usage.source == "estimated" and outcome.usage.prompt == 8


def test_a_message_delta_may_correct_the_input_side() -> None:
    outcome = Outcome()
    nothing = event("message_start", message={"usage": {"input_tokens": 0, "output_tokens": 0}})
    late = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 6, "output_tokens": 2})
    DIALECT.tap_stream(a_call(), outcome).feed([nothing, late, event("message_delta", delta={}, usage=None), STOP])
    assert outcome.usage == Usage(prompt=6, completion=2) and outcome.finish_reason == "stop"


def test_tap_names_nameless_events_and_forwards_unknown_ones() -> None:
    tap = DIALECT.tap_stream(a_call(), Outcome())
    assert tap.feed([Event(PING.data)]) == as_bytes([PING])
    assert tap.feed([event("later", x=1)]) == as_bytes([event("later", x=1)])
    assert tap.feed([Event(b'{"type":\n"ping"}', b"ping")]) == b'event: ping\ndata: {"type": "ping"}\n\n'
    assert tap.feed([STOP, Event(b"[DONE]")]) == as_bytes([STOP])


ERRORS: list[tuple[bytes, type[UpstreamError]]] = [
    (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', UpstreamUnavailable),
    (b'{"type":"error","error":{"type":"api_error","message":"oops"}}', UpstreamUnavailable),
    (b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', UpstreamRateLimited),
    (b'{"type":"error","error":{"type":"timeout_error","message":"late"}}', UpstreamTimeout),
    (b'{"type":"error","error":{"type":"authentication_error","message":"key"}}', UpstreamCredential),
    (b'{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}', UpstreamRejected),
    (b'{"type":"error","error":{"type":"new_error","message":"x"}}', UpstreamBroken),
    (b'{"type":"error"}', UpstreamBroken),
    (b"null", UpstreamBroken),
    (b"\xff", UpstreamBroken),
    (b"", UpstreamBroken),
]


@pytest.mark.parametrize(("data", "error"), ERRORS)
def test_an_error_event_is_raised(data: bytes, error: type[UpstreamError]) -> None:
    for feed in (lambda event: DIALECT.tap_stream(a_call(), Outcome()).feed([event]), DIALECT.stream_reader().feed):
        with pytest.raises(error) as caught:
            feed(Event(data, b"error"))
        assert type(caught.value) is error


GARBAGE = [
    b"",
    b"[DONE]",
    b"null",
    b"[]",
    b"5",
    b"{",
    b"\xff",
    b'{"delta":5}',
    b"[" * 100_000,
    b'{"delta":{"text":5,"stop_reason":5}}',
    b'{"content_block":{}}',
    b'{"message":[]}',
    b'{"message":{"usage":{"input_tokens":-1}}}',
    b'{"type":5}',
]
NAMES = [b"content_block_delta", b"content_block_start", b"message_delta", b"message_start", b""]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_events_are_broken(data: bytes, name: bytes) -> None:
    reader = DIALECT.stream_reader()
    if name != b"message_start":
        reader.feed(START)
    for feed in (lambda event: DIALECT.tap_stream(a_call(), Outcome()).feed([event]), reader.feed):
        with pytest.raises(UpstreamBroken):
            feed(Event(data, name))


# --- the reader -------------------------------------------------------------------------------------------------


def test_a_stream_is_read() -> None:
    assert read(STREAM) == DELTAS
    assert read([Event(event.data) for event in STREAM]) == DELTAS


def test_blocks_that_start_full_are_not_lost() -> None:
    events = [
        START,
        block(0, type="text", text="a"),
        delta(0, "text_delta", text="b"),
        stop(0),
        block(1, type="tool_use", id="t", name="f", input={"x": 1}),
        stop(1),
        block(2, type="tool_use", id="u", name="g"),
        STOP,
    ]
    assert read(events)[1:] == [
        TextDelta("a"),
        TextDelta("b"),
        ToolCallStarted(index=0, id="t", name="f"),
        ToolCallDelta(index=0, arguments='{"x": 1}'),
        ToolCallStarted(index=1, id="u", name="g"),
        ToolCallDelta(index=1, arguments="{}"),
        Finished(reason="tool_calls"),
    ]


def test_a_refusal_brings_its_explanation() -> None:
    end = event("message_delta", delta={"stop_reason": "refusal", "stop_details": {"explanation": "no"}}, usage=None)
    assert read([START, end, STOP])[1:] == [RefusalDelta("no"), Finished(reason="content_filter")]


def test_a_stop_sequence_is_kept_and_nothing_is_read_after_the_end() -> None:
    end = event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "END"})
    reader = DIALECT.stream_reader()
    assert [*reader.feed(START), *reader.feed(end)][1:] == [Finished(reason="stop", stop_sequence="END")]
    assert not reader.finished and reader.feed(STOP) == [] and reader.finished and reader.feed(START) == []


@pytest.mark.parametrize(
    "events",
    [
        [block(0, type="text", text="")],
        [STOP],
        [END],
        [START, START],
        [START, delta(0, "text_delta", text="x")],
        [START, block(0, type="text", text=""), block(0, type="text", text="")],
        [START, block(0, type="text", text=""), delta(0, "input_json_delta", partial_json="{")],
        [START, block(0, type="text", text=""), delta(0, "text_delta")],
        [START, block(0, type="text", text=""), delta(0, "new_delta", text="x")],
        [START, block(0, type="server_tool_use", id="t", name="web_search", input={})],
        [START, block(0, type="tool_use", name="f", input={})],
        [START, block(0, type="redacted_thinking")],
    ],
)
def test_a_stream_out_of_order_or_beyond_translation_is_broken(events: list[Event]) -> None:
    with pytest.raises(UpstreamBroken):
        read(events)


# --- the writer -------------------------------------------------------------------------------------------------


def test_a_stream_survives_the_round_trip() -> None:
    wires = write(read(STREAM))
    expected = [START, *(event for event in STREAM[2:-2])]
    sent = [json.loads(event.data) for event in expected if b'"partial_json": ""' not in event.data]
    written = [wire for wire in wires[:-2] if wire.get("delta") != {"type": "input_json_delta", "partial_json": "{}"}]
    assert written == sent
    assert wires[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert wires[-2]["usage"] == {
        "input_tokens": 5,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 1,
        "output_tokens": 9,
    }


def test_interleaved_tool_calls_become_blocks_one_after_the_other() -> None:
    message = as_client(
        write(
            [
                Started(id="i", model="m", created_s=0),
                TextDelta("x"),
                ToolCallStarted(index=0, id="a", name="f"),
                ToolCallStarted(index=1, id="b", name="g"),
                ToolCallDelta(index=1, arguments='{"n":'),
                ToolCallDelta(index=0, arguments='{"m":'),
                TextDelta("y"),
                ToolCallDelta(index=1, arguments="2}"),
                ToolCallDelta(index=0, arguments="1}"),
                ToolCallStarted(index=2, id="c", name="h"),
                Finished(reason="stop"),
                UsageReported(Usage(prompt=3, completion=4)),
            ]
        )
    )
    assert [(part.type, getattr(part, "text", None) or part.input) for part in message.content] == [
        ("text", "x"),
        ("tool_use", {"m": 1}),
        ("tool_use", {"n": 2}),
        ("text", "y"),
        ("tool_use", {}),
    ]
    assert message.stop_reason == "tool_use" and message.usage.output_tokens == 4


def test_sequential_tool_calls_are_written_as_they_come() -> None:
    writer = DIALECT.stream_writer(a_call())
    writer.feed(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallDelta(index=0, arguments="{}"),
            ToolCallStarted(index=1, id="b", name="g"),
        ]
    )
    assert b"input_json_delta" in writer.feed([ToolCallDelta(index=1, arguments='{"x"')])


def test_thinking_with_a_proof_is_closed_by_it() -> None:
    message = as_client(
        write(
            [
                ReasoningDelta(text="a"),
                ReasoningDelta(signature="s"),
                ReasoningDelta(text="b"),
                ReasoningDelta(encrypted="e"),
                TextDelta("t"),
            ]
        )
    )
    assert [part.type for part in message.content] == ["thinking", "thinking", "redacted_thinking", "text"]
    assert (message.content[0].signature, message.content[1].thinking) == ("s", "b")


@pytest.mark.parametrize(
    ("deltas", "reason", "sequence"),
    [
        ([], "end_turn", None),
        ([TextDelta("x"), Finished(reason="length")], "max_tokens", None),
        ([TextDelta("x"), Finished(reason="stop", stop_sequence="E")], "stop_sequence", "E"),
        ([RefusalDelta("no"), Finished(reason="stop")], "refusal", None),
        ([TextDelta("x"), Finished(reason="content_filter")], "refusal", None),
        ([TextDelta("x"), TextDelta("other", choice=1), Finished(reason="length", choice=1)], "end_turn", None),
    ],
)
def test_stop_reasons_are_written(deltas: list[Delta], reason: str, sequence: str | None) -> None:
    again = Started(id="x", model="x", created_s=0)
    message = as_client(write([Started(id="", model="", created_s=0), *deltas, again]))
    assert (message.stop_reason, message.stop_sequence, message.id, message.model) == (reason, sequence, "r1", "m")


@pytest.mark.parametrize(
    "deltas",
    [
        [ToolCallDelta(index=0, arguments="{}")],
        [ToolCallStarted(index=0, id="a", name="f"), ToolCallStarted(index=0, id="a", name="f")],
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallDelta(index=0, arguments="{}"),
            TextDelta("x"),
            ToolCallDelta(index=0, arguments="1"),
        ],
        [TextDelta("x"), Finished(reason="error")],
    ],
)
def test_what_a_message_stream_cannot_say_is_broken(deltas: list[Delta]) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.stream_writer(a_call()).feed(deltas)


@st.composite
def tool_streams(draw: st.DrawFn) -> tuple[list[Delta], str, dict[int, str]]:
    """Text and parallel tool calls in any interleaving that keeps each call's own order."""
    arguments = draw(
        st.lists(st.dictionaries(st.text(max_size=2), st.text('{}"a \\', max_size=4), max_size=2), max_size=3)
    )
    lanes: list[list[Delta]] = [[TextDelta(text) for text in draw(st.lists(st.text(min_size=1, max_size=3)))]]
    for index, value in enumerate(arguments):
        text = json.dumps(value)
        cut = draw(st.integers(0, len(text)))
        pieces = [ToolCallDelta(index=index, arguments=piece) for piece in (text[:cut], text[cut:])]
        lanes.append([ToolCallStarted(index=index, id=f"t{index}", name="f"), *pieces])
    merged: list[Delta] = []
    while any(lanes):
        merged.append(draw(st.sampled_from([lane for lane in lanes if lane])).pop(0))
    text = "".join(one.text for one in merged if isinstance(one, TextDelta))
    return merged, text, {index: json.dumps(value) for index, value in enumerate(arguments)}


@given(tool_streams(), st.integers(1, 4))
def test_any_interleaving_is_a_valid_stream_that_loses_nothing(
    stream: tuple[list[Delta], str, dict[int, str]], size: int
) -> None:
    deltas, text, arguments = stream
    writer = DIALECT.stream_writer(a_call())
    written = b"".join(writer.feed(deltas[at : at + size]) for at in range(0, len(deltas), size)) + writer.end()
    message = as_client(checked(written))
    assert "".join(part.text for part in message.content if part.type == "text") == text
    calls = {part.id: part.input for part in message.content if part.type == "tool_use"}
    assert calls == {f"t{index}": json.loads(value) for index, value in arguments.items()}


ANY_EVENT = st.sampled_from([*STREAM, *(Event(data, name) for data in GARBAGE for name in NAMES)])


@given(st.lists(ANY_EVENT))
def test_any_order_of_events_is_read_or_refused(events: list[Event]) -> None:
    reader, outcome = DIALECT.stream_reader(), Outcome()
    tap = DIALECT.tap_stream(a_call(), outcome)
    for one in events:
        for feed in (reader.feed, lambda event: tap.feed([event])):
            try:
                feed(one)
            except LLMOpsError as error:
                assert isinstance(error, UpstreamError)
    assert outcome.usage is NO_USAGE or outcome.usage.prompt >= 0
