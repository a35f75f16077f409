"""Complete Messages replies and errors: usage, stop reasons, blocks, and what is no answer."""

import json
from typing import Any

import pytest
from anthropic.types import Message as WireMessage
from hypothesis import given
from hypothesis import strategies as st

from llmops.dialects.conversation import Answer, Choice, Reasoning, Refusal, Text, ToolCall
from llmops.dialects.messages import MessagesDialect
from llmops.errors import (
    ClientDisconnected,
    InternalError,
    InvalidRequest,
    LLMOpsError,
    UnknownModel,
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from llmops.types import NO_USAGE, Outcome, Usage

DIALECT = MessagesDialect()
BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "sig"},
    {"type": "redacted_thinking", "data": "zzz"},
    {"type": "text", "text": "Hé"},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1.50, "b": "ü"}},
]
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
REPLY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": BLOCKS,
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": USAGE,
}


def reply(**changes: Any) -> bytes:
    return json.dumps({**REPLY, **changes}).encode()


def written(*parts: Any, **fields: Any) -> dict[str, Any]:
    """The written reply, validated against the official SDK's type."""
    answer = Answer(id="a", model="m", created_s=1, choices=[Choice(parts=list(parts), **fields)], usage=NO_USAGE)
    wire: dict[str, Any] = json.loads(DIALECT.write_reply(answer))
    WireMessage.model_validate(wire)
    return wire


def test_tap_notes_the_outcome() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(reply(), outcome)
    assert outcome.usage == Usage(prompt=17, completion=7, cached=4, cache_write=3, reasoning=2)
    assert (outcome.finish_reason, outcome.model, outcome.upstream_id) == ("tool_calls", "claude-x", "msg_1")
    assert outcome.text == "Hé" and outcome.output_chars > len("hmHéf")


def test_tap_lets_unknown_blocks_pass_that_a_translation_must_refuse() -> None:
    unknown = reply(content=[{"type": "web_search_tool_result", "tool_use_id": "x", "content": [{"url": "u"}]}])
    DIALECT.tap_reply(unknown, Outcome())
    with pytest.raises(UpstreamBroken, match="web_search_tool_result"):
        DIALECT.read_reply(unknown)


def test_a_reply_is_read() -> None:
    answer = DIALECT.read_reply(reply())
    assert answer.choices == [
        Choice(
            finish_reason="tool_calls",
            parts=[
                Reasoning(text="hm", signature="sig"),
                Reasoning(encrypted="zzz"),
                Text("Hé"),
                ToolCall(id="toolu_1", name="f", arguments=json.dumps(BLOCKS[3]["input"])),
            ],
        )
    ]
    assert (answer.id, answer.model) == ("msg_1", "claude-x")


def test_a_reply_survives_the_round_trip() -> None:
    again = json.loads(DIALECT.write_reply(DIALECT.read_reply(reply())))
    WireMessage.model_validate(again)
    assert again == REPLY


@pytest.mark.parametrize(
    ("stop", "sequence", "reason", "again"),
    [
        ("end_turn", None, "stop", "end_turn"),
        ("stop_sequence", "END", "stop", "stop_sequence"),
        ("max_tokens", None, "length", "max_tokens"),
        ("model_context_window_exceeded", None, "length", "max_tokens"),
        ("tool_use", None, "tool_calls", "tool_use"),
        ("refusal", None, "content_filter", "refusal"),
        ("pause_turn", None, "stop", "end_turn"),
        ("something_new", None, "stop", "end_turn"),
        (None, None, "stop", "end_turn"),
    ],
)
def test_stop_reasons(stop: Any, sequence: Any, reason: Any, again: str) -> None:
    text = [{"type": "text", "text": "x"}]
    answer = DIALECT.read_reply(reply(content=text, stop_reason=stop, stop_sequence=sequence))
    assert (answer.choices[0].finish_reason, answer.choices[0].stop_sequence) == (reason, sequence)
    wire = json.loads(DIALECT.write_reply(answer))
    assert (wire["stop_reason"], wire["stop_sequence"]) == (again, sequence)


def test_a_refusal_is_text_with_its_stop_reason() -> None:
    wire = written(Refusal("I can't"))
    assert wire["content"] == [{"type": "text", "text": "I can't"}] and wire["stop_reason"] == "refusal"
    explained = reply(content=[], stop_reason="refusal", stop_details={"type": "refusal", "explanation": "no"})
    assert DIALECT.read_reply(explained).choices[0].parts == [Refusal("no")]


def test_agents_see_tool_use_even_where_the_upstream_said_stop() -> None:
    assert written(ToolCall(id="t", name="f", arguments=""))["stop_reason"] == "tool_use"


def test_reasoning_without_a_proof_is_shown_and_the_opaque_part_kept() -> None:
    assert written(Reasoning(text="hm", encrypted="e"), Reasoning(), Text(""))["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "redacted_thinking", "data": "e"},
    ]


def test_unknown_usage_is_written_as_zeros() -> None:
    assert written(Text("x"))["usage"]["input_tokens"] == 0
    assert DIALECT.read_reply(reply(usage=None)).usage == NO_USAGE


@given(
    st.builds(
        Usage,
        prompt=st.integers(0, 999),
        completion=st.integers(0, 999),
        cached=st.integers(0, 9),
        cache_write=st.integers(0, 9),
        reasoning=st.integers(0, 9),
    )
)
def test_usage_survives_the_round_trip(usage: Usage) -> None:
    answer = Answer(id="a", model="m", created_s=0, choices=[Choice()], usage=usage)
    again = DIALECT.read_reply(DIALECT.write_reply(answer)).usage
    assert again == usage or usage.prompt < usage.cached + usage.cache_write


@pytest.mark.parametrize(
    "choices",
    [
        [],
        [Choice(finish_reason="error")],
        [Choice(parts=[ToolCall(id="t", name="f", arguments='{"a":')], finish_reason="length")],
        [Choice(parts=[ToolCall(id="t", name="f", arguments="[]")])],
    ],
)
def test_an_answer_that_a_message_cannot_hold_is_refused(choices: list[Choice]) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.write_reply(Answer(id="a", model="m", created_s=0, choices=choices, usage=NO_USAGE))


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"type":"error","error":{"type":"x","message":"y"}}',
        reply(content=None),
        reply(content="x"),
        reply(content=[None]),
        reply(content=[{}]),
        reply(content=[5]),
        reply(content=[{"type": "text", "text": 5}]),
        reply(usage=5),
        reply(usage={"input_tokens": -1}),
        reply(usage={"output_tokens": "7"}),
        reply(model=5),
        reply(stop_reason=5),
        b'{"content":' + b"[" * 100_000,
    ],
)
def test_what_is_no_reply_is_broken(garbage: bytes) -> None:
    for read in (lambda body: DIALECT.tap_reply(body, Outcome()), DIALECT.read_reply):
        with pytest.raises(UpstreamBroken):
            read(garbage)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text"},
        {"type": "thinking"},
        {"type": "redacted_thinking"},
        {"type": "redacted_thinking", "data": 5},
        {"type": "redacted_thinking", "data": None},
        {"type": "tool_use", "id": "t", "name": "f"},
        {"type": "tool_use", "id": "t", "name": "f", "input": None},
        {"type": "tool_use", "id": "t", "input": {}},
        {"type": "tool_use", "id": "t", "name": "f", "input": "{}"},
        {"type": "image"},
    ],
)
def test_blocks_without_their_fields_are_broken(block: dict[str, Any]) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.read_reply(reply(content=[block]))


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (UnknownModel("x"), "not_found_error"),
        (UpstreamRateLimited("x"), "rate_limit_error"),
        (UpstreamUnavailable("x"), "overloaded_error"),
        (UpstreamTimeout("x"), "timeout_error"),
        (UpstreamBroken("x"), "api_error"),
        (UpstreamRejected("x", upstream_status=413), "request_too_large"),
        (InternalError("x"), "api_error"),
        (ClientDisconnected("x"), "api_error"),
    ],
)
def test_errors_are_written_in_anthropics_words(error: LLMOpsError, kind: str) -> None:
    expected = {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "r1"}
    assert json.loads(DIALECT.write_error(error, "r1")) == expected
    name, data = DIALECT.write_error_event(error, "r1").split(b"\n", 1)
    assert name == b"event: error" and json.loads(data.removeprefix(b"data: ")) == expected


def test_an_error_that_does_not_name_its_place_is_led_by_it() -> None:
    error = json.loads(DIALECT.write_error(InvalidRequest("must be a number", param="top_k"), "r"))["error"]
    assert error["message"] == "top_k: must be a number"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r"}',
            "busy",
            "overloaded_error",
        ),
        (b'{"error":{"message":"busy"}}', "busy", None),
        (b'{"error":"busy"}', '{"error":"busy"}', None),
        (b'{"error":{"message":5}}', '{"error":{"message":5}}', None),
        (b"<html>", "<html>", None),
        (b"", "(no message)", None),
        (b"\xff", "\ufffd", None),
    ],
)
def test_errors_are_read(body: bytes, message: str, code: str | None) -> None:
    said = DIALECT.read_error(529, body)
    assert (said.message, said.code) == (message, code)
