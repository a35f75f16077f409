"""Across dialects: what one writes the other reads, and what is lost on the way is said, never silent."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from llmops.dialects.chat import ChatDialect
from llmops.dialects.conversation import (
    Audio,
    Choice,
    Conversation,
    Delta,
    Document,
    Finished,
    Image,
    Lost,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningConfig,
    ReasoningDelta,
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
from llmops.dialects.gemini import GeminiDialect
from llmops.dialects.messages import MessagesDialect
from llmops.dialects.registry import CONVERSATIONAL
from llmops.dialects.responses import ResponsesDialect
from llmops.dialects.sse import EventParser
from llmops.dialects.translation import TranslatedStream, note_answer, translate_reply, translate_request
from llmops.errors import InvalidRequest, UnsupportedParameter
from llmops.types import Call, Operation, Outcome, Usage

CHAT, RESPONSES, MESSAGES = ChatDialect(), ResponsesDialect(), MessagesDialect()
DIALECTS: list[Dialect] = [CHAT, RESPONSES, MESSAGES]
PAIRS = [(source, target) for source in DIALECTS for target in [*DIALECTS, GeminiDialect()]]


def name_of(value: Any) -> str | None:
    return getattr(value, "name", None)


def a_call(operation: Operation, body: bytes, *, allow_dropped: bool = False, keep_text: bool = False) -> Call:
    return Call(
        operation=operation,
        body=body,
        view=CONVERSATIONAL[operation].view(body),
        request_id="r1",
        trace_id="t",
        span_id="s",
        started_at_s=7,
        started_s=0,
        allow_dropped=allow_dropped,
        keep_text=keep_text,
    )


HELLO = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"input": "Hi"},
    "messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
}


def hello(dialect: Any, **changes: Any) -> Call:
    body = json.dumps({"model": "m", **HELLO[dialect.name], **changes}).encode()
    return a_call(dialect.name, body)


# --- requests ---------------------------------------------------------------------------------------------------

_word = st.text("abc é", min_size=1, max_size=6).filter(str.strip)
_image = st.builds(Image, data=st.just("QQ=="), media_type=st.just("image/png")) | st.builds(
    Image, url=st.just("https://x/i")
)
_document = st.builds(Document, data=st.just("QQ=="), media_type=st.just("application/pdf"), name=st.just("a.pdf"))
_user_part = st.builds(Text, _word) | _image | _document | st.builds(Audio, data=st.just("QQ=="), format=st.just("wav"))
_json = st.dictionaries(_word, st.integers() | st.text("xyz", max_size=3), max_size=2).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns as clients have them: user, then the model with or without calls, then results …"""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        messages.append(Message("user", draw(st.lists(_user_part, min_size=1, max_size=3))))
        said: list[Part] = [Text(draw(_word))] if draw(st.booleans()) else []
        calls = [
            ToolCall(
                id=f"c{turn}_{number}", name="f", arguments=draw(_json), signature=draw(st.none() | st.just("sig"))
            )
            for number in range(draw(st.integers(0, 2)))
        ]
        if not (said or calls):
            continue
        messages.append(Message("assistant", [*said, *calls]))
        if calls:
            messages.append(
                Message(
                    "user",
                    [
                        ToolResult(call_id=call.id, content=[Text(draw(_word))], is_error=draw(st.booleans()))
                        for call in calls
                    ],
                )
            )
    tools = [
        Tool(
            name="f",
            description=draw(st.none() | _word),
            parameters={"type": "object", "properties": {}},
            strict=draw(st.booleans()),
        )
    ]
    return Conversation(
        system=[Text(draw(_word))] if draw(st.booleans()) else [],
        messages=messages,
        tools=tools if draw(st.booleans()) or len(messages) > 1 else [],
        tool_choice=draw(st.none() | st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"]))),
        output=draw(st.none() | st.just(OutputFormat(schema={"type": "object"}))),
        max_tokens=draw(st.integers(1, 9)),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])),
        top_p=draw(st.none() | st.just(0.5)),
        top_k=draw(st.none() | st.just(3)),
        seed=draw(st.none() | st.just(1)),
        stop=draw(st.just([]) | st.just(["END"])),
        user=draw(st.none() | st.just("u")),
        n=draw(st.none() | st.just(2)),
        presence_penalty=draw(st.none() | st.just(0.5)),
        reasoning=draw(st.none() | st.builds(ReasoningConfig, effort=st.sampled_from(["low", "high"]))),
        stream=draw(st.booleans()),
    )


def flattened(messages: list[Message]) -> list[tuple[str, Part]]:
    """The parts in order with who said them: turns of one role may be joined or split."""
    return [(message.role, part) for message in messages for part in message.parts]


def as_told(part: Part, dialect: str) -> Part:
    """What the part is once ``dialect`` has carried it: a failed tool is told in words where there is no flag."""
    if isinstance(part, ToolResult) and part.is_error and dialect != "messages":
        return ToolResult(call_id=part.call_id, content=[Text(f"Error: {part.content[0].text}")])  # type: ignore[union-attr]
    if isinstance(part, Image) and dialect == "responses":
        return msgspec.structs.replace(part, detail="auto")
    return part


@settings(max_examples=60)
@given(conversations(), st.sampled_from(DIALECTS))
def test_a_conversation_survives_every_dialect_that_carries_it(conversation: Conversation, dialect: Dialect) -> None:
    """Written and read back it is the same, but for what was named as uncarried."""
    uncarried = Uncarried(conversation)
    try:
        again = dialect.read_request(dialect.write_request(conversation, "m", uncarried))
    except InvalidRequest:
        assert uncarried.parameters  # without them there is no message left to send
        return
    lost = uncarried.parameters
    kept = [
        (message.role, as_told(part, dialect.name))
        for number, message in enumerate(conversation.messages)
        for place, part in enumerate(message.parts)
        if f"messages[{number}].content[{place}]" not in lost
    ]
    if any(name.endswith(".extra_content") for name in lost):
        kept = [
            (role, msgspec.structs.replace(part, signature=None) if isinstance(part, ToolCall) else part)
            for role, part in kept
        ]
    assert flattened(again.messages) == kept
    assert again.system == conversation.system and again.leftover == {}
    for name in (
        "tools",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "stop",
        "user",
        "n",
        "presence_penalty",
        "reasoning",
        "stream",
    ):
        if name not in lost:
            assert getattr(again, name) == getattr(conversation, name), name
    if "tool_choice" not in lost and conversation.tools:
        assert again.tool_choice == conversation.tool_choice
    assert (again.output.schema if again.output else None) == (
        conversation.output.schema if conversation.output else None
    )


@settings(max_examples=60)
@given(conversations(), st.sampled_from(PAIRS))
def test_a_request_is_carried_or_refused_by_name(conversation: Conversation, pair: Any) -> None:
    """No pair of dialects may fail in another way than by naming what it cannot carry, and with leave it goes on."""
    source, target = pair
    try:
        body = source.write_request(conversation, "m", Uncarried(conversation))
    except InvalidRequest:
        reject()  # nothing of it exists in the source's own dialect
    call = a_call(source.name, body)
    try:
        translate_request(call, source, target, "m")
    except UnsupportedParameter as exc:
        assert exc.param and exc.param in exc.message and not call.dropped
        allowed = a_call(source.name, body, allow_dropped=True)
        try:
            assert json.loads(translate_request(allowed, source, target, "m"))
            assert allowed.dropped[0] == exc.param
        except InvalidRequest as nothing_left:
            assert "at least one" in nothing_left.message
    assert call.dropped == []


def test_a_request_of_which_nothing_would_be_left_names_what_is_not_carried() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [audio]}]}).encode()
    with pytest.raises(UnsupportedParameter) as caught:
        translate_request(a_call("chat", body), CHAT, MESSAGES, "m")
    assert caught.value.param == "messages[0].content[0]"
    with pytest.raises(InvalidRequest, match="at least one user message"):
        translate_request(a_call("chat", body, allow_dropped=True), CHAT, MESSAGES, "m")


def test_a_place_is_told_in_the_callers_own_terms() -> None:
    body = json.dumps(
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "x"},
                {"role": "user", "content": "Go"},
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "["}}]},
                {"role": "tool", "tool_call_id": "c", "content": "1"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "?"},
                        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
                    ],
                },
            ],
        }
    ).encode()
    for target in (MESSAGES, GeminiDialect()):
        with pytest.raises(InvalidRequest) as caught:
            translate_request(a_call("chat", body), CHAT, target, "m")
        assert caught.value.param is not None and caught.value.param.startswith("messages[2].tool_calls[0]")
    with pytest.raises(UnsupportedParameter) as named:
        translate_request(a_call("chat", body.replace(b'"["', b'"{}"')), CHAT, MESSAGES, "m")
    assert named.value.param == "messages[4].content[1]"


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=name_of)
def test_every_pair_carries_a_plain_request(source: Any, target: Any) -> None:
    assert b"Hi" in translate_request(hello(source), source, target, "m")


@pytest.mark.parametrize(
    ("target", "part", "uncarried"),
    [
        (RESPONSES, Reasoning(text="hm", signature="s"), ["messages[0].content[0]"]),
        (RESPONSES, Reasoning(signature="s"), ["messages[0].content[0]"]),
        (
            RESPONSES,
            ToolCall(id="c", name="f", arguments="{}", signature="s"),
            ["messages[0].content[0].extra_content"],
        ),
        (MESSAGES, ToolCall(id="c", name="f", arguments="{}", signature="s"), ["messages[0].content[0].extra_content"]),
        (MESSAGES, Reasoning(text="hm"), ["messages[0].content[0]"]),
        (MESSAGES, Reasoning(text="hm", signature="s", encrypted="x"), ["messages[0].content[0]"]),
        (CHAT, Reasoning(text="hm", signature="s", encrypted="x"), []),
        (CHAT, ToolCall(id="c", name="f", arguments="{}", signature="s"), []),
        (GeminiDialect(), Reasoning(text="hm", encrypted="x"), ["messages[0].content[0]"]),
        (GeminiDialect(), ToolCall(id="c", name="f", arguments="{}", signature="s"), []),
    ],
)
def test_a_foreign_proof_is_carried_or_named(target: Any, part: Part, uncarried: list[str]) -> None:
    conversation = Conversation(messages=[Message("assistant", [part]), Message("user", [Text("x")])])
    noted = Uncarried(conversation)
    target.write_request(conversation, "m", noted)
    assert noted.parameters == uncarried


# --- complete answers -------------------------------------------------------------------------------------------


def test_what_an_answer_says_beside_its_words_is_told_as_dropped() -> None:
    cited = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}
    body = json.dumps({"id": "m", "model": "c", "content": [cited, cited], "stop_reason": "end_turn"}).encode()
    call = hello(CHAT)
    translate_reply(body, CHAT, MESSAGES, call, Outcome())
    assert call.dropped == ["reply.citations"]
    noted = {"type": "message", "content": [{"type": "output_text", "text": "x", "annotations": [{"type": "a"}]}]}
    call = hello(MESSAGES)
    translate_reply(
        json.dumps({"id": "r", "output": [noted], "status": "completed"}).encode(), MESSAGES, RESPONSES, call, Outcome()
    )
    assert call.dropped == ["reply.annotations"]


def test_an_answers_gaps_are_filled_from_the_call() -> None:
    call, outcome = hello(CHAT), Outcome()
    reply = json.loads(translate_reply(b'{"choices":[{"message":{"content":"x"}}]}', CHAT, CHAT, call, outcome))
    assert (reply["id"], reply["created"], reply["model"]) == ("r1", 7, "m")
    assert (outcome.upstream_id, outcome.model, outcome.text, outcome.finish_reason) == (None, None, "x", "stop")


_thought = st.builds(Reasoning, text=_word, signature=st.none() | st.just("s"))
_answer_parts = (
    st.tuples(
        st.lists(_thought, max_size=1),
        st.lists(st.builds(Text, _word), max_size=1),
        st.lists(
            st.builds(
                ToolCall, id=st.uuids().map(str), name=st.just("f"), arguments=_json, signature=st.none() | st.just("g")
            ),
            max_size=2,
        ),
    )
    .map(lambda groups: [part for group in groups for part in group])
    .filter(bool)
)


@given(
    _answer_parts,
    st.sampled_from(DIALECTS),
    st.builds(Usage, prompt=st.integers(0, 99), completion=st.integers(0, 99), reasoning=st.integers(0, 9)),
)
def test_an_answer_survives_every_dialect(parts: list[Part], dialect: Any, usage: Usage) -> None:
    called = any(isinstance(part, ToolCall) for part in parts)
    choice = Choice(parts=parts, finish_reason="tool_calls" if called else "stop")
    from_model = msgspec.structs.replace(ANSWER, choices=[choice], usage=usage)
    again = dialect.read_reply(dialect.write_reply(from_model))
    assert again.choices == [choice] and again.usage == usage and (again.id, again.model) == ("a", "m")
    outcome, tapped, call = Outcome(), Outcome(), hello(dialect)
    note_answer(again, call, outcome)
    dialect.tap_reply(dialect.write_reply(from_model), tapped)
    assert (outcome.usage, outcome.finish_reason) == (tapped.usage, tapped.finish_reason)
    assert (outcome.text or "") == (tapped.text or "")


ANSWER = CHAT.read_reply(b'{"id":"a","model":"m","created":7,"choices":[]}')


# --- streams ----------------------------------------------------------------------------------------------------


@st.composite
def streams(draw: st.DrawFn) -> list[Delta]:
    """Deltas as a provider brings them; arguments of parallel calls may be interleaved."""
    deltas: list[Delta] = [Started(id="a", model="m", created_s=7)]
    deltas += draw(st.lists(st.builds(ReasoningDelta, text=_word), max_size=3))
    deltas += draw(st.lists(st.builds(TextDelta, _word), max_size=3))
    pieces = []
    for index in range(draw(st.integers(0, 2))):
        arguments = draw(_json)
        cut = draw(st.integers(0, len(arguments)))
        deltas.append(ToolCallStarted(index=index, id=f"c{index}", name="f", signature=draw(st.none() | st.just("g"))))
        pieces.append(
            [ToolCallDelta(index=index, arguments=piece) for piece in (arguments[:cut], arguments[cut:]) if piece]
        )
    if draw(st.booleans()):
        pieces.reverse()
    deltas += [piece for group in pieces for piece in group]
    deltas.append(Finished(reason="tool_calls" if pieces else draw(st.sampled_from(["stop", "length"]))))
    return [*deltas, UsageReported(Usage(prompt=5, completion=7))]


def told(deltas: list[Delta]) -> dict[str, Any]:
    """What a stream says in the end, whatever its pieces."""
    calls: dict[int, list[Any]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallStarted):
            calls[delta.index] = [delta.id, delta.name, delta.signature, ""]
        elif isinstance(delta, ToolCallDelta):
            calls[delta.index][3] += delta.arguments
    return {
        "text": "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)),
        "refusal": "".join(delta.text for delta in deltas if isinstance(delta, RefusalDelta)),
        "reasoning": "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)),
        "calls": calls,
        "finish": [delta.reason for delta in deltas if isinstance(delta, Finished)],
        "usage": [delta.usage for delta in deltas if isinstance(delta, UsageReported)][-1],
    }


@given(streams(), st.sampled_from(DIALECTS), st.lists(st.integers(1, 200), max_size=20))
def test_a_stream_survives_every_dialect(deltas: list[Delta], dialect: Any, sizes: list[int]) -> None:
    """The matching reader hears what the writer was told, in any chunking, and the tap notes the same outcome."""
    call = hello(dialect, stream=True, **({"stream_options": {"include_usage": True}} if dialect is CHAT else {}))
    call.keep_text = True
    writer = dialect.stream_writer(call)
    wire = b"".join(writer.feed([delta]) for delta in deltas) + writer.end()
    reader, parser, outcome = dialect.stream_reader(), EventParser(), Outcome()
    tap = dialect.tap_stream(call, outcome)
    heard: list[Delta] = []
    rest = wire
    for size in [*sizes, len(wire)]:
        events = parser.feed(rest[:size])
        rest = rest[size:]
        tap.feed(events)
        heard += [delta for event in events for delta in reader.feed(event)]
    tap.end()
    assert reader.finished and tap.finished and told(heard) == told(deltas)
    assert outcome.text == told(deltas)["text"] and outcome.usage == told(deltas)["usage"]
    assert outcome.finish_reason == told(deltas)["finish"][0]


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
def test_a_translated_stream_notes_its_outcome(dialect: Any) -> None:
    call, outcome = hello(dialect, stream=True), Outcome()
    call.keep_text = True
    stream = TranslatedStream(CHAT.stream_reader(), dialect.stream_writer(call), call, outcome)
    stream.take([Started(id="", model="", created_s=0)])
    assert not stream.has_content
    stream.take(
        [
            ReasoningDelta(text="hm"),
            TextDelta("Hé"),
            Lost("citations"),
            Lost("citations"),
            ToolCallStarted(index=0, id="c", name="f"),
            ToolCallDelta(index=0, arguments="{}"),
            Finished(reason="tool_calls"),
            UsageReported(Usage(prompt=1, completion=2)),
        ]
    )
    stream.end()
    assert stream.has_content and call.dropped == ["reply.citations"]
    assert (outcome.text, outcome.output_chars, outcome.finish_reason) == ("Hé", 2 + 2 + 1 + 2, "tool_calls")
    assert outcome.usage == Usage(prompt=1, completion=2)
