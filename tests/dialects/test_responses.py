"""The Responses dialect: fast lane, translation both ways, streams in pieces, hostile bytes. Shapes are judged by the
official SDK's own types."""

import json
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llmops.dialects.conversation import (
    Answer,
    Audio,
    Choice,
    Conversation,
    Document,
    Finished,
    Image,
    Message,
    OutputFormat,
    Reasoning,
    ReasoningConfig,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Uncarried,
    UsageReported,
)
from llmops.dialects.dialect import Dialect
from llmops.dialects.responses import ResponsesDialect
from llmops.dialects.sse import Event, EventParser
from llmops.errors import InvalidRequest, LLMOpsError, UpstreamBroken, UpstreamTimeout, UpstreamUnavailable
from llmops.types import Call, Outcome, RequestView, Usage

DIALECT: Dialect = ResponsesDialect()
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(prompt=10, completion=7, cached=3, cache_write=2, reasoning=4)
PNG = "data:image/png;base64,AAAA"


def encode(**members: Any) -> bytes:
    return json.dumps(members).encode()


def request(**members: Any) -> bytes:
    return encode(**{"model": "m", "input": "hi", **members})


def make_call(*, keep_text: bool = False) -> Call:
    return Call(
        operation="responses",
        body=b"{}",
        view=RequestView(model="public"),
        request_id="req_1",
        trace_id="t",
        span_id="s",
        started_at_s=1700000000.5,
        started_s=0.0,
        keep_text=keep_text,
    )


def answer(*parts: Any, finish: Any = "stop", usage: Usage = USAGE, logprobs: Any = None) -> Answer:
    choice = Choice(parts=list(parts), finish_reason=finish, logprobs=logprobs)
    return Answer(id="resp_9", model="gpt", created_s=1700000000, choices=[choice], usage=usage)


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The stream's events, each valid by the SDK's types, numbered without gaps and named like its type."""
    found = []
    for number, event in enumerate(EventParser().feed(stream)):
        wire = json.loads(event.data)
        EVENT.validate_python(wire)
        assert wire["sequence_number"] == number
        assert event.name.decode() == wire["type"]
        found.append(wire)
    return found


# --- view and patch ---------------------------------------------------------------------------------------------


def test_view_sees_what_prompts_have_in_common() -> None:
    assert DIALECT.view(request(input="x", prompt_cache_key="k")).cache_key == "k"


def test_view_shows_instructions_then_every_input_item() -> None:
    items = [
        {"role": "user", "content": "héllo"},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"},
        {"type": "item_reference", "id": "x"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
    ]
    view = DIALECT.view(
        request(input=items, instructions="be kind", stream=True, max_output_tokens=9, safety_identifier="u")
    )
    assert [message.role for message in view.messages] == [
        "system",
        "user",
        "function_call",
        "function_call_output",
        "item_reference",
        "user",
    ]
    assert [message.content for message in view.messages[:4]] == [b"be kind", "héllo".encode(), b"{}", b"done"]
    assert view.messages[1].length == 5
    assert (view.model, view.stream, view.wants_usage, view.max_tokens, view.user) == ("m", True, True, 9, "u")


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ({"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}, b'{"type": "object"}'),
        ({"format": {"type": "json_schema", "schema": None}}, None),
        ({"format": {"type": "json_object"}}, None),
    ],
)
def test_view_takes_the_output_contract_from_the_text_format(text: Any, schema: bytes | None) -> None:
    contract = DIALECT.view(request(text=text)).output
    assert contract is not None and contract.schema == schema


def test_view_of_plain_text_has_no_output_contract() -> None:
    assert DIALECT.view(request(text={"format": {"type": "text"}, "verbosity": "low"})).output is None
    assert DIALECT.view(request(text=None)).output is None


@pytest.mark.parametrize("state", [{"previous_response_id": "r"}, {"prompt": {"id": "p"}}, {"conversation": "c"}])
def test_view_needs_no_input_where_the_provider_holds_state(state: dict[str, Any]) -> None:
    assert DIALECT.view(encode(model="m", **state)).messages == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nope",
        b"\xff",
        encode(input="x"),
        encode(model="m"),
        encode(model="m", input=""),
        encode(model="m", input=[]),
        encode(model="m", input=None, prompt=None),
        encode(model=1, input="x"),
        request(input=5),
        request(input={"a": 1}),
        request(input=[1]),
        request(input=[None]),
        request(input=[{"role": 1}]),
        request(stream="yes"),
        request(text=[]),
        request(text={"format": "json"}),
        request(instructions=[1]),
        request(max_output_tokens="many"),
        b'{"model":"m","input":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"m","input":' + b"[" * 100000,
    ],
)
def test_view_refuses_malformed_requests(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.view(body)


def test_view_names_the_place_inside_an_item() -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.view(request(input=[{"role": "user", "content": "x"}, {"role": 7}]))
    assert caught.value.param == "input[1].role"


def test_patch_changes_the_model_alone() -> None:
    body = b'{"model": "a", "input": [ 1.50 ], "new_thing": {"x":  1}, "stream": true}'
    patched = DIALECT.patch(body, "b", ask_usage=True)
    assert json.loads(patched) == {**json.loads(body), "model": "b"}
    assert b"[ 1.50 ]" in patched and b'{"x":  1}' in patched


# --- reading requests -------------------------------------------------------------------------------------------


def test_reads_every_item_and_merges_an_assistants_pieces() -> None:
    conversation = DIALECT.read_request(
        request(
            instructions="rule 1",
            input=[
                {"role": "developer", "content": "rule 2"},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "look"},
                        {"type": "input_image", "image_url": PNG, "detail": "low"},
                        {"type": "input_image", "image_url": "https://x/y.png"},
                        {"type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"},
                        {"type": "input_file", "file_id": "file_1"},
                        {"type": "input_file", "file_url": "https://x/z.pdf"},
                        {"type": "input_audio", "input_audio": {"data": "CC", "format": "wav"}},
                    ],
                },
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                    "encrypted_content": "secret",
                    "status": None,
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "id": "msg_1",
                    "status": "completed",
                    "content": [
                        {"type": "output_text", "text": "calling", "annotations": [], "logprobs": []},
                        {"type": "refusal", "refusal": "not that"},
                    ],
                },
                {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "f", "arguments": '{"a":1}'},
                {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
                {"type": "function_call_output", "call_id": "c1", "output": "one"},
                {
                    "type": "function_call_output",
                    "call_id": "c2",
                    "output": [{"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": PNG}],
                },
                {"role": "user", "content": "go on"},
            ],
        )
    )
    assert conversation.leftover == {}
    assert conversation.system == [Text("rule 1"), Text("rule 2")]
    image = Image(data="AAAA", media_type="image/png")
    assert conversation.messages == [
        Message(
            "user",
            [
                Text("look"),
                Image(data="AAAA", media_type="image/png", detail="low"),
                Image(url="https://x/y.png"),
                Document(data="BBBB", media_type="application/pdf", name="a.pdf"),
                Document(file_id="file_1"),
                Document(url="https://x/z.pdf"),
                Audio(data="CC", format="wav"),
            ],
        ),
        Message(
            "assistant",
            [
                Reasoning(text="a\n\nb", encrypted="secret"),
                Text("calling"),
                Refusal("not that"),
                ToolCall(id="c1", name="f", arguments='{"a":1}'),
                ToolCall(id="c2", name="g", arguments=""),
            ],
        ),
        Message(
            "user",
            [ToolResult(call_id="c1", content=[Text("one")]), ToolResult(call_id="c2", content=[Text("two"), image])],
        ),
        Message("user", [Text("go on")]),
    ]


def test_what_a_target_cannot_carry_is_named_the_way_the_caller_wrote_it() -> None:
    conversation = DIALECT.read_request(
        request(
            input=[
                {"role": "user", "content": "x"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "y"},
            ],
            max_output_tokens=5,
        )
    )
    uncarried = Uncarried(conversation)
    for name in ("messages[1].content[0]", "messages[2].content[0]", "max_tokens", "output"):
        uncarried.add(name)
    assert uncarried.parameters == ["input[1]", "input[2]", "max_output_tokens", "text.format"]


def test_reads_parameters() -> None:
    schema = {"type": "object"}
    conversation = DIALECT.read_request(
        request(
            tools=[{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True}],
            tool_choice={"type": "function", "name": "f"},
            parallel_tool_calls=False,
            temperature=1,
            top_p=0.5,
            max_output_tokens=20,
            top_logprobs=2,
            include=["message.output_text.logprobs", "reasoning.encrypted_content"],
            text={
                "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True},
                "verbosity": "medium",
            },
            reasoning={"effort": "high", "summary": "auto"},
            user="u",
            metadata={"k": "v"},
            stream=True,
            store=True,
            truncation="disabled",
            service_tier="auto",
            background=False,
            previous_response_id=None,
            stream_options={"include_obfuscation": False},
        )
    )
    assert conversation.leftover == {}
    assert conversation.tools == [Tool(name="f", description="d", parameters=schema, strict=True)]
    assert conversation.tool_choice == ToolChoice("tool", "f")
    assert conversation.output == OutputFormat(schema=schema, name="n", strict=True)
    assert conversation.reasoning == ReasoningConfig(effort="high", summary="auto")
    assert (conversation.max_tokens, conversation.logprobs, conversation.top_logprobs) == (20, True, 2)
    assert (conversation.user, conversation.metadata, conversation.stream) == ("u", {"k": "v"}, True)
    assert conversation.parallel_tool_calls is False


@pytest.mark.parametrize(
    ("member", "path"),
    [
        ({"previous_response_id": "r"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"max_tool_calls": 0}, "max_tool_calls"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context"),
        ({"brand_new": 1}, "brand_new"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"prompt_cache_key": "k"}, "prompt_cache_key"),
        ({"user": "a", "safety_identifier": "b"}, "safety_identifier"),
        ({"tools": [{"type": "function", "name": "f", "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"input": [{"role": "assistant", "content": "x", "phase": "commentary"}]}, "input[0].phase"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x", "cache": 1}]}]},
            "input[0].content[0].cache",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f", "detail": "high"}]}]},
            "input[0].content[0].detail",
        ),
    ],
)
def test_what_has_no_neutral_meaning_is_left_over_and_never_dropped(member: dict[str, Any], path: str) -> None:
    conversation = DIALECT.read_request(request(**member))
    assert list(conversation.leftover) == [path]
    assert Uncarried(conversation).parameters == [path]


def part_of(**part: Any) -> bytes:
    return request(input=[{"role": "user", "content": [part]}])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (request(input=[{"type": "web_search_call", "id": "x"}]), "input[0].type"),
        (request(input=[{"type": "item_reference", "id": "x"}]), "input[0].type"),
        (request(input=[{"type": ["message"]}]), "input[0].type"),
        (request(input=[{"role": "robot", "content": "x"}]), "input[0].role"),
        (request(input=[{"content": "x"}]), "input[0]"),
        (request(input=[{"role": "user", "content": 5}]), "input[0].content"),
        (request(input=["x"]), "input[0]"),
        (
            request(input=[{"role": "system", "content": [{"type": "input_image", "image_url": PNG}]}]),
            "input[0].content[0]",
        ),
        (
            request(input=[{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]),
            "input[0].arguments",
        ),
        (request(input=[{"type": "function_call", "name": "f", "arguments": ""}]), "input[0]"),
        (request(input=[{"type": "function_call_output", "output": "x"}]), "input[0]"),
        (request(input=[{"type": "function_call_output", "call_id": "c", "output": None}]), "input[0].output"),
        (
            request(
                input=[
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "refusal", "refusal": "x"}]}
                ]
            ),
            "input[0].output[0]",
        ),
        (request(input=[{"type": "reasoning", "summary": "x"}]), "input[0].summary"),
        (request(input=[{"type": "reasoning", "summary": [{"text": None}]}]), "input[0].summary[0].text"),
        (part_of(type="video"), "input[0].content[0].type"),
        (part_of(text="x"), "input[0].content[0]"),
        (part_of(type="input_text"), "input[0].content[0]"),
        (part_of(type=None), "input[0].content[0].type"),
        (part_of(type="input_text", text=None), "input[0].content[0].text"),
        (part_of(type="input_image"), "input[0].content[0]"),
        (part_of(type="input_image", image_url={"url": "x"}), "input[0].content[0].image_url"),
        (part_of(type="input_image", image_url="data:nothing"), "input[0].content[0].image_url"),
        (part_of(type="input_file"), "input[0].content[0]"),
        (part_of(type="input_file", file_data="AAAA"), "input[0].content[0].file_data"),
        (part_of(type="input_audio", input_audio="x"), "input[0].content[0].input_audio"),
        (request(tools=[{"type": "web_search"}]), "tools[0]"),
        (request(tools=[{"type": "function"}]), "tools[0]"),
        (request(tools=[{"type": "function", "name": "f", "parameters": []}]), "tools[0].parameters"),
        (request(tools="x"), "tools"),
        (request(tool_choice="maybe"), "tool_choice"),
        (request(tool_choice={"type": "function", "name": 5}), "tool_choice"),
        (request(tool_choice={"type": "file_search"}), "tool_choice"),
        (request(text={"format": "x"}), "text.format"),
        (request(text={"format": {"type": "grammar"}}), "text.format"),
        (request(text={"format": {"type": "json_schema"}}), "text.format"),
        (request(text={"format": {"type": "json_schema", "schema": []}}), "text.format.schema"),
        (request(text="x"), "text"),
        (request(reasoning="high"), "reasoning"),
        (request(reasoning={"effort": 3}), "reasoning.effort"),
        (request(include="x"), "include"),
        (request(include=[1]), "include[0]"),
        (request(metadata=[]), "metadata"),
        (request(stream_options=1), "stream_options"),
        (request(temperature="hot"), "temperature"),
    ],
)
def test_reading_refuses_what_it_cannot_understand_and_names_the_place(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(body)
    assert caught.value.param == param


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "id", "name", "item", "delta", "error"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
REQUEST_NAMES = [
    "input",
    "tools",
    "tool_choice",
    "text",
    "reasoning",
    "include",
    "metadata",
    "stream_options",
    "user",
    "instructions",
    "model",
]
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning", "x"]) | JSON,
        "role": st.sampled_from(["user", "assistant", "system"]) | JSON,
        "content": JSON,
        "summary": JSON,
        "output": JSON,
        "call_id": st.text() | JSON,
        "name": st.text() | JSON,
        "arguments": st.text() | JSON,
        "encrypted_content": JSON,
    },
)


@given(st.dictionaries(st.sampled_from(REQUEST_NAMES), JSON, max_size=4), st.lists(ITEM, max_size=3) | JSON)
def test_hostile_requests_are_refused_or_understood_never_a_crash(members: dict[str, Any], items: Any) -> None:
    body = request(**{"input": items, **members})
    try:
        DIALECT.view(body)
    except InvalidRequest:
        pass
    try:
        conversation = DIALECT.read_request(body)
    except InvalidRequest:
        return
    DIALECT.write_request(conversation, "m", Uncarried(conversation))


# --- writing requests -------------------------------------------------------------------------------------------


def test_writes_a_stateless_request() -> None:
    conversation = Conversation(
        system=[Text("a"), Text("b")],
        messages=[Message("user", [Text("x")])],
        max_tokens=5,
        tools=[Tool(name="f")],
        reasoning=ReasoningConfig(budget_tokens=4000),
        stream=True,
        logprobs=True,
        output=OutputFormat(),
    )
    wire = json.loads(DIALECT.write_request(conversation, "up", Uncarried(conversation)))
    assert wire == {
        "model": "up",
        "store": False,
        "stream": True,
        "instructions": "a\n\nb",
        "max_output_tokens": 5,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}],
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
        ],
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "medium"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    }


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        (ReasoningConfig(enabled=False), {"effort": "none"}),
        (ReasoningConfig(effort="xhigh"), {"effort": "xhigh"}),
        (ReasoningConfig(budget_tokens=1024), {"effort": "low"}),
        (ReasoningConfig(), {"effort": "medium"}),
        (ReasoningConfig(budget_tokens=9000), {"effort": "high"}),
        (ReasoningConfig(summary="auto"), {"summary": "auto"}),
    ],
)
def test_writes_the_reasoning_effort(wanted: ReasoningConfig, written: dict[str, Any]) -> None:
    conversation = Conversation(reasoning=wanted)
    assert json.loads(DIALECT.write_request(conversation, "m", Uncarried(conversation)))["reasoning"] == written


def test_names_what_responses_cannot_carry() -> None:
    conversation = Conversation(
        stop=["x"],
        seed=1,
        presence_penalty=0.5,
        frequency_penalty=0.5,
        n=2,
        top_k=3,
        names={"stop": "stop_sequences"},
        messages=[Message("user", [Image(), Document()]), Message("assistant", [Image(url="u"), Reasoning()])],
    )
    uncarried = Uncarried(conversation)
    DIALECT.write_request(conversation, "m", uncarried)
    assert set(uncarried.parameters) == {
        "stop_sequences",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "top_k",
        "messages[0].content[0]",
        "messages[0].content[1]",
        "messages[1].content[0]",
        "messages[1].content[1]",
    }
    harmless = Conversation(n=1, presence_penalty=0, frequency_penalty=0)
    uncarried = Uncarried(harmless)
    DIALECT.write_request(harmless, "m", uncarried)
    assert uncarried.parameters == []


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ([], "Error:"),
        ([Text("no file")], "Error: no file"),
        ([Text("a"), Text("b")], [{"type": "input_text", "text": "Error: a"}, {"type": "input_text", "text": "b"}]),
        (
            [Image(url="u")],
            [{"type": "input_text", "text": "Error:"}, {"type": "input_image", "image_url": "u", "detail": "auto"}],
        ),
    ],
)
def test_a_failed_tools_result_says_so(content: list[Any], output: Any) -> None:
    result = ToolResult(call_id="c", content=content, is_error=True)
    conversation = Conversation(messages=[Message("user", [result])])
    wire = json.loads(DIALECT.write_request(conversation, "m", Uncarried(conversation)))
    assert wire["input"] == [{"type": "function_call_output", "call_id": "c", "output": output}]


WORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
USER_PART = st.one_of(
    st.builds(Text, WORD),
    st.builds(Image, url=st.just("https://x/y"), detail=st.sampled_from(["low", "auto"])),
    st.builds(Image, data=st.just("QUFB"), media_type=st.just("image/png"), detail=st.just("high")),
    st.builds(Audio, data=st.just("QUFB"), format=st.just("mp3")),
    st.builds(Document, file_id=WORD),
    st.builds(Document, data=st.just("QUFB"), media_type=st.just("application/pdf"), name=WORD),
)
RESULT_PART = USER_PART.filter(lambda part: not isinstance(part, Audio))
ASSISTANT_PART = st.one_of(
    st.builds(Text, WORD),
    st.builds(Refusal, WORD),
    st.builds(Reasoning, text=WORD, encrypted=st.none() | WORD),
    st.builds(ToolCall, id=WORD, name=WORD, arguments=st.text(max_size=5)),
)
MESSAGE = st.one_of(
    st.builds(Message, st.just("user"), st.lists(USER_PART, min_size=1, max_size=3)),
    st.builds(
        Message,
        st.just("user"),
        st.lists(
            st.builds(ToolResult, call_id=WORD, content=st.lists(RESULT_PART, max_size=2)), min_size=1, max_size=2
        ),
    ),
    st.builds(Message, st.just("assistant"), st.lists(ASSISTANT_PART, min_size=1, max_size=4)),
)
CONVERSATION = st.builds(
    Conversation,
    system=st.lists(st.builds(Text, WORD), max_size=1),
    messages=st.lists(MESSAGE, max_size=5),
    tools=st.lists(
        st.builds(
            Tool, name=WORD, description=st.none() | WORD, parameters=st.just({"type": "object"}), strict=st.booleans()
        ),
        max_size=2,
    ),
    tool_choice=st.none() | st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"])),
    output=st.none() | st.builds(OutputFormat, schema=st.none() | st.just({"type": "object"})),
    max_tokens=st.none() | st.integers(1, 99),
    temperature=st.none() | st.floats(0, 2),
    stream=st.booleans(),
    reasoning=st.none() | st.builds(ReasoningConfig, effort=WORD.filter(lambda word: word != "none")),
    metadata=st.none() | st.dictionaries(WORD, WORD, max_size=2),
    user=st.none() | WORD,
)


@given(CONVERSATION)
def test_a_conversation_survives_the_round_trip(conversation: Conversation) -> None:
    uncarried = Uncarried(conversation)
    again = DIALECT.read_request(DIALECT.write_request(conversation, "m", uncarried))
    assert uncarried.parameters == [] and again.leftover == {}
    again.names = {}
    merged: list[Message] = []
    for message in conversation.messages:  # neighbours that one turn is made of come back as one
        result = isinstance(message.parts[0], ToolResult)
        if (
            merged
            and merged[-1].role == message.role
            and (message.role == "assistant" or (result and isinstance(merged[-1].parts[-1], ToolResult)))
        ):
            merged[-1] = Message(message.role, merged[-1].parts + message.parts)
        else:
            merged.append(message)
    assert again == msgspec.structs.replace(conversation, messages=merged)


# --- replies ----------------------------------------------------------------------------------------------------

PARTS: list[Any] = [
    Reasoning(text="hm", encrypted="e"),
    Text("a"),
    Refusal("no"),
    ToolCall(id="c1", name="f", arguments="{}"),
    Reasoning(text="so", signature="sig"),
    Text("b"),
    ToolCall(id="c2", name="g", arguments=""),
]


def test_a_written_reply_is_a_valid_response_and_reads_back() -> None:
    written = DIALECT.write_reply(answer(*PARTS, finish="tool_calls"))
    response = Response.model_validate_json(written)
    assert response.output_text == "ab"
    assert [item.id for item in response.output] == [
        "rs_resp_9",
        "msg_resp_9",
        "fc_c1",
        "rs_resp_9_1",
        "msg_resp_9_1",
        "fc_c2",
    ]
    assert response.usage is not None and response.usage.total_tokens == 17
    assert DIALECT.read_reply(written) == answer(*PARTS, finish="tool_calls")


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_finish_reasons_both_ways(finish: Any, status: str, reason: str | None) -> None:
    written = DIALECT.write_reply(answer(Text("x"), finish=finish))
    response = Response.model_validate_json(written)
    assert response.status == status
    assert (response.incomplete_details.reason if response.incomplete_details else None) == reason
    assert json.loads(written)["output"][0]["status"] == status
    assert DIALECT.read_reply(written).choices[0].finish_reason == finish


def test_a_model_that_failed_is_a_failed_response() -> None:
    written = DIALECT.write_reply(answer(Text("x"), finish="error"))
    assert Response.model_validate_json(written).status == "failed"
    with pytest.raises(UpstreamUnavailable, match="stopped because of an error"):
        DIALECT.read_reply(written)


def test_an_answer_without_choices_or_usage_is_still_a_response() -> None:
    bare = Answer(id="i", model="m", created_s=0, choices=[], usage=Usage(source="none"))
    response = Response.model_validate_json(DIALECT.write_reply(bare))
    assert response.output == [] and response.usage is None


def test_logprobs_travel_both_ways() -> None:
    tops = [{"token": "a", "logprob": -0.1, "bytes": [97]}]
    logprobs = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": tops}], "refusal": None}
    written = DIALECT.write_reply(answer(Text("a"), logprobs=logprobs))
    Response.model_validate_json(written)
    assert DIALECT.read_reply(written).choices[0].logprobs == logprobs
    bare = {"content": [{"token": "é", "logprob": -1}]}
    assert json.loads(DIALECT.write_reply(answer(Text("é"), logprobs=bare)))["output"][0]["content"][0]["logprobs"] == [
        {"token": "é", "logprob": -1, "bytes": [195, 169], "top_logprobs": []}
    ]
    for garbage in ("x", {"content": [1]}, {"content": [{"token": 1}]}):
        with pytest.raises(UpstreamBroken):
            DIALECT.write_reply(answer(Text("a"), logprobs=garbage))


def test_a_signature_comes_back_in_the_next_request() -> None:
    """Anthropic's signature rides inside encrypted_content through a client that knows nothing of it."""
    thought = Reasoning(text="hm", signature="a:b", encrypted=None)
    item = json.loads(DIALECT.write_reply(answer(thought)))["output"][0]
    assert DIALECT.read_request(request(input=[item])).messages == [Message("assistant", [thought])]
    for tampered in ("llmops-signature:", "llmops-signature:99:x", "llmops-signature:-1:x", "llmops-signature:²:xx"):
        item["encrypted_content"] = tampered
        parts = DIALECT.read_request(request(input=[item])).messages[0].parts
        assert parts == [Reasoning(text="hm", encrypted=tampered)]


def test_tap_notes_usage_text_and_finish_reason() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(DIALECT.write_reply(answer(*PARTS, finish="tool_calls")), outcome)
    assert (outcome.usage, outcome.finish_reason, outcome.text) == (USAGE, "tool_calls", "ab")
    assert (outcome.model, outcome.upstream_id, outcome.output_chars) == ("gpt", "resp_9", 12)


def test_tap_lets_built_in_tools_and_background_responses_pass() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(
        encode(
            id="r",
            output=[
                {"type": "tool_search_call", "arguments": {"a": 1}},
                {"type": "web_search_call", "content": 5},
                {
                    "type": "message",
                    "content": [
                        {"type": "output_audio", "text": None},
                        {"type": "output_text", "text": "x", "logprobs": "odd"},
                    ],
                },
            ],
        ),
        outcome,
    )
    assert (outcome.text, outcome.finish_reason) == ("x", "stop")
    outcome = Outcome()
    DIALECT.tap_reply(encode(id="r", status="queued", output=[]), outcome)
    assert outcome.finish_reason is None


@pytest.mark.parametrize(
    "body",
    [
        encode(id="r", status="in_progress", output=[]),
        encode(output=[{"type": "web_search_call"}]),
        encode(output=[{"type": "message", "content": [{"type": "output_audio"}]}]),
        encode(output=[{"type": "message", "content": [{"text": "x", "logprobs": "odd"}]}]),
    ],
)
def test_translation_refuses_output_it_would_have_to_drop(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.read_reply(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        encode(output=None),
        encode(output={}),
        encode(output=[1]),
        encode(output=[None]),
        encode(output=[{}]),
        encode(output=[{"type": 1}]),
        encode(output=[{"type": "message", "content": "x"}]),
        encode(output=[{"type": "message", "content": [None]}]),
        encode(output=[], id=1),
        encode(output=[{"type": "function_call", "arguments": {}}]),
        encode(output=[{"type": "reasoning", "summary": 1}]),
        encode(output=[], usage=[]),
        encode(output=[], usage={"input_tokens": "1"}),
        encode(output=[], created_at=1e300),
        encode(output=[], usage={"input_tokens": -1}),
        encode(output=[], usage={"output_tokens": 10**30}),
        encode(output=[], usage={"input_tokens_details": 1}),
        encode(output=[], status=1),
        encode(output=[], error="x"),
        encode(choices=[{"message": {"content": "chat"}}]),
        b'{"output":' + b"[" * 100000,
    ],
)
def test_garbage_is_no_reply(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.tap_reply(body, Outcome())
    with pytest.raises(UpstreamBroken):
        DIALECT.read_reply(body)


def test_a_failed_response_raises_its_message() -> None:
    body = encode(status="failed", output=[], error={"code": "server_error", "message": "boom"})
    for read in (DIALECT.read_reply, lambda body: DIALECT.tap_reply(body, Outcome())):
        with pytest.raises(UpstreamUnavailable, match="boom"):
            read(body)


@given(
    st.binary(max_size=40)
    | st.fixed_dictionaries(
        {"output": st.lists(ITEM, max_size=2) | JSON},
        optional={"usage": JSON, "status": JSON, "error": JSON, "incomplete_details": JSON},
    ).map(lambda wire: json.dumps(wire).encode())
)
def test_hostile_replies_are_broken_never_a_crash(body: bytes) -> None:
    for read in (DIALECT.read_reply, lambda body: DIALECT.tap_reply(body, Outcome())):
        try:
            read(body)
        except (UpstreamBroken, UpstreamUnavailable):
            pass


# --- streams ----------------------------------------------------------------------------------------------------

DELTAS: list[Any] = [
    Started(id="resp_9", model="gpt", created_s=1700000000),
    ReasoningDelta(text="h"),
    ReasoningDelta(text="m"),
    ReasoningDelta(encrypted="e"),
    TextDelta("a"),
    TextDelta("b"),
    RefusalDelta("no"),
    ToolCallStarted(index=0, id="c1", name="f"),
    ToolCallStarted(index=1, id="c2", name="g"),
    ToolCallDelta(index=1, arguments="{"),
    ToolCallDelta(index=0, arguments="["),
    ToolCallDelta(index=1, arguments="}"),
    ToolCallDelta(index=0, arguments="]"),
    Finished(reason="tool_calls"),
    UsageReported(USAGE),
]
STREAMED = answer(
    Reasoning(text="hm", encrypted="e"),
    Text("ab"),
    Refusal("no"),
    ToolCall(id="c1", name="f", arguments="[]"),
    ToolCall(id="c2", name="g", arguments="{}"),
    finish="tool_calls",
)


def write_stream(deltas: list[Any]) -> bytes:
    writer = DIALECT.stream_writer(make_call())
    written = b"".join([writer.feed([delta]) for delta in deltas]) + writer.end()
    assert writer.end() == b""
    return written


def test_a_written_stream_is_valid_and_ends_with_the_whole_response() -> None:
    events = events_of(write_stream(DELTAS))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert kinds.count("response.created") == 1
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 4
    assert events[-1]["response"] == json.loads(DIALECT.write_reply(STREAMED))
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert [done[index] for index in range(4)] == events[-1]["response"]["output"]
    assert [
        event["delta"]
        for event in events
        if event["type"] == "response.function_call_arguments.delta" and event["output_index"] == 3
    ] == ["{", "}"]
    assert [
        (event["content_index"], event.get("delta"))
        for event in events
        if event["type"] in ("response.output_text.delta", "response.refusal.delta")
    ] == [(0, "a"), (0, "b"), (1, "no")]


@pytest.mark.parametrize(
    ("finish", "kind", "status"),
    [
        ("stop", "response.completed", "completed"),
        ("length", "response.incomplete", "incomplete"),
        ("content_filter", "response.incomplete", "incomplete"),
        ("error", "response.failed", "completed"),
    ],
)
def test_the_terminal_event_says_why(finish: Any, kind: str, status: str) -> None:
    events = events_of(write_stream([DELTAS[0], TextDelta("x"), Finished(reason=finish), UsageReported(USAGE)]))
    assert events[-1]["type"] == kind
    assert events[-1]["response"] == json.loads(DIALECT.write_reply(answer(Text("x"), finish=finish)))
    assert events[-1]["response"]["output"][0]["status"] == status


def test_a_stream_without_a_start_or_content_is_still_whole() -> None:
    events = events_of(write_stream([]))
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    response = events[-1]["response"]
    assert (response["id"], response["model"], response["created_at"]) == ("req_1", "public", 1700000000)
    events_of(write_stream([TextDelta("", choice=1), TextDelta("x", choice=1), ToolCallDelta(index=4, arguments="{}")]))


def test_thinking_blocks_stay_apart_with_their_signatures() -> None:
    stream = write_stream(
        [
            ReasoningDelta(text="a"),
            ReasoningDelta(signature="s1"),
            ReasoningDelta(signature="s2"),
            ReasoningDelta(text="b"),
            ReasoningDelta(encrypted="x"),
            ReasoningDelta(encrypted="y"),
        ]
    )
    response = json.dumps(events_of(stream)[-1]["response"]).encode()
    assert DIALECT.read_reply(response).choices[0].parts == [
        Reasoning(text="a", signature="s1s2"),
        Reasoning(text="b", encrypted="x"),
        Reasoning(encrypted="y"),
    ]


def read_stream(stream: bytes, size: int = 1 << 20) -> list[Any]:
    reader, parser = DIALECT.stream_reader(), EventParser()
    deltas: list[Any] = []
    for start in range(0, len(stream), size):
        for event in parser.feed(stream[start : start + size]):
            deltas += reader.feed(event)
    assert reader.finished
    return deltas


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_a_written_stream_reads_back(size: int) -> None:
    assert read_stream(write_stream(DELTAS), size) == DELTAS


DELTA = st.one_of(
    st.builds(TextDelta, WORD),
    st.builds(RefusalDelta, WORD),
    st.builds(ReasoningDelta, text=WORD),
    st.builds(ReasoningDelta, encrypted=WORD),
    st.builds(ToolCallDelta, index=st.integers(0, 2), arguments=WORD),
)


@given(st.lists(DELTA, max_size=12), st.sampled_from(["stop", "length", "content_filter"]))
def test_any_order_of_deltas_makes_a_valid_stream_equal_to_its_response(deltas: list[Any], finish: Any) -> None:
    stream = write_stream([DELTAS[0], *deltas, Finished(reason=finish), UsageReported(USAGE)])
    events = events_of(stream)
    final = json.dumps(events[-1]["response"]).encode()
    Response.model_validate_json(final)
    outcome, tapped = Outcome(), Outcome()
    DIALECT.tap_reply(final, outcome)
    tap = DIALECT.tap_stream(make_call(keep_text=True), tapped)
    assert tap.feed(EventParser().feed(stream)) == stream and tap.end() == b"" and tap.finished
    assert (tapped.usage, tapped.finish_reason, tapped.text) == (USAGE, outcome.finish_reason, outcome.text or "")
    assert tapped.output_chars == outcome.output_chars
    again = read_stream(stream)
    for kind in (TextDelta, RefusalDelta):
        assert [d.text for d in again if isinstance(d, kind)] == [d.text for d in deltas if isinstance(d, kind)]


def sse(kind: str, **members: Any) -> Event:
    return Event(json.dumps({"type": kind, **members}).encode(), kind.encode())


@pytest.mark.parametrize(
    "events",
    [
        [
            sse(
                "response.output_item.done",
                output_index=0,
                item={
                    "type": "message",
                    "content": [{"type": "output_text", "text": "ab"}, {"type": "refusal", "refusal": "no"}],
                },
            ),
            sse(
                "response.output_item.done",
                output_index=1,
                item={"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            ),
            sse("response.completed", response={"output": []}),
        ],
        [
            sse(
                "response.completed",
                response={
                    "output": [
                        {
                            "type": "message",
                            "content": [{"type": "output_text", "text": "ab"}, {"type": "refusal", "refusal": "no"}],
                        },
                        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                    ]
                },
            )
        ],
    ],
)
def test_servers_that_skip_deltas_are_caught_up_with(events: list[Event]) -> None:
    reader = DIALECT.stream_reader()
    assert [delta for event in events for delta in reader.feed(event)] == [
        Started(id="", model="", created_s=0),
        TextDelta("ab"),
        RefusalDelta("no"),
        ToolCallStarted(index=0, id="c", name="f"),
        ToolCallDelta(index=0, arguments="{}"),
        Finished(reason="tool_calls"),
    ]
    assert reader.feed(sse("response.output_text.delta", delta="late")) == []


def test_reasoning_parts_are_set_apart_and_odd_events_ignored() -> None:
    reader = DIALECT.stream_reader()
    events = [
        sse("response.queued", response={"id": "r"}),
        sse("keepalive"),
        Event(b"[DONE]"),
        Event(b"x", b"unheard"),
        sse("response.reasoning_summary_text.delta", delta="a", summary_index=0),
        sse("response.reasoning_summary_text.delta", delta="b", summary_index=1),
        sse("response.reasoning_text.delta", delta="c", content_index=0),
        sse("response.reasoning_text.delta", delta="d", content_index=0, output_index=2),
    ]
    assert [delta.text for event in events for delta in reader.feed(event) if isinstance(delta, ReasoningDelta)] == [
        "a",
        "\n\nb",
        "\n\nc",
        "d",
    ]


def test_the_tap_forwards_every_byte_in_any_pieces_and_commits_with_the_first_content() -> None:
    stream = write_stream(DELTAS) + b'event: response.new_thing\ndata: not json\n\ndata: {"type":"keepalive"}\n\n'
    for size in (1, 13, 1 << 20):
        outcome, parser = Outcome(), EventParser()
        tap = DIALECT.tap_stream(make_call(keep_text=True), outcome)
        assert b"".join(tap.feed(parser.feed(stream[at : at + size])) for at in range(0, len(stream), size)) == stream
        assert tap.finished and tap.has_content
        assert (outcome.usage, outcome.finish_reason, outcome.text) == (USAGE, "tool_calls", "ab")
        assert (outcome.model, outcome.upstream_id) == ("gpt", "resp_9")
        assert outcome.output_chars == 12


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (sse("response.created", response={"id": "r"}), False),
        (sse("response.output_item.added", item={"type": "message", "content": []}), False),
        (sse("response.output_item.added", item={"type": "reasoning", "summary": []}), False),
        (sse("response.output_text.delta", delta=""), False),
        (sse("response.output_text.delta", delta="x"), True),
        (sse("response.reasoning_text.delta", delta="x"), True),
        (sse("response.refusal.delta", delta="x"), True),
        (sse("response.output_item.added", item={"type": "function_call", "name": "f"}), True),
        (sse("response.output_item.added", item={"type": "web_search_call", "arguments": {}}), True),
        (sse("response.mcp_call_arguments.delta", delta={"a": 1}), True),
        (Event(b"[DONE]"), False),
        (Event(b'{"type":"response.output_text.delta","delta":"x"}'), True),
        (sse("response.completed", response={"output": [{"type": "message", "content": [{"text": "x"}]}]}), True),
    ],
)
def test_which_events_commit_a_stream(event: Event, content: bool) -> None:
    tap = DIALECT.tap_stream(make_call(), Outcome())
    tap.feed([event])
    assert tap.has_content is content


def test_the_tap_keeps_events_of_several_data_lines_whole() -> None:
    event = Event(b'{"type":\n"keepalive"}', b"keepalive")
    tap = DIALECT.tap_stream(make_call(), Outcome())
    assert EventParser().feed(tap.feed([event])) == [event]


@pytest.mark.parametrize(
    "event",
    [
        sse("response.failed", response={"status": "failed", "error": {"code": "server_error", "message": "boom"}}),
        sse("error", code="x", message="boom", param=None),
        sse("error", error={"message": "boom"}),
        Event(b'{"error": {"message": "boom"}}'),
        Event(b'{"type": "error", "message": "boom"}'),
        sse("response.completed", response={"status": "failed", "output": [], "error": {"message": "boom"}}),
    ],
)
def test_failures_in_a_stream_raise_their_message(event: Event) -> None:
    with pytest.raises(UpstreamUnavailable, match="boom"):
        DIALECT.tap_stream(make_call(), Outcome()).feed([event])
    with pytest.raises(UpstreamUnavailable, match="boom"):
        DIALECT.stream_reader().feed(event)


@pytest.mark.parametrize(
    "event",
    [
        Event(b"<html>"),
        Event(b"{}"),
        Event(b"[]"),
        Event(b"null"),
        Event(b'{"type":5}'),
        Event(b"\xff"),
        Event(b"x", b"response.output_text.delta"),
        sse("response.output_text.delta"),
        sse("response.output_text.delta", delta=None),
        sse("response.refusal.delta", delta={}),
        sse("response.completed"),
        sse("response.completed", response=None),
        sse("response.completed", response={}),
        sse("response.completed", response={"output": 1}),
        sse("response.incomplete", response=[]),
        sse("response.created", response=5),
        sse("response.created", response={"id": 5}),
        sse("response.output_item.added"),
        sse("response.output_item.added", item=None),
        sse("response.output_item.added", item={"type": "function_call", "name": 1}),
        sse("response.failed", response=[]),
        Event(b'{"choices":[{"delta":{"content":"chat"}}]}'),
    ],
)
def test_garbage_is_no_event(event: Event) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.tap_stream(make_call(), Outcome()).feed([event])
    with pytest.raises(UpstreamBroken):
        DIALECT.stream_reader().feed(event)


def test_arguments_of_no_call_and_untranslatable_items_break_a_translated_stream() -> None:
    for event in (
        sse("response.function_call_arguments.delta", delta="{", output_index=3),
        sse("response.output_item.added", item={"type": "web_search_call"}),
        sse("response.output_text.delta", delta="x", logprobs="odd"),
    ):
        with pytest.raises(UpstreamBroken):
            DIALECT.stream_reader().feed(event)


KINDS = [
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.completed",
    "response.failed",
    "error",
    "keepalive",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.fixed_dictionaries(
                {},
                optional={
                    "item": ITEM | JSON,
                    "delta": st.text() | JSON,
                    "output_index": st.integers(0, 2) | JSON,
                    "response": st.fixed_dictionaries({"output": st.lists(ITEM, max_size=2)}) | JSON,
                },
            ),
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_hostile_streams_are_broken_never_a_crash(wires: list[tuple[str, dict[str, Any]]], named: bool) -> None:
    outcome = Outcome()
    tap, reader = DIALECT.tap_stream(make_call(), outcome), DIALECT.stream_reader()
    for feed in (lambda event: tap.feed([event]), reader.feed):
        try:
            for kind, members in wires:
                feed(sse(kind, **members) if named else Event(sse(kind, **members).data))
        except (UpstreamBroken, UpstreamUnavailable):
            pass


# --- errors, and the official SDK as the client -----------------------------------------------------------------


def sdk(body: bytes, content_type: str = "text/event-stream") -> openai.OpenAI:
    """The official client in front of a server that answers ``body``."""

    def serve(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": content_type})

    return openai.OpenAI(
        api_key="k",
        base_url="http://test/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(serve)),
    )


def test_an_error_event_is_valid_and_raises_in_the_sdk() -> None:
    error = DIALECT.write_error_event(UpstreamTimeout("too slow"), "req_1")
    [event] = EventParser().feed(error)
    wire = json.loads(event.data)
    EVENT.validate_python(wire)
    assert event.name == b"error" and wire["code"] == "upstream_timeout" and wire["sequence_number"] == 0
    with sdk(write_stream(DELTAS[:6]) + error) as client, pytest.raises(openai.APIError, match="too slow"):
        for _ in client.responses.create(model="m", input="x", stream=True):
            pass
    with pytest.raises(UpstreamUnavailable, match="too slow"):
        DIALECT.stream_reader().feed(event)


def test_the_sdk_reads_our_replies_and_streams() -> None:
    with sdk(DIALECT.write_reply(STREAMED), "application/json") as client:
        response = client.responses.create(model="m", input="x")
        assert response.output_text == "ab" and response.output[2].type == "function_call"
    with sdk(write_stream(DELTAS)) as client, client.responses.stream(model="m", input="x") as stream:
        final = stream.get_final_response()
        assert final.output_text == "ab" and final.usage is not None and final.usage.output_tokens == 7


def test_http_errors_have_openais_shape() -> None:
    error: LLMOpsError = InvalidRequest("bad", param="input")
    wire = DIALECT.read_error(400, DIALECT.write_error(error, "req_1"))
    assert (wire.message, wire.code, wire.param) == ("bad", "invalid_request", "input")
