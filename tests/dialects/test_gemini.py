"""Gemini's dialect: requests fit the API's own types, replies and streams keep everything, garbage is refused."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.dialects.conversation import (
    Answer,
    Audio,
    Conversation,
    Delta,
    Document,
    Finished,
    Image,
    Message,
    OutputFormat,
    Reasoning,
    ReasoningConfig,
    ReasoningDelta,
    Refusal,
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
from llmops.dialects.dialect import UpstreamDialect
from llmops.dialects.embeddings import EmbeddingRequest
from llmops.dialects.gemini import GeminiDialect, read_embeddings, write_embeddings
from llmops.dialects.gemini.contents import UNSIGNED
from llmops.dialects.sse import Event
from llmops.errors import (
    InvalidRequest,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from llmops.types import Usage

try:
    from google.genai import types
except ImportError:  # only checks the shapes once more
    types = None  # type: ignore[assignment]

GEMINI: UpstreamDialect = GeminiDialect()
SIGNATURE = base64.b64encode(b"proof of thought").decode()
PNG = base64.b64encode(b"\x89PNG").decode()
WEATHER = Tool(
    name="weather",
    description="Today's weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def ask(*messages: Message, **fields: Any) -> Conversation:
    return Conversation(messages=list(messages) or [Message("user", [Text("Hi")])], **fields)


def write(conversation: Conversation, model: str = "gemini-3-pro-preview") -> tuple[dict[str, Any], list[str]]:
    """The wire request, checked against the official SDK's types if installed, and what it could not carry."""
    uncarried = Uncarried(conversation)
    wire = json.loads(GEMINI.write_request(conversation, model, uncarried))
    check_types(wire)
    return wire, uncarried.parameters


def check_types(wire: dict[str, Any]) -> None:
    assert set(wire) <= {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
    assert all(content["role"] in ("user", "model") and content["parts"] for content in wire["contents"])
    if types is None:
        return
    for content in wire["contents"]:
        types.Content.model_validate(content)
    types.Content.model_validate(wire.get("systemInstruction", {}))
    types.GenerationConfig.model_validate(wire.get("generationConfig", {}))
    types.ToolConfig.model_validate(wire.get("toolConfig", {}))
    for tool in wire.get("tools", []):
        types.Tool.model_validate(tool)


# --- requests ---------------------------------------------------------------------------------------------------


def test_a_whole_conversation() -> None:
    conversation = ask(
        Message("user", [Text("Weather in Oslo and Rome?"), Image(data=PNG, media_type="image/png")]),
        Message(
            "assistant",
            [
                Reasoning(text="Two calls.", signature=SIGNATURE),
                Text("Let me see."),
                ToolCall(
                    id="a",
                    name="weather",
                    arguments='{"city": "Oslo", "big": 12345678901234567890.10}',
                    signature=SIGNATURE,
                ),
                ToolCall(id="b", name="weather", arguments='{"city":"Rome"}'),
            ],
        ),
        Message("user", [Text("quickly"), ToolResult(call_id="a", content=[Text("cold"), Text("wet")])]),
        Message("user", [ToolResult(call_id="b", content=[Text("no data")], is_error=True)]),
        system=[Text("Be brief."), Text("")],
        tools=[WEATHER, Tool(name="now")],
        tool_choice=ToolChoice("auto"),
    )
    wire, uncarried = write(conversation)
    assert uncarried == []
    assert wire == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Weather in Oslo and Rome?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Two calls.", "thought": True, "thoughtSignature": SIGNATURE},
                    {"text": "Let me see."},
                    {
                        "functionCall": {
                            "id": "a",
                            "name": "weather",
                            "args": {"city": "Oslo", "big": 12345678901234567890.10},
                        },
                        "thoughtSignature": SIGNATURE,
                    },
                    {"functionCall": {"id": "b", "name": "weather", "args": {"city": "Rome"}}},
                ],
            },
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "a", "name": "weather", "response": {"output": "cold\nwet"}}}],
            },
            {"role": "user", "parts": [{"text": "quickly"}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "b", "name": "weather", "response": {"error": "no data"}}}],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "weather", "description": "Today's weather", "parametersJsonSchema": WEATHER.parameters},
                    {"name": "now"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    }


def test_results_of_parallel_calls_are_one_content() -> None:
    calls: list[Any] = [ToolCall(id=name, name="weather", arguments="{}") for name in "ab"]
    wire, _ = write(
        ask(
            Message("user", [Text("?")]),
            Message("assistant", calls[:1]),
            Message("assistant", calls[1:]),
            Message("user", [ToolResult(call_id="a", content=[])]),
            Message("user", [ToolResult(call_id="b", content=[])]),
        )
    )
    assert [content["role"] for content in wire["contents"]] == ["user", "model", "user"]
    assert [len(content["parts"]) for content in wire["contents"]] == [1, 2, 2]


def test_arguments_travel_as_the_model_wrote_them() -> None:
    arguments = '{"x": 1.10, "y": 12345678901234567890123456789012345678901234567890}'
    conversation = ask(Message("assistant", [ToolCall(id="a", name="f", arguments=arguments)]))
    assert arguments.encode() in GEMINI.write_request(conversation, "gemini-3-flash", Uncarried(conversation))


def test_every_parameter() -> None:
    wire, uncarried = write(
        ask(
            max_tokens=100,
            temperature=0.5,
            top_p=0.9,
            top_k=40,
            stop=["END"],
            seed=7,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            n=2,
            logprobs=True,
            top_logprobs=3,
            stream=True,
            output=OutputFormat(schema={"type": "object"}, description="A verdict", name="verdict", strict=True),
        )
    )
    assert uncarried == []
    assert wire["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END"],
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "candidateCount": 2,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "description": "A verdict"},
    }


def test_json_mode_has_no_schema() -> None:
    wire, _ = write(ask(output=OutputFormat()))
    assert wire["generationConfig"] == {"responseMimeType": "application/json"}


def test_what_is_not_asked_for_is_not_written() -> None:
    assert write(ask()) == ({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, [])


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        (None, None, None),
        (ToolChoice("auto"), None, {"mode": "AUTO"}),
        (ToolChoice("none"), True, {"mode": "NONE"}),
        (ToolChoice("required"), True, {"mode": "ANY"}),
        (ToolChoice("tool", "f"), None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
        (ToolChoice("auto"), False, {"mode": "AUTO"}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, strict: bool | None, expected: dict[str, Any] | None) -> None:
    wire, _ = write(ask(tools=[Tool(name="f", strict=strict)], tool_choice=choice))
    assert wire.get("toolConfig") == (expected and {"functionCallingConfig": expected})


@pytest.mark.parametrize(
    ("reasoning", "model", "expected"),
    [
        (ReasoningConfig(enabled=False), "gemini-2.5-flash", {"thinkingBudget": 0}),
        (ReasoningConfig(), "gemini-2.5-flash", {"includeThoughts": True}),
        (ReasoningConfig(effort="low"), "gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": 1024}),
        (ReasoningConfig(effort="high"), "models/gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 24576}),
        (ReasoningConfig(effort="low"), "gemini-3-pro-preview", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (ReasoningConfig(effort="max"), "gemini-flash-latest", {"includeThoughts": True, "thinkingLevel": "XHIGH"}),
        (
            ReasoningConfig(effort="low", budget_tokens=99),
            "gemini-3-pro",
            {"includeThoughts": True, "thinkingBudget": 99},
        ),
    ],
)
def test_thinking(reasoning: ReasoningConfig, model: str, expected: dict[str, Any]) -> None:
    wire, uncarried = write(ask(reasoning=reasoning), model)
    assert wire["generationConfig"] == {"thinkingConfig": expected}
    assert uncarried == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"user": "u1", "metadata": {"a": "b"}}, ["user", "metadata"]),
        ({"parallel_tool_calls": False}, ["parallel_tool_calls"]),
        ({"parallel_tool_calls": True}, []),
        ({"top_logprobs": 2}, ["top_logprobs"]),
        (
            {"reasoning": ReasoningConfig(effort="ultra"), "names": {"reasoning": "reasoning_effort"}},
            ["reasoning_effort"],
        ),
        ({"leftover": {"logit_bias": {}}}, ["logit_bias"]),
    ],
)
def test_parameters_it_cannot_carry_are_named(fields: dict[str, Any], expected: list[str]) -> None:
    assert write(ask(**fields))[1] == expected


FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"


@pytest.mark.parametrize(
    ("part", "written", "uncarried"),
    [
        (Image(url=FILE), {"fileData": {"fileUri": FILE}}, []),
        (
            Image(url="gs://b/o.png", media_type="image/png"),
            {"fileData": {"fileUri": "gs://b/o.png", "mimeType": "image/png"}},
            [],
        ),
        (Image(url="https://example.com/cat.png"), None, [""]),
        (Image(data=PNG), None, [""]),
        (Image(), None, [""]),
        (
            Image(data=PNG, media_type="image/png", detail="auto"),
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            [],
        ),
        (
            Image(data=PNG, media_type="image/png", detail="low"),
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            [".detail"],
        ),
        (Audio(data="AA==", format="wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}, []),
        (Audio(data="AA==", format="mp3"), {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}}, []),
        (
            Document(data="AA==", media_type="application/pdf", name="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
            [],
        ),
        (
            Document(file_id="files/abc", media_type="application/pdf"),
            {"fileData": {"fileUri": FILE, "mimeType": "application/pdf"}},
            [],
        ),
        (Document(file_id="file-of-openai"), None, [""]),
        (Document(url="https://example.com/a.pdf"), None, [""]),
        (Refusal("No."), {"text": "No."}, []),
        (Text(""), None, []),
        (Reasoning(encrypted="xyz"), None, [""]),
        (Reasoning(signature=SIGNATURE), {"text": "", "thoughtSignature": SIGNATURE}, []),
        (ToolCall(id="a", name="f", arguments="{}"), None, [""]),
    ],
)
def test_a_part_in_a_user_turn(part: Any, written: dict[str, Any] | None, uncarried: list[str]) -> None:
    wire, named = write(ask(Message("user", [Text("x"), part])))
    assert wire["contents"][0]["parts"][1:] == ([written] if written else [])
    assert named == [f"messages[0].content[1]{suffix}" for suffix in uncarried]


def test_a_result_in_the_models_turn_cannot_be_carried() -> None:
    _, named = write(ask(Message("assistant", [Text("x"), ToolResult(call_id="a", content=[])])))
    assert named == ["messages[0].content[1]"]


def test_files_in_a_tool_result() -> None:
    result = ToolResult(
        call_id="a",
        content=[Text("see"), Image(data=PNG, media_type="image/png"), Image(url="https://example.com/cat.png")],
    )
    wire, named = write(
        ask(Message("assistant", [ToolCall(id="a", name="shot", arguments="")]), Message("user", [result]))
    )
    assert wire["contents"][1]["parts"] == [
        {
            "functionResponse": {
                "id": "a",
                "name": "shot",
                "response": {"output": "see"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
            }
        }
    ]
    assert named == ["messages[1].content[0].content[2]"]


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        ("gemini-2.5-pro", None),
        ("models/gemini-2.0-flash", None),
        ("gemini-3-pro-preview", UNSIGNED),
        ("gemini-flash-latest", UNSIGNED),
    ],
)
def test_only_the_first_unsigned_call_of_a_turn_gets_the_stand_in(model: str, signature: str | None) -> None:
    calls: list[Any] = [ToolCall(id=name, name="f", arguments="{}") for name in "ab"]
    wire, _ = write(ask(Message("assistant", calls)), model)
    assert [part.get("thoughtSignature") for part in wire["contents"][0]["parts"]] == [signature, None]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([Message("user", [])], "messages"),
        ([Message("user", [ToolResult(call_id="x", content=[])])], "messages[0].content[0]"),
        *[
            (
                [Message("assistant", [ToolCall(id="a", name="f", arguments=arguments)])],
                "messages[0].content[0].arguments",
            )
            for arguments in (
                "[]",
                "1",
                "null",
                "{",
                '{"a":tru}',
                "{'a':1}",
                '{"a":1} x',
                "\ud800",
                '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
            )
        ],
    ],
)
def test_impossible_requests(messages: list[Message], param: str) -> None:
    conversation = Conversation(messages=messages, system=[Text("x")])
    with pytest.raises(InvalidRequest) as caught:
        GEMINI.write_request(conversation, "gemini-3-pro", Uncarried(conversation))
    assert caught.value.param == param


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
user_parts = st.one_of(
    st.builds(Text, texts),
    st.builds(Image, data=st.just(PNG), media_type=st.sampled_from([None, "image/png"])),
    st.builds(Image, url=texts),
    st.builds(Audio, data=st.just(PNG), format=st.sampled_from(["wav", "mp3"])),
    st.builds(
        Document,
        url=st.none() | texts,
        file_id=st.none() | texts,
        data=st.none() | st.just(PNG),
        media_type=st.none() | st.just("application/pdf"),
    ),
    st.builds(
        ToolResult,
        call_id=st.sampled_from("ab"),
        content=st.lists(st.builds(Text, texts), max_size=2),
        is_error=st.booleans(),
    ),
)
model_parts = st.one_of(
    st.builds(Text, texts),
    st.builds(Refusal, texts),
    st.builds(Reasoning, text=texts, signature=st.none() | st.just(SIGNATURE), encrypted=st.none() | texts),
    st.builds(
        ToolCall,
        id=st.sampled_from("ab"),
        name=st.just("f"),
        arguments=st.dictionaries(texts, st.integers() | texts).map(json.dumps),
    ),
)


@given(
    st.lists(
        st.one_of(
            st.builds(Message, st.just("user"), st.lists(user_parts, max_size=4)),
            st.builds(Message, st.just("assistant"), st.lists(model_parts, max_size=4)),
        ),
        max_size=5,
    )
)
def test_every_part_is_written_or_named(messages: list[Message]) -> None:
    """Whatever the turns hold: the request fits the API's types, and no part is lost without a word."""
    first: list[Any] = [ToolCall(id=name, name="f", arguments="{}") for name in "ab"]
    messages = [Message("assistant", first), *messages]
    wire, uncarried = write(ask(*messages))
    written = sum(len(content["parts"]) for content in wire["contents"])
    empty = sum(1 for message in messages for part in message.parts if part in (Text(""), Refusal(""), Reasoning()))
    named = sum(1 for name in uncarried if not name.endswith(".detail"))
    both = sum(
        1
        for message in messages
        for part in message.parts
        if isinstance(part, Reasoning) and part.encrypted is not None and (part.text or part.signature)
    )
    assert written + empty + named - both == sum(len(message.parts) for message in messages)
    wanted = [part.text for message in messages for part in message.parts if isinstance(part, Text) and part.text]
    found = [part["text"] for content in wire["contents"] for part in content["parts"] if "text" in part]
    assert all(text in found for text in wanted)


# --- replies ----------------------------------------------------------------------------------------------------


def reply(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **candidate}],
        "responseId": "r1",
        "modelVersion": "gemini-3-pro",
    }


def read(wire: Any) -> Answer:
    return GEMINI.read_reply(json.dumps(wire, indent=2).encode())


def test_a_whole_reply() -> None:
    wire = reply(
        {"text": "Hm.", "thought": True},
        {"text": "Calling."},
        {"functionCall": {"name": "weather", "args": {"city": "Oslo", "days": [1, 2]}}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"id": "given", "name": "now"}},
        index=0,
        safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}],
    )
    wire["usageMetadata"] = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 155,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
    }
    wire["createTime"] = "2026-01-02T03:04:05.123456789Z"
    answer = read(wire)
    assert (answer.id, answer.model, answer.created_s) == ("r1", "gemini-3-pro", 1767323045)
    assert answer.usage == Usage(prompt=105, completion=50, cached=40, reasoning=30)
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason) == (0, "tool_calls")
    assert choice.parts == [
        Reasoning(text="Hm."),
        Text("Calling."),
        ToolCall(id="call_0_r1", name="weather", arguments='{"city":"Oslo","days":[1,2]}', signature=SIGNATURE),
        ToolCall(id="given", name="now", arguments="{}"),
    ]


def test_a_reply_with_nothing_but_a_candidate() -> None:
    answer = read({"candidates": [{}]})
    assert answer.choices[0].parts == [] and answer.usage.source == "none" and answer.created_s == 0


def test_candidates_without_an_index_count_up() -> None:
    answer = read({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}] * 2})
    assert [choice.index for choice in answer.choices] == [0, 1]
    ids = [part.id for choice in answer.choices for part in choice.parts if isinstance(part, ToolCall)]
    assert ids == ["call_0", "call_1"]


def test_a_blocked_prompt_is_one_empty_choice() -> None:
    answer = read(
        {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "modelVersion": "g",
            "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        }
    )
    assert [(choice.parts, choice.finish_reason) for choice in answer.choices] == [([], "content_filter")]
    assert answer.usage == Usage(prompt=9)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("OTHER", "error"),
        ("SOMETHING_NEW", "error"),
        (None, "stop"),
        ("FINISH_REASON_UNSPECIFIED", "stop"),
    ],
)
def test_finish_reasons(reason: str | None, expected: str) -> None:
    assert read(reply({"text": "x"}, finishReason=reason)).choices[0].finish_reason == expected


def test_a_call_that_was_cut_short_stays_cut_short() -> None:
    cut = reply({"functionCall": {"name": "f", "args": {}}}, finishReason="MAX_TOKENS")
    assert read(cut).choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "x", "thoughtSignature": SIGNATURE}, [Text("x"), Reasoning(signature=SIGNATURE)]),
        ({"text": "", "thoughtSignature": SIGNATURE}, [Reasoning(signature=SIGNATURE)]),
        ({"text": "x", "thought": True, "thoughtSignature": SIGNATURE}, [Reasoning(text="x", signature=SIGNATURE)]),
        (
            {"text": "x", "functionCall": {"id": "a", "name": "f"}},
            [Text("x"), ToolCall(id="a", name="f", arguments="{}")],
        ),
        ({"inlineData": {"mimeType": "image/png", "data": PNG}}, [Image(data=PNG, media_type="image/png")]),
        ({"inlineData": {"mimeType": "audio/wav", "data": PNG}}, [Audio(data=PNG, format="wav")]),
        ({"inlineData": {"mimeType": "video/mp4", "data": PNG}}, [Document(data=PNG, media_type="video/mp4")]),
        ({"text": ""}, []),
        ({}, []),
        ({"partMetadata": {"new": 1}, "text": "x"}, [Text("x")]),
    ],
)
def test_a_part_of_a_reply(part: dict[str, Any], expected: list[Any]) -> None:
    assert read(reply(part)).choices[0].parts == expected


def test_signatures_survive_a_round_trip() -> None:
    parts: list[dict[str, Any]] = [
        {"text": "Hm.", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": "x"},
        {"text": "", "thoughtSignature": SIGNATURE},
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.5}}, "thoughtSignature": SIGNATURE},
    ]
    wire, _ = write(ask(Message("assistant", read(reply(*parts)).choices[0].parts)))
    assert wire["contents"] == [{"role": "model", "parts": parts}]


LOGPROBS = {
    "chosenCandidates": [{"token": "Hé", "tokenId": 1, "logProbability": -0.1}, {"token": "!"}],
    "topCandidates": [{"candidates": [{"token": "Hé", "logProbability": -0.1}, {"token": "Yo", "logProbability": -3}]}],
}
EXPECTED_LOGPROBS = {
    "refusal": None,
    "content": [
        {
            "token": "Hé",
            "logprob": -0.1,
            "bytes": [72, 195, 169],
            "top_logprobs": [
                {"token": "Hé", "logprob": -0.1, "bytes": [72, 195, 169]},
                {"token": "Yo", "logprob": -3.0, "bytes": [89, 111]},
            ],
        },
        {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []},
    ],
}


def test_log_probabilities_take_chat_completions_form() -> None:
    assert read(reply({"text": "Hé!"}, logprobsResult=LOGPROBS)).choices[0].logprobs == EXPECTED_LOGPROBS
    assert read(reply({"text": "x"}, logprobsResult={})).choices[0].logprobs is None


GARBAGE: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"x"',
    b"<html>",
    b"{",
    b'{"candidates":1}',
    b'{"candidates":[null]}',
    b'{"candidates":[[]]}',
    b'{"candidates":[{"content":"x"}]}',
    b'{"candidates":[{"content":{"parts":{}}}]}',
    b'{"candidates":[{"content":{"parts":[null]}}]}',
    b'{"candidates":[{"content":{"parts":[{"text":1}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":null}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":[]}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"\xff"}}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":tru}}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}}}]}}]}",
    b'{"candidates":[{"content":{"parts":[{"inlineData":{"data":"x"}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"thoughtSignature":1}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1","language":"PYTHON"}}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
    b'{"candidates":[{"index":-1}]}',
    b'{"candidates":[{"index":"0"}]}',
    b'{"candidates":[{"finishReason":1}]}',
    b'{"candidates":[{}],"usageMetadata":[]}',
    b'{"candidates":[{}],"usageMetadata":{"promptTokenCount":-1}}',
    b'{"candidates":[{}],"usageMetadata":{"promptTokenCount":"9"}}',
    b'{"candidates":[{}],"responseId":1}',
    b'{"candidates":[{}],"createTime":"yesterday"}',
    b'{"candidates":[{}],"promptFeedback":"x"}',
    b'{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":1}]}}]}',
]


@pytest.mark.parametrize(
    "body",
    [*GARBAGE, b"{}", b'{"candidates":[]}', b'{"promptFeedback":{}}', b'{"usageMetadata":{"promptTokenCount":1}}'],
)
def test_garbage_is_no_reply(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        GEMINI.read_reply(body)


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_is_no_event(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        GEMINI.stream_reader().feed(Event(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "thought",
                    "functionCall",
                    "name",
                    "args",
                    "inlineData",
                    "index",
                    "usageMetadata",
                    "promptTokenCount",
                    "finishReason",
                    "promptFeedback",
                    "blockReason",
                    "error",
                    "message",
                    "code",
                    "status",
                    "details",
                    "reason",
                    "embeddings",
                    "values",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_any_json_is_read_or_refused(value: Any) -> None:
    body = json.dumps(value).encode()
    for reading in (
        lambda: GEMINI.read_reply(body),
        lambda: GEMINI.stream_reader().feed(Event(body)),
        lambda: read_embeddings(body, 1),
    ):
        try:
            reading()
        except UpstreamError:
            pass
    assert GEMINI.read_error(400, body).message


# --- streams ----------------------------------------------------------------------------------------------------


def stream(*chunks: dict[str, Any]) -> tuple[list[Delta], bool]:
    reader = GEMINI.stream_reader()
    deltas = [delta for chunk in chunks for delta in reader.feed(Event(json.dumps(chunk).encode()))]
    return deltas, reader.finished


def chunk(*parts: dict[str, Any], usage: dict[str, int] | None = None, **candidate: Any) -> dict[str, Any]:
    wire = reply(*parts)
    wire["candidates"][0] = {"content": {"role": "model", "parts": list(parts)}, **candidate}
    return wire | ({"usageMetadata": usage} if usage else {})


def test_a_whole_stream() -> None:
    deltas, finished = stream(
        chunk({"text": "Hm.", "thought": True}, usage={"promptTokenCount": 7}),
        chunk({"text": "Let"}, logprobsResult=LOGPROBS),
        chunk(
            {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": SIGNATURE},
            {"functionCall": {"id": "b", "name": "now"}},
        ),
        chunk(
            {"text": "", "thoughtSignature": SIGNATURE},
            finishReason="STOP",
            usage={"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
        ),
    )
    assert finished
    assert deltas == [
        Started(id="r1", model="gemini-3-pro", created_s=0, usage=Usage(prompt=7)),
        ReasoningDelta(text="Hm."),
        UsageReported(Usage(prompt=7)),
        TextDelta("Let", 0, EXPECTED_LOGPROBS),
        ToolCallStarted(index=0, id="call_0_r1", name="weather", signature=SIGNATURE),
        ToolCallDelta(index=0, arguments='{"city":"Oslo"}'),
        ToolCallStarted(index=1, id="b", name="now"),
        ToolCallDelta(index=1, arguments="{}"),
        ReasoningDelta(signature=SIGNATURE),
        Finished(reason="tool_calls"),
        UsageReported(Usage(prompt=7, completion=5, reasoning=3)),
    ]


def test_a_stream_ends_when_all_its_candidates_did() -> None:
    first, second = chunk({"text": "a"}, index=0)["candidates"][0], chunk({"text": "b"}, index=1)["candidates"][0]
    chunks: list[dict[str, Any]] = [
        {"candidates": [first, second]},
        {"candidates": [{"index": 1, "finishReason": "STOP"}]},
    ]
    deltas, finished = stream(*chunks)
    assert not finished and deltas[-1] == Finished(reason="stop", choice=1)
    deltas, finished = stream(*chunks, {"candidates": [{"index": 0, "finishReason": "MAX_TOKENS"}]})
    assert finished and deltas[-1] == Finished(reason="length", choice=0)


def test_a_cut_stream_is_not_finished() -> None:
    assert stream(chunk({"text": "a"})) == (
        [Started(id="r1", model="gemini-3-pro", created_s=0), TextDelta("a")],
        False,
    )
    assert not stream(chunk({"text": "a"}, finishReason="FINISH_REASON_UNSPECIFIED"))[1]


def test_a_blocked_prompt_ends_the_stream() -> None:
    deltas, finished = stream({"promptFeedback": {"blockReason": "SAFETY"}})
    assert finished and deltas[1:] == [Finished(reason="content_filter")]


def test_log_probabilities_without_text_are_kept() -> None:
    deltas, _ = stream(chunk(finishReason="STOP", logprobsResult=LOGPROBS))
    assert deltas[1:] == [TextDelta("", 0, EXPECTED_LOGPROBS), Finished(reason="stop")]


def test_a_repeated_end_counts_once() -> None:
    deltas, _ = stream(chunk({"text": "a"}, finishReason="STOP"), chunk({"text": ""}, finishReason="STOP"))
    assert sum(isinstance(delta, Finished) for delta in deltas) == 1


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk({"text": "a"}, finishReason="STOP"), chunk({"text": "b"})],
        [chunk({"inlineData": {"mimeType": "image/png", "data": PNG}})],
    ],
)
def test_what_a_stream_cannot_carry_is_an_error(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(UpstreamBroken):
        stream(*chunks)


wire_parts = st.one_of(
    st.builds(lambda text: {"text": text}, texts),
    st.builds(lambda text: {"text": text, "thought": True}, texts),
    st.builds(lambda text: {"text": text, "thoughtSignature": SIGNATURE}, texts),
    st.builds(lambda args: {"functionCall": {"name": "f", "args": args}}, st.dictionaries(texts, texts, max_size=2)),
)


@given(st.lists(st.lists(wire_parts, max_size=3), min_size=1, max_size=5))
def test_a_stream_and_its_whole_reply_say_the_same(chunks: list[list[dict[str, Any]]]) -> None:
    whole = read(reply(*[part for parts in chunks for part in parts])).choices[0]
    deltas, finished = stream(*[chunk(*parts) for parts in chunks[:-1]], chunk(*chunks[-1], finishReason="STOP"))
    assert finished and isinstance(deltas[0], Started)
    assert [delta for delta in deltas if isinstance(delta, Started | Finished)][1:] == [
        Finished(reason=whole.finish_reason)
    ]
    parts: list[Any] = []
    calls = [delta for delta in deltas if isinstance(delta, ToolCallStarted)]
    for delta in deltas:
        match delta:
            case TextDelta():
                parts.append(Text(delta.text))
            case ReasoningDelta():
                parts.append(Reasoning(text=delta.text, signature=delta.signature))
            case ToolCallDelta():
                call = calls[delta.index]
                parts.append(ToolCall(id=call.id, name=call.name, arguments=delta.arguments))
    assert parts == whole.parts


# --- errors -----------------------------------------------------------------------------------------------------


def error(code: Any, status: Any, message: Any = "No.", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, **more}}


BAD_KEY = error(
    400,
    "INVALID_ARGUMENT",
    "API key not valid.",
    details=[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
)


@pytest.mark.parametrize(
    ("wire", "message", "code"),
    [
        (error(429, "RESOURCE_EXHAUSTED", details=[{"retryDelay": "7s"}]), "No.", "RESOURCE_EXHAUSTED"),
        ([error(400, "INVALID_ARGUMENT")], "No.", "INVALID_ARGUMENT"),
        (BAD_KEY, "API key not valid.", "API_KEY_INVALID"),
        (error(400, 7, details="x"), "No.", None),
        (error(400, "X", 7), json.dumps(error(400, "X", 7)), None),
        ({"error": "x"}, '{"error": "x"}', None),
        ([], "[]", None),
    ],
)
def test_error_bodies(wire: Any, message: str, code: str | None) -> None:
    said = GEMINI.read_error(400, json.dumps(wire).encode())
    assert (said.message, said.code) == (message, code)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"\xff", b"[" * 100_000])
def test_error_bodies_of_no_known_shape(body: bytes) -> None:
    assert GEMINI.read_error(502, body).message


@pytest.mark.parametrize(
    ("wire", "kind", "status"),
    [
        (error(429, "RESOURCE_EXHAUSTED"), UpstreamRateLimited, 429),
        (error(None, "RESOURCE_EXHAUSTED"), UpstreamRateLimited, 429),
        (error(503, "UNAVAILABLE"), UpstreamUnavailable, 503),
        (error(500, "INTERNAL"), UpstreamUnavailable, 503),
        (error("500", "WHAT"), UpstreamUnavailable, 503),
        (error(499, "CANCELLED"), UpstreamUnavailable, 503),
        (error(504, "DEADLINE_EXCEEDED"), UpstreamTimeout, 504),
        (error(400, "INVALID_ARGUMENT"), UpstreamRejected, 400),
        (error(404, "NOT_FOUND"), UpstreamRejected, 404),
        (error(403, "PERMISSION_DENIED"), UpstreamCredential, 502),
        (BAD_KEY, UpstreamCredential, 502),
        ({"error": "x"}, UpstreamUnavailable, 503),
        ({"error": []}, UpstreamUnavailable, 503),
    ],
)
def test_an_error_inside_an_answer(wire: dict[str, Any], kind: type[UpstreamError], status: int) -> None:
    body = json.dumps(wire).encode()
    reader = GEMINI.stream_reader()
    reader.feed(Event(json.dumps(chunk({"text": "a"})).encode()))
    for reading in (
        lambda: reader.feed(Event(body)),
        lambda: GEMINI.read_reply(body),
        lambda: read_embeddings(body, 1),
    ):
        with pytest.raises(kind) as caught:
            reading()
        assert caught.value.status == status


# --- embeddings -------------------------------------------------------------------------------------------------


def test_embedding_requests() -> None:
    wire = json.loads(write_embeddings(EmbeddingRequest(inputs=["a", "b"], dimensions=8), "gemini-embedding-001"))
    assert wire == {
        "requests": [
            {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8}
            for text in "ab"
        ]
    }
    wire = json.loads(write_embeddings(EmbeddingRequest(inputs=["a"]), "models/m"))
    assert wire == {"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]}}]}


def test_embedding_replies() -> None:
    body = b'{"embeddings":[{"values":[0.5,-1]},{"values":[1,2.5],"statistics":{}}]}'
    assert read_embeddings(body, 2) == ([[0.5, -1.0], [1.0, 2.5]], Usage(source="none"))
    body = b'{"embeddings":[{"values":[]}],"usageMetadata":{"promptTokenCount":4}}'
    assert read_embeddings(body, 1) == ([[]], Usage(prompt=4))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"embeddings":[]}',
        b'{"embeddings":[{}]}',
        b'{"embeddings":[{"values":["x"]}]}',
        b'{"embeddings":[{"values":[1e300]}]}',
        b'{"embeddings":[{"values":[1]},{"values":[1]}]}',
        b'{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":-4}}',
    ],
)
def test_garbage_is_no_embedding_reply(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_embeddings(body, 1)
