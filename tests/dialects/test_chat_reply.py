"""Complete Chat Completions replies and errors: what policies note, and the road to and from a neutral answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from llmops.dialects.chat import ChatDialect
from llmops.dialects.conversation import Answer, Audio, Choice, Image, Reasoning, Refusal, Text, ToolCall
from llmops.errors import (
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

DIALECT = ChatDialect()
PROOF = {"extra_content": {"google": {"thought_signature": "sig"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}, **PROOF}
LOGPROBS = {"content": [{"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": []}], "refusal": None}
MESSAGE = {
    "role": "assistant",
    "content": "Hé",
    "refusal": None,
    "reasoning_content": "hm",
    "reasoning_details": [{"index": 0, "type": "reasoning.text", "id": "thought_0", "text": "hm", "signature": "s"}],
    "tool_calls": [CALL],
}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
REPLY: dict[str, Any] = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 5,
    "model": "m-1",
    "usage": USAGE,
    "choices": [{"index": 0, "message": MESSAGE, "logprobs": LOGPROBS, "finish_reason": "tool_calls"}],
}


def reply(**changes: Any) -> bytes:
    return json.dumps({**REPLY, **changes}).encode()


def saying(finish: Any = "stop", **message: Any) -> bytes:
    return reply(choices=[{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}])


def written(*parts: Any, **fields: Any) -> dict[str, Any]:
    """The message of a written reply, validated against the official SDK's type."""
    answer = Answer(id="a", model="m", created_s=1, choices=[Choice(parts=list(parts), **fields)], usage=NO_USAGE)
    wire = json.loads(DIALECT.write_reply(answer))
    ChatCompletion.model_validate(wire)
    message: dict[str, Any] = wire["choices"][0]["message"]
    return message


def test_tap_notes_the_outcome() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(reply(), outcome)
    assert outcome.usage == Usage(prompt=10, completion=7, cached=4, reasoning=2)
    assert (outcome.finish_reason, outcome.model, outcome.upstream_id) == ("tool_calls", "m-1", "c-1")
    assert outcome.text == "Hé" and outcome.output_chars == len("hmHéf") + len('{"a": 1.50}')


def test_tap_takes_the_text_of_the_first_choice_wherever_it_stands() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(
        reply(
            choices=[
                {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
                {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
            ]
        ),
        outcome,
    )
    assert (outcome.text, outcome.finish_reason, outcome.output_chars) == ("a", "stop", 2)


def test_a_reply_is_read() -> None:
    answer = DIALECT.read_reply(reply())
    assert answer.choices == [
        Choice(
            finish_reason="tool_calls",
            logprobs=LOGPROBS,
            parts=[
                Reasoning(text="hm", signature="s"),
                Text("Hé"),
                ToolCall(id="c1", name="f", arguments='{"a": 1.50}', signature="sig"),
            ],
        )
    ]
    assert (answer.id, answer.model, answer.created_s, answer.lost) == ("c-1", "m-1", 5, [])


def test_a_reply_survives_the_round_trip() -> None:
    again = json.loads(DIALECT.write_reply(DIALECT.read_reply(reply())))
    ChatCompletion.model_validate(again)
    assert again == REPLY


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("error", "error"),
        ("eos", "stop"),
        (None, "stop"),
    ],
)
def test_finish_reasons(wire: Any, reason: str) -> None:
    assert DIALECT.read_reply(saying(wire, content="x")).choices[0].finish_reason == reason


def test_the_names_of_compatible_servers_are_understood() -> None:
    answer = DIALECT.read_reply(saying(content="x", reasoning="hm"))
    assert answer.choices[0].parts == [Reasoning(text="hm"), Text("x")]
    cached = DIALECT.read_reply(reply(usage={"prompt_tokens": 5, "completion_tokens": 1, "prompt_cache_hit_tokens": 3}))
    assert cached.usage == Usage(prompt=5, completion=1, cached=3)
    nameless = DIALECT.read_reply(saying(tool_calls=[{"function": {"name": "f"}}, {"id": "x"}]))
    assert nameless.choices[0].parts == [
        ToolCall(id="call_0", name="f", arguments=""),
        ToolCall(id="x", name="", arguments=""),
    ]


def test_the_stop_sequence_has_vllms_name() -> None:
    wire = json.loads(
        DIALECT.write_reply(
            Answer(
                id="a", model="m", created_s=1, usage=NO_USAGE, choices=[Choice(parts=[Text("x")], stop_sequence="END")]
            )
        )
    )
    assert wire["choices"][0]["stop_reason"] == "END"
    assert DIALECT.read_reply(json.dumps(wire).encode()).choices[0].stop_sequence == "END"
    token = reply(choices=[{"message": {"content": "x"}, "finish_reason": "stop", "stop_reason": 128_001}])
    assert DIALECT.read_reply(token).choices[0].stop_sequence is None


def test_annotations_are_lost_and_said_to_be() -> None:
    assert DIALECT.read_reply(saying(content="x", annotations=[{"type": "url_citation"}])).lost == ["annotations"]
    assert DIALECT.read_reply(saying(content="x", annotations=[])).lost == []


def test_unknown_usage_is_left_out() -> None:
    assert DIALECT.read_reply(reply(usage=None)).usage == NO_USAGE
    assert "usage" not in json.loads(DIALECT.write_reply(DIALECT.read_reply(reply(usage=None))))


def test_parts_are_written_into_one_message() -> None:
    message = written(Reasoning(text="a"), Text("x"), Reasoning(text="b"), Text("y"), Refusal("no"), Refusal("!"))
    assert (message["content"], message["reasoning_content"], message["refusal"]) == ("xy", "ab", "no!")
    assert "reasoning_details" not in message and "tool_calls" not in message
    assert written(ToolCall(id="c", name="f", arguments=""))["content"] is None


@pytest.mark.parametrize("part", [Image(data="QQ==", media_type="image/png"), Audio(data="QQ==", format="wav")])
def test_a_part_without_a_place_is_not_dropped_in_silence(part: Any) -> None:
    with pytest.raises(UpstreamBroken, match=type(part).__name__):
        written(Text("x"), part)


thoughts = st.builds(Reasoning, text=st.text(min_size=1, max_size=5), signature=st.none() | st.just("s"))
opaque = st.builds(Reasoning, encrypted=st.text(min_size=1, max_size=5))
shown = st.builds(Reasoning, text=st.text(min_size=1, max_size=5), encrypted=st.just("x"))


@given(st.lists(thoughts | opaque | shown, max_size=4), st.text(max_size=5), st.integers(0, 2))
def test_thoughts_survive_the_round_trip(found: list[Reasoning], text: str, calls: int) -> None:
    """With a proof among them each thought stays itself; without any there is just their text."""
    parts: list[Any] = [*found, *([Text(text)] if text else [])]
    parts += [ToolCall(id=f"c{number}", name="f", arguments="{}", signature="s") for number in range(calls)]
    answer = Answer(id="a", model="m", created_s=1, choices=[Choice(parts=parts)], usage=NO_USAGE)
    again = DIALECT.read_reply(DIALECT.write_reply(answer)).choices[0].parts
    if any(thought.signature or thought.encrypted for thought in found):
        assert again == parts
    else:
        joined = "".join(thought.text for thought in found)
        assert again == [*([Reasoning(text=joined)] if joined else []), *parts[len(found) :]]


@given(
    st.builds(
        Usage,
        prompt=st.integers(0, 999),
        completion=st.integers(0, 999),
        cached=st.integers(0, 9),
        reasoning=st.integers(0, 9),
    )
)
def test_usage_survives_the_round_trip(usage: Usage) -> None:
    answer = Answer(id="a", model="m", created_s=0, choices=[Choice()], usage=usage)
    assert DIALECT.read_reply(DIALECT.write_reply(answer)).usage == usage


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"error":{"message":"x"}}',
        reply(choices=None),
        reply(choices="x"),
        reply(choices=[None]),
        reply(usage=5),
        reply(usage={"prompt_tokens": "7"}),
        reply(model=5),
        reply(choices=[{"index": "0"}]),
        saying(content=5),
        saying(tool_calls=5),
        saying(tool_calls=[{"function": 5}]),
        saying(finish=5),
        b'{"choices":' + b"[" * 100_000,
    ],
)
def test_what_is_no_reply_is_broken(garbage: bytes) -> None:
    for read in (lambda body: DIALECT.tap_reply(body, Outcome()), DIALECT.read_reply):
        with pytest.raises(UpstreamBroken):
            read(garbage)


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InvalidRequest("x", param="n"), "invalid_request_error", "invalid_request"),
        (UnknownModel("x"), "invalid_request_error", "model_not_found"),
        (UpstreamRateLimited("x"), "rate_limit_error", "upstream_rate_limited"),
        (UpstreamUnavailable("x"), "overloaded_error", "upstream_unavailable"),
        (UpstreamTimeout("x"), "timeout_error", "upstream_timeout"),
        (UpstreamBroken("x"), "upstream_error", "upstream_broken"),
        (UpstreamRejected("x", upstream_status=400, code="their_code"), "invalid_request_error", "their_code"),
        (InternalError("x"), "server_error", "internal_error"),
    ],
)
def test_errors_are_written_in_openais_words(error: LLMOpsError, kind: str, code: str) -> None:
    expected = {"message": "x", "type": kind, "param": error.param, "code": code, "request_id": "r1"}
    assert json.loads(DIALECT.write_error(error, "r1")) == {"error": expected}
    event, done = DIALECT.write_error_event(error, "r1").split(b"\n\n", 1)
    assert json.loads(event.removeprefix(b"data: ")) == {"error": expected} and done == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        (b'{"error":{"message":"m","type":"t","code":"c","param":"p"}}', "m", "c", "p"),
        (b'{"error":{"message":"m","code":400,"param":["p"]}}', "m", None, None),
        (b'{"object":"error","message":"m","code":400}', "m", None, None),  # older vLLM
        (b'{"error":"m"}', "m", None, None),  # Ollama
        (b'{"detail":"Not Found"}', '{"detail":"Not Found"}', None, None),
        (b"<html>", "<html>", None, None),
        (b"", "(no message)", None, None),
        (b"\xff", "\ufffd", None, None),
        (b"[" * 300, "[" * 200, None, None),
    ],
)
def test_errors_are_read(body: bytes, message: str, code: str | None, param: str | None) -> None:
    said = DIALECT.read_error(400, body)
    assert (said.message, said.code, said.param) == (message, code, param)
