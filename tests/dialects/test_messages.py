"""Messages requests: what policies see, what is patched, and the road to and from a neutral conversation."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from anthropic.types.message_create_params import MessageCreateParams
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

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
from llmops.dialects.dialect import Dialect
from llmops.dialects.messages import MessagesDialect
from llmops.dialects.messages.request_writer import DEFAULT_MAX_TOKENS
from llmops.errors import InvalidRequest
from llmops.types import OutputContract

DIALECT: Dialect = MessagesDialect()
WIRE_REQUEST: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
HELLO: dict[str, Any] = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def body(**changes: Any) -> bytes:
    return json.dumps({**HELLO, **changes}).encode()


def said(*blocks: Any, role: str = "user") -> bytes:
    return body(messages=[{"role": role, "content": list(blocks)}])


def write(conversation: Conversation) -> tuple[dict[str, Any], list[str]]:
    """The written request, validated against the official SDK's types, and what it could not carry."""
    uncarried = Uncarried(conversation)
    wire = json.loads(DIALECT.write_request(conversation, "claude", uncarried))
    WIRE_REQUEST.validate_python(wire)
    return wire, uncarried.parameters


def conversation(*parts: Any, **fields: Any) -> Conversation:
    return Conversation(messages=[Message("user", list(parts) or [Text("Hello")])], **fields)


# --- view and patch ---------------------------------------------------------------------------------------------


def test_view_sees_what_policies_need() -> None:
    seen = DIALECT.view(body(stream=True, system="Be kind", metadata={"user_id": "u1"}))
    assert (seen.model, seen.stream, seen.wants_usage, seen.max_tokens, seen.user) == ("claude", True, True, 9, "u1")
    assert [(message.role, message.content) for message in seen.messages] == [
        ("system", b"Be kind"),
        ("user", b"Hello"),
    ]


@pytest.mark.parametrize(
    "place",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_view_sees_the_output_contract(place: dict[str, Any]) -> None:
    contract = DIALECT.view(body(**place)).output
    assert isinstance(contract, OutputContract) and contract.schema is not None
    assert json.loads(contract.schema) == SCHEMA


@pytest.mark.parametrize("limit", [{"max_tokens": None}, {"max_tokens": -1}, {"max_tokens": "9"}])
def test_an_impossible_output_limit_is_refused_on_both_lanes(limit: dict[str, Any]) -> None:
    for read in (DIALECT.view, DIALECT.read_request):
        with pytest.raises(InvalidRequest, match="max_tokens") as caught:
            read(body(**limit))
        assert caught.value.param == "max_tokens"


def test_a_missing_output_limit_is_named() -> None:
    without = json.dumps({name: value for name, value in HELLO.items() if name != "max_tokens"}).encode()
    for read in (DIALECT.view, DIALECT.read_request):
        with pytest.raises(InvalidRequest, match="max_tokens is required"):
            read(without)


def test_patch_changes_the_model_and_no_other_byte() -> None:
    sent = b'{"new_field": {"a":  1.50}, "model":"x","max_tokens":1,"messages":[ {"role":"user","content":"\\u00e9"} ]}'
    patched = DIALECT.patch(sent, "y", ask_usage=True)
    assert b'{"a":  1.50}' in patched and b'[ {"role":"user","content":"\\u00e9"} ]' in patched
    assert json.loads(patched) == {**json.loads(sent), "model": "y"}


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
    b'{"model":"m","max_tokens":1}',
    b'{"model":5,"max_tokens":1,"messages":[]}',
    body(messages=[]),
    body(messages={}),
    body(messages=[None]),
    body(messages=[[]]),
    body(messages=[{"role": "user"}]),
    body(messages=[{"content": "x"}]),
    body(metadata=[]),
    body(output_config=5),
    body(output_config={"format": 5}),
    body(stream="yes"),
    b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\xff"}]}',
    b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\\ud800x"}]}',
    b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":' + b"[" * 100_000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_an_invalid_request(garbage: bytes) -> None:
    for read in (DIALECT.view, DIALECT.read_request):
        with pytest.raises(InvalidRequest):
            read(garbage)


# --- reading a request ------------------------------------------------------------------------------------------


READ_BLOCKS: list[tuple[str, dict[str, Any], Any]] = [
    ("user", {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, Text("hi")),
    ("user", {"type": "image", "source": {"type": "url", "url": "https://x/i.png"}}, Image(url="https://x/i.png")),
    (
        "user",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}},
        Image(data="QQ==", media_type="image/png"),
    ),
    (
        "user",
        {
            "type": "document",
            "title": "t",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
        },
        Document(data="QQ==", media_type="application/pdf", name="t"),
    ),
    (
        "user",
        {"type": "document", "source": {"type": "url", "url": "https://x/d.pdf"}},
        Document(url="https://x/d.pdf"),
    ),
    ("user", {"type": "document", "source": {"type": "file", "file_id": "f1"}}, Document(file_id="f1")),
    (
        "user",
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        Document(data="w6k=", media_type="text/plain"),
    ),
    ("assistant", {"type": "thinking", "thinking": "hm", "signature": "s"}, Reasoning(text="hm", signature="s")),
    ("assistant", {"type": "redacted_thinking", "data": "zzz"}, Reasoning(encrypted="zzz")),
    (
        "assistant",
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
        ToolCall(id="t", name="f", arguments='{"a": 1}'),
    ),
    ("user", {"type": "tool_result", "tool_use_id": "t"}, ToolResult(call_id="t", content=[])),
    (
        "user",
        {"type": "tool_result", "tool_use_id": "t", "content": "ok", "is_error": True},
        ToolResult(call_id="t", content=[Text("ok")], is_error=True),
    ),
    (
        "user",
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "text", "text": "ok"}, {"type": "image", "source": {"type": "url", "url": "u"}}],
        },
        ToolResult(call_id="t", content=[Text("ok"), Image(url="u")]),
    ),
]


@pytest.mark.parametrize(("role", "block", "part"), READ_BLOCKS)
def test_a_block_becomes_its_part_and_back(role: str, block: dict[str, Any], part: Any) -> None:
    read = DIALECT.read_request(said(block, role=role))
    assert read.messages[0].parts == [part] and read.leftover == {}
    written, uncarried = write(read)
    again = DIALECT.read_request(json.dumps(written).encode())
    assert again.messages == read.messages and uncarried == []


def test_thinking_without_a_proof_is_unsigned_reasoning() -> None:
    read = DIALECT.read_request(said({"type": "thinking", "thinking": "hm", "signature": ""}, role="assistant"))
    assert read.messages[0].parts == [Reasoning(text="hm")]


BAD_BLOCKS: list[tuple[str, Any, str]] = [
    ("user", {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}}, "messages[0].content[0].type"),
    ("user", {"type": "search_result"}, "messages[0].content[0].type"),
    ("user", {"type": None}, "messages[0].content[0].type"),
    ("user", {"text": "x"}, "messages[0].content[0]"),
    ("user", {"type": "text"}, "messages[0].content[0]"),
    ("user", {"type": "text", "text": 5}, "messages[0].content[0].text"),
    ("user", None, "messages[0].content[0]"),
    ("user", [], "messages[0].content[0]"),
    ("user", "x", "messages[0].content[0]"),
    ("user", {"type": "image", "source": {"type": "file", "file_id": "f"}}, "messages[0].content[0].source.type"),
    ("user", {"type": "image", "source": None}, "messages[0].content[0].source"),
    ("user", {"type": "document", "source": {"type": "base64"}}, "messages[0].content[0].source"),
    ("user", {"type": "tool_result"}, "messages[0].content[0]"),
    ("user", {"type": "tool_result", "tool_use_id": "t", "content": 5}, "messages[0].content[0].content"),
    (
        "user",
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_use"}]},
        "messages[0].content[0].content[0].type",
    ),
    ("user", {"type": "tool_use", "id": "t", "name": "f", "input": {}}, "messages[0].content[0]"),
    ("assistant", {"type": "tool_result", "tool_use_id": "t"}, "messages[0].content[0]"),
    ("assistant", {"type": "tool_use", "id": "t", "name": "f", "input": "{}"}, "messages[0].content[0].input"),
    ("assistant", {"type": "tool_use", "id": "t", "name": "f", "input": None}, "messages[0].content[0].input"),
    ("assistant", {"type": "thinking"}, "messages[0].content[0]"),
]


@pytest.mark.parametrize(("role", "block", "place"), BAD_BLOCKS)
def test_a_block_that_cannot_be_read_is_named(role: str, block: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(said(block, role=role))
    assert caught.value.param == place


def test_parameters_are_read() -> None:
    read = DIALECT.read_request(
        body(
            system=[
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "b"},
            ],
            temperature=0.5,
            top_p=0.9,
            top_k=5,
            stop_sequences=["END"],
            stream=True,
            metadata={"user_id": "u"},
            tools=[{"type": "custom", "name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}],
            tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            cache_control={"type": "x"},
            thinking={"type": "enabled", "budget_tokens": 2000},
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        )
    )
    assert read == Conversation(
        system=[Text("a"), Text("b")],
        messages=[Message("user", [Text("Hello")])],
        max_tokens=9,
        tools=[Tool(name="f", description="d", parameters=SCHEMA, strict=True)],
        tool_choice=ToolChoice("tool", "f"),
        parallel_tool_calls=False,
        output=OutputFormat(schema=SCHEMA),
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop=["END"],
        reasoning=ReasoningConfig(effort="low", budget_tokens=2000),
        user="u",
        stream=True,
        leftover={},
        names=read.names,
    )
    written, uncarried = write(read)
    again = DIALECT.read_request(json.dumps(written).encode())
    assert again == read and uncarried == []


def test_a_system_message_joins_the_system_prompt() -> None:
    read = DIALECT.read_request(
        body(system="a", messages=[{"role": "user", "content": "x"}, {"role": "system", "content": "b"}])
    )
    assert read.system == [Text("a"), Text("b")] and len(read.messages) == 1


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "adaptive"}}, ReasoningConfig()),
        ({"thinking": {"type": "disabled"}}, ReasoningConfig(enabled=False)),
        ({"output_config": {"effort": "max"}}, ReasoningConfig(effort="max")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, ReasoningConfig(effort="high")),
    ],
)
def test_thinking_and_effort_become_reasoning(fields: dict[str, Any], reasoning: ReasoningConfig | None) -> None:
    read = DIALECT.read_request(body(**fields))
    assert read.reasoning == reasoning and read.leftover == {}


@pytest.mark.parametrize(("choice", "mode"), [("auto", "auto"), ("any", "required"), ("none", "none")])
def test_tool_choices_have_a_neutral_mode(choice: str, mode: Any) -> None:
    read = DIALECT.read_request(body(tool_choice={"type": choice}))
    assert read.tool_choice == ToolChoice(mode) and read.parallel_tool_calls is None


def test_what_has_no_neutral_meaning_is_left_over_by_its_path() -> None:
    read = DIALECT.read_request(
        body(
            service_tier="auto",
            inference_geo=None,
            metadata={"user_id": "u", "x": 1},
            output_config={"later": True},
            thinking={"type": "disabled", "display": "omitted"},
            tool_choice={"type": "auto", "y": 2},
            tools=[{"name": "f", "input_schema": {}, "input_examples": [{}]}],
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "x", "citations": [{}]},
                        {"type": "document", "source": {"type": "url", "url": "u"}, "citations": {"enabled": True}},
                    ],
                }
            ],
        )
    )
    assert set(read.leftover) == {
        "service_tier",
        "metadata.x",
        "output_config.later",
        "thinking.display",
        "tool_choice.y",
        "tools[0].input_examples",
        "messages[0].content[0].citations",
        "messages[0].content[1].citations",
    }
    disabled = body(thinking={"type": "disabled"}, output_config={"effort": "low"})
    assert DIALECT.read_request(disabled).leftover == {"output_config.effort": "low"}


def test_errors_name_what_the_caller_wrote() -> None:
    uncarried = Uncarried(DIALECT.read_request(body(stop_sequences=["x"], output_config={"effort": "low"})))
    for name in ("stop", "output", "reasoning", "user"):
        uncarried.add(name)
    assert uncarried.parameters == [
        "stop_sequences",
        "output_config.format",
        "output_config.effort",
        "metadata.user_id",
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"output_format": {"type": "json_object"}}, "output_format"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
        ({"system": 5}, "system"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"stop_sequences": "END"}, "stop_sequences"),
    ],
)
def test_parameters_that_cannot_be_read_are_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(body(**fields))
    assert caught.value.param == param


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "source", "input", "id", "content", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "system",
                "messages",
                "tools",
                "tool_choice",
                "thinking",
                "output_config",
                "metadata",
                "stop_sequences",
                "temperature",
                "max_tokens",
                "x",
            ]
        ),
        JSON,
    )
)
def test_any_json_is_read_or_refused(fields: dict[str, Any]) -> None:
    for read in (DIALECT.view, DIALECT.read_request):
        try:
            read(body(**fields))
        except InvalidRequest:
            pass


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["text", "image", "document", "tool_use", "thinking", "tool_result", "redacted_thinking"]
                )
            },
            optional={
                name: JSON for name in ("text", "source", "input", "id", "name", "content", "tool_use_id", "data")
            },
        )
    )
)
def test_any_block_is_read_or_refused(blocks: list[Any]) -> None:
    for role in ("user", "assistant"):
        try:
            DIALECT.read_request(said(*blocks, role=role))
        except InvalidRequest:
            pass


# --- writing a request ------------------------------------------------------------------------------------------


def test_a_missing_limit_gets_the_default_on_top_of_a_thinking_budget() -> None:
    assert write(conversation())[0]["max_tokens"] == DEFAULT_MAX_TOKENS
    assert write(conversation(reasoning=ReasoningConfig(budget_tokens=9000)))[0]["max_tokens"] == 9000 + 4096
    assert write(conversation(max_tokens=5))[0]["max_tokens"] == 5


def test_turns_are_merged_and_tool_results_come_first() -> None:
    wire, uncarried = write(
        Conversation(
            messages=[
                Message("user", [Text("a")]),
                Message("user", [Text("b")]),
                Message("assistant", [ToolCall(id="t1", name="f", arguments='{"x": 1.0}')]),
                Message("assistant", [ToolCall(id="t2", name="g", arguments="")]),
                Message("user", [Text("c")]),
                Message("assistant", [Text("")]),
                Message("user", [ToolResult(call_id="t1", content=[Text("1")]), ToolResult(call_id="t2", content=[])]),
            ]
        )
    )
    assert [message["role"] for message in wire["messages"]] == ["user", "assistant", "user"]
    assert [block["input"] for block in wire["messages"][1]["content"]] == [{"x": 1.0}, {}]
    assert [block["type"] for block in wire["messages"][2]["content"]] == ["text", "tool_result", "tool_result"]
    assert uncarried == []
    one_turn, _ = write(conversation(Text("c"), ToolResult(call_id="t", content=[Text("1")])))
    assert [block["type"] for block in one_turn["messages"][0]["content"]] == ["tool_result", "text"]


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (Audio(data="QQ==", format="wav"), "messages[0].content[1]"),
        (Image(url="u", detail="high"), "messages[0].content[1].detail"),
        (Image(), "messages[0].content[1]"),
        (Document(), "messages[0].content[1]"),
        (Reasoning(text="hm"), "messages[0].content[1]"),
        (ToolCall(id="t", name="f", arguments="{}"), "messages[0].content[1]"),
    ],
)
def test_parts_that_cannot_be_carried_are_named(part: Any, place: str) -> None:
    assert write(conversation(Text("x"), part))[1] == [place]


def test_unsigned_reasoning_is_named_and_a_refusal_is_text() -> None:
    wire, uncarried = write(
        Conversation(
            messages=[Message("user", [Text("x")]), Message("assistant", [Reasoning(text="hm"), Refusal("no")])]
        )
    )
    assert wire["messages"][1]["content"] == [{"type": "text", "text": "no"}]
    assert uncarried == ["messages[1].content[0]"]


@pytest.mark.parametrize("arguments", ["{", "[]", "5", "null", '{"a": NaN}', '{"a":1} x', "\ud800"])
def test_tool_arguments_must_be_an_object(arguments: str) -> None:
    turn = Message("assistant", [ToolCall(id="t", name="f", arguments=arguments)])
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.write_request(Conversation(messages=[turn]), "m", Uncarried(Conversation()))
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("fields", "uncarried"),
    [
        ({"seed": 1}, ["seed"]),
        ({"n": 2}, ["n"]),
        ({"n": 1, "presence_penalty": 0, "logprobs": False, "parallel_tool_calls": True}, []),
        ({"presence_penalty": 1.0, "frequency_penalty": 0.5}, ["presence_penalty", "frequency_penalty"]),
        ({"logprobs": True, "top_logprobs": 2}, ["logprobs", "top_logprobs"]),
        ({"metadata": {"a": "b"}}, ["metadata"]),
        ({"output": OutputFormat()}, ["output"]),
        ({"output": OutputFormat(), "names": {"output": "response_format"}}, ["response_format"]),
        ({"output": OutputFormat(schema=SCHEMA)}, []),
        ({"reasoning": ReasoningConfig(effort="extreme")}, ["reasoning"]),
        ({"leftover": {"store": True}}, ["store"]),
    ],
)
def test_parameters_that_cannot_be_carried_are_named(fields: dict[str, Any], uncarried: list[str]) -> None:
    assert write(conversation(**fields))[1] == uncarried


@pytest.mark.parametrize("temperature", [1.01, 2, -0.1])
def test_a_temperature_beyond_the_range_is_refused(temperature: float) -> None:
    with pytest.raises(InvalidRequest, match="0 to 1") as caught:
        write(conversation(temperature=temperature))
    assert caught.value.param == "temperature"


@pytest.mark.parametrize(
    ("reasoning", "wire"),
    [
        (ReasoningConfig(enabled=False), {"thinking": {"type": "disabled"}}),
        (ReasoningConfig(), {"thinking": {"type": "adaptive"}}),
        (ReasoningConfig(effort="minimal"), {"output_config": {"effort": "low"}}),
        (
            ReasoningConfig(effort="high", summary="auto"),
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        (ReasoningConfig(budget_tokens=2000), {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    ],
)
def test_reasoning_is_written_as_thinking_and_effort(reasoning: ReasoningConfig, wire: dict[str, Any]) -> None:
    written, _ = write(conversation(reasoning=reasoning))
    assert {name: written[name] for name in ("thinking", "output_config") if name in written} == wire


@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        ({}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"tool_choice": ToolChoice("required")}, {"type": "any"}),
        ({"tool_choice": ToolChoice("none"), "parallel_tool_calls": False}, {"type": "none"}),
        (
            {"tool_choice": ToolChoice("tool", "f"), "parallel_tool_calls": False},
            {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        ),
        ({"tools": [], "tool_choice": ToolChoice("auto"), "parallel_tool_calls": False}, None),
    ],
)
def test_tool_choice_is_written(fields: dict[str, Any], wire: Any) -> None:
    written, uncarried = write(conversation(**{"tools": [Tool(name="f")], **fields}))
    assert written.get("tool_choice") == wire and uncarried == []


def test_system_is_a_string_or_a_list() -> None:
    assert write(conversation(system=[Text("a")]))[0]["system"] == "a"
    assert write(conversation(system=[Text("a"), Text(""), Text("b")]))[0]["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    with pytest.raises(InvalidRequest, match="at least one user message"):
        write(Conversation(system=[Text("a")]))


PARTS = st.lists(
    st.text(max_size=4).map(Text)
    | st.builds(Image, url=st.just("u"))
    | st.builds(ToolResult, call_id=st.just("t"), content=st.lists(st.builds(Text, st.text(max_size=3))))
)


@given(
    st.lists(
        PARTS.map(lambda parts: Message("user", parts))
        | st.lists(st.text(max_size=4).map(Text)).map(lambda parts: Message("assistant", list(parts)))
    )
)
def test_written_roles_alternate_and_no_text_is_lost(messages: list[Message]) -> None:
    try:
        wire = json.loads(DIALECT.write_request(Conversation(messages=messages), "m", Uncarried(Conversation())))
    except InvalidRequest:
        assert all(part == Text("") for message in messages for part in message.parts)
        return
    WIRE_REQUEST.validate_python(wire)
    roles = [message["role"] for message in wire["messages"]]
    assert all(first != second for first, second in pairwise(roles))
    texts = [part.text for message in messages for part in message.parts if isinstance(part, Text) and part.text]
    assert [
        block["text"] for message in wire["messages"] for block in message["content"] if block["type"] == "text"
    ] == texts


def test_the_written_request_reads_back() -> None:
    first = msgspec.json.encode(HELLO)
    assert json.loads(DIALECT.write_request(DIALECT.read_request(first), "claude", Uncarried(Conversation()))) == {
        **HELLO,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }
