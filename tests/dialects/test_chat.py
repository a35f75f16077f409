"""Chat Completions requests: what policies see, what is patched, and the road to and from a neutral conversation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

from llmops.dialects.chat import ChatDialect
from llmops.dialects.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Message,
    OutputFormat,
    Reasoning,
    ReasoningConfig,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Uncarried,
)
from llmops.errors import InvalidRequest
from llmops.types import OutputContract

DIALECT = ChatDialect()
WIRE_REQUEST: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
PROOF = {"extra_content": {"google": {"thought_signature": "sig"}}}


def body(**changes: Any) -> bytes:
    return json.dumps({**HELLO, **changes}).encode()


def said(*messages: Any) -> bytes:
    return body(messages=list(messages))


def read(*messages: Any) -> Conversation:
    return DIALECT.read_request(said(*messages))


def write(conversation: Conversation) -> tuple[dict[str, Any], list[str]]:
    """The written request, validated against the official SDK's types, and what it could not carry."""
    uncarried = Uncarried(conversation)
    wire = json.loads(DIALECT.write_request(conversation, "m", uncarried))
    WIRE_REQUEST.validate_python(wire)
    return wire, uncarried.parameters


# --- view and patch ---------------------------------------------------------------------------------------------


def test_view_sees_what_prompts_have_in_common() -> None:
    assert DIALECT.view(body(prompt_cache_key="k")).cache_key == "k"
    assert DIALECT.view(body()).cache_key is None


def test_view_sees_what_policies_need() -> None:
    seen = DIALECT.view(
        body(
            stream=True,
            stream_options={"include_usage": True},
            max_completion_tokens=9,
            n=3,
            max_tokens=5,
            user="u",
            messages=[
                {"role": "system", "content": "Bé"},
                {"role": "user", "content": [{"type": "x"}]},
                {"role": "assistant"},
            ],
        )
    )
    assert (seen.model, seen.stream, seen.wants_usage, seen.max_tokens, seen.user, seen.choices) == (
        "m",
        True,
        True,
        9,
        "u",
        3,
    )
    assert [(message.role, message.content, message.length) for message in seen.messages] == [
        ("system", "Bé".encode(), 2),
        ("user", b'[{"type": "x"}]', 15),
        ("assistant", b"", 0),
    ]
    plain = DIALECT.view(body())
    assert (plain.stream, plain.wants_usage, plain.max_tokens, plain.user, plain.output, plain.choices) == (
        False,
        False,
        None,
        None,
        None,
        1,
    )


@pytest.mark.parametrize(
    ("wanted", "contract"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, OutputContract()),
        ({"type": "unheard_of"}, None),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}}, OutputContract(b'{"a": 1}')),
        ({"type": "json_schema"}, None),
    ],
)
def test_view_sees_the_output_contract(wanted: Any, contract: OutputContract | None) -> None:
    assert DIALECT.view(body(response_format=wanted)).output == contract


def test_patch_changes_the_model_and_no_other_byte() -> None:
    sent = b'{"new": {"a":  1.50}, "model":"x","messages":[ {"role":"user","content":"\\u00e9"} ]}'
    patched = DIALECT.patch(sent, "y", ask_usage=False)
    assert b'{"a":  1.50}' in patched and b'[ {"role":"user","content":"\\u00e9"} ]' in patched
    assert json.loads(patched) == {**json.loads(sent), "model": "y"}


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_obfuscation": False}])
def test_patch_asks_for_usage_beside_the_options_that_are_there(options: Any) -> None:
    patched = json.loads(DIALECT.patch(body(stream=True, stream_options=options), "m", ask_usage=True))
    assert patched["stream_options"] == {**(options or {}), "include_usage": True}


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{",
    b"\xff",
    b"{}",
    b'{"model":"m"}',
    b'{"model":5,"messages":[]}',
    body(messages={}),
    body(messages=[None]),
    body(messages=[[]]),
    body(messages=[{"content": "x"}]),
    body(messages=[{"role": 5}]),
    body(stream="yes"),
    body(n=0),
    body(n="2"),
    body(response_format=5),
    body(max_tokens="9"),
    body(stream_options=5),
    body(user=5),
    b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    b'{"model":"m","messages":[{"role":"user","content":"\\ud800x"}]}',
    b'{"model":"m","messages":[{"role":"user","content":' + b"[" * 100_000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_an_invalid_request(garbage: bytes) -> None:
    for read_it in (DIALECT.view, DIALECT.read_request):
        with pytest.raises(InvalidRequest):
            read_it(garbage)


def test_a_request_without_messages_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least one message"):
        DIALECT.view(body(messages=[]))


# --- reading a request ------------------------------------------------------------------------------------------


PARTS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, Text("hi")),
    ({"type": "image_url", "image_url": {"url": "https://x/i.png"}}, Image(url="https://x/i.png")),
    (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ==", "detail": "low"}},
        Image(data="QQ==", media_type="image/png", detail="low"),
    ),
    ({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}, Audio(data="QQ==", format="wav")),
    (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"}},
        Document(data="QQ==", media_type="application/pdf", name="a.pdf"),
    ),
    ({"type": "file", "file": {"file_id": "f1"}}, Document(file_id="f1")),
]


@pytest.mark.parametrize(("part", "neutral"), PARTS)
def test_a_part_is_read_and_written_back(part: dict[str, Any], neutral: Any) -> None:
    conversation = read({"role": "user", "content": [part, {"type": "text", "text": "?"}]})
    assert conversation.messages == [Message("user", [neutral, Text("?")])] and conversation.leftover == {}
    wire, uncarried = write(conversation)
    assert DIALECT.read_request(json.dumps(wire).encode()).messages == conversation.messages and uncarried == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"role": "user", "content": [{"type": "hologram"}]}, "messages[0].content[0].type"),
    ({"role": "user", "content": [{"text": "x"}]}, "messages[0].content[0]"),
    ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0]"),
    ({"role": "user", "content": [{"type": "text", "text": {"a": 1}}]}, "messages[0].content[0].text"),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": "https://x"}]},
        "messages[0].content[0].image_url",
    ),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]},
        "messages[0].content[0].image_url.url",
    ),
    (
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "QQ=="}}]},
        "messages[0].content[0].file.file_data",
    ),
    ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].file"),
    ({"role": "user", "content": ["x"]}, "messages[0].content[0]"),
    ({"role": "king", "content": "x"}, "messages[0].role"),
    ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}, "messages[0].content[0]"),
    ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
    (
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}],
        },
        "messages[0].content[0]",
    ),
    ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}, "messages[0].tool_calls[0]"),
    ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "messages[0].tool_calls[0]"),
    (
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]},
        "messages[0].tool_calls[0].function.arguments",
    ),
]


@pytest.mark.parametrize(("message", "place"), BAD)
def test_a_message_that_cannot_be_read_is_named(message: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(message)
    assert caught.value.param == place


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [5]}, None),
        ({"tool_choice": "some"}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"n": 10**9}, "n"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(changes: dict[str, Any], param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(body(**changes))
    assert param is None or caught.value.param == param


FOLLOW_UP: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be kind."},
    {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
    {"role": "user", "content": "Go"},
    {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "hm",
        "refusal": None,
        "annotations": [],
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}, **PROOF},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "one"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
    {"role": "assistant", "content": None, "refusal": "no"},
]


def test_a_history_is_read_and_written_back() -> None:
    conversation = read(*FOLLOW_UP)
    assert conversation.system == [Text("Be kind."), Text("Be brief.")] and conversation.leftover == {}
    assert conversation.messages == [
        Message("user", [Text("Go")]),
        Message(
            "assistant",
            [
                Reasoning(text="hm"),
                Text("Let me see."),
                ToolCall(id="c1", name="f", arguments='{"a":1}', signature="sig"),
                ToolCall(id="c2", name="g", arguments=""),
            ],
        ),
        Message(
            "user", [ToolResult(call_id="c1", content=[Text("one")]), ToolResult(call_id="c2", content=[Text("two")])]
        ),
        Message("assistant", [Refusal("no")]),
    ]
    wire, uncarried = write(conversation)
    assert wire["messages"][0] == {"role": "system", "content": "Be kind.\n\nBe brief."} and uncarried == []
    assert DIALECT.read_request(json.dumps(wire).encode()).messages == conversation.messages


@pytest.mark.parametrize(
    ("details", "text", "thoughts"),
    [
        ([{"type": "reasoning.text", "text": "a", "signature": "s"}], "a", [Reasoning(text="a", signature="s")]),
        ([{"type": "reasoning.text", "signature": "s"}], "a", [Reasoning(text="a", signature="s")]),
        (
            [
                {"type": "reasoning.summary", "summary": "a", "id": "1"},
                {"type": "reasoning.encrypted", "data": "x", "id": "1"},
            ],
            "a",
            [Reasoning(text="a", encrypted="x")],
        ),
        (
            [{"type": "reasoning.text", "text": "a", "signature": "s"}, {"type": "reasoning.encrypted", "data": "x"}],
            None,
            [Reasoning(text="a", signature="s"), Reasoning(encrypted="x")],
        ),
        ([{"type": "other"}, {}, 5, None, {"type": "reasoning.text", "text": 5}], "a", [Reasoning(text="a")]),
        ("garbage", "a", [Reasoning(text="a")]),
        (None, None, []),
    ],
)
def test_reasoning_keeps_its_proofs(details: Any, text: str | None, thoughts: list[Reasoning]) -> None:
    conversation = read({"role": "assistant", "reasoning_content": text, "reasoning_details": details, "content": "x"})
    assert conversation.messages[0].parts == [*thoughts, Text("x")]
    wire, _ = write(conversation)
    assert DIALECT.read_request(json.dumps(wire).encode()).messages == conversation.messages


def test_what_has_no_neutral_meaning_is_left_over_by_its_place() -> None:
    leftover = DIALECT.read_request(
        body(
            logit_bias={"1": 2},
            store=True,
            store_it=None,
            stream=True,
            stream_options={"include_obfuscation": True},
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "x": 1}},
            tools=[{"type": "function", "function": {"name": "f", "examples": [1]}, "cache_control": {"type": "e"}}],
            messages=[
                {
                    "role": "user",
                    "name": "Ann",
                    "content": [
                        {"type": "text", "text": "x", "mood": "glad"},
                        {"type": "image_url", "image_url": {"url": "u", "size": 3}},
                    ],
                },
                {
                    "role": "assistant",
                    "audio": {"id": "a"},
                    "function_call": None,
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "extra_content": {"other": 1},
                            "function": {"name": "f", "arguments": "", "parsed": 1},
                        }
                    ],
                },
            ],
        )
    ).leftover
    assert sorted(leftover) == sorted(
        [
            "logit_bias",
            "store",
            "stream_options.include_obfuscation",
            "response_format.json_schema.x",
            "tools[0].function.examples",
            "messages[0].name",
            "messages[0].content[0].mood",
            "messages[0].content[1].image_url.size",
            "messages[1].audio",
            "messages[1].tool_calls[0].extra_content",
            "messages[1].tool_calls[0].function.parsed",
        ]
    )


def test_every_parameter_survives_the_round_trip() -> None:
    sent = body(
        tools=[
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}}
        ],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        temperature=0.5,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": SCHEMA, "strict": True, "description": "d"},
        },
        max_tokens=9,
        top_p=0.9,
        top_k=5,
        stop="END",
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        n=2,
        logprobs=True,
        top_logprobs=3,
        reasoning_effort="low",
        user="u",
        metadata={"k": "v"},
    )
    conversation = DIALECT.read_request(sent)
    assert conversation.tools == [Tool(name="f", description="d", parameters=SCHEMA, strict=True)]
    assert conversation.tool_choice == ToolChoice("tool", "f")
    assert conversation.output == OutputFormat(schema=SCHEMA, name="n", strict=True, description="d")
    assert conversation.reasoning == ReasoningConfig(effort="low") and conversation.stop == ["END"]
    wire, uncarried = write(conversation)
    expected = {**json.loads(sent), "stop": ["END"], "max_completion_tokens": 9}
    del expected["max_tokens"]
    assert uncarried == [] and wire == expected


# --- writing a request ------------------------------------------------------------------------------------------


def test_the_output_limit_has_the_name_that_the_upstream_knows() -> None:
    conversation = Conversation(messages=[Message("user", [Text("x")])], max_tokens=5)
    wire = json.loads(ChatDialect("max_tokens").write_request(conversation, "m", Uncarried(conversation)))
    assert wire["max_tokens"] == 5 and "max_completion_tokens" not in wire


def test_a_stream_asks_for_its_usage() -> None:
    wire, _ = write(Conversation(messages=[Message("user", [Text("x")])], stream=True))
    assert wire["stream"] is True and wire["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("wanted", "effort"),
    [
        (ReasoningConfig(enabled=False), "none"),
        (ReasoningConfig(), "medium"),
        (ReasoningConfig(effort="high"), "high"),
        (ReasoningConfig(budget_tokens=1024), "low"),
        (ReasoningConfig(budget_tokens=8000), "medium"),
        (ReasoningConfig(budget_tokens=30_000), "high"),
    ],
)
def test_reasoning_becomes_an_effort(wanted: ReasoningConfig, effort: str) -> None:
    wire, _ = write(Conversation(messages=[Message("user", [Text("x")])], reasoning=wanted))
    assert wire["reasoning_effort"] == effort


def test_what_cannot_be_carried_is_named_by_the_callers_own_place() -> None:
    names = {"messages[0].content[1]": "input[3].content[1]"}
    conversation = Conversation(
        names=names,
        messages=[
            Message("user", [Text("x"), Document(url="https://x/d.pdf")]),
            Message("user", [ToolResult(call_id="c", content=[Image(url="u")])]),
        ],
    )
    _, uncarried = write(conversation)
    assert uncarried == ["input[3].content[1]", "messages[1].content[0]"]


def test_a_failed_tool_says_so() -> None:
    result = ToolResult(call_id="c", content=[Text("boom")], is_error=True)
    wire, _ = write(Conversation(messages=[Message("user", [result, Text("Why?")])]))
    assert wire["messages"] == [
        {"role": "tool", "tool_call_id": "c", "content": "Error: boom"},
        {"role": "user", "content": "Why?"},
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "text", "image_url", "url", "file", "function", "id", "name"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(["content", "tool_calls", "reasoning_details", "refusal", "tool_call_id", "name"]),
    st.sampled_from(["user", "assistant", "tool", "system"]),
)
def test_no_message_brings_the_reader_down(value: Any, member: str, role: str) -> None:
    try:
        write(read({"role": role, member: value}))
    except InvalidRequest as exc:
        assert exc.message
