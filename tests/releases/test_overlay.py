"""A bundle laid over requests of each dialect."""

from typing import Any

import msgspec
import pytest

from llmops.dialects.registry import CONVERSATIONAL
from llmops.errors import InvalidRequest
from llmops.releases.bundle import read_bundle
from llmops.releases.overlay import Overlay, overlay_of, with_messages
from llmops.types import Operation
from tests.releases.parts import BOT

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
CHAT = {"model": "b", "messages": [{"role": "user", "content": "Hi"}]}


def overlay(operation: Operation, **fields: Any) -> Overlay:
    return overlay_of(read_bundle({**BOT, **fields}), operation, CONVERSATIONAL)


def laid(found: Overlay, body: dict[str, Any]) -> dict[str, Any]:
    fields = DECODER.decode(msgspec.json.encode(body))
    found.lay(fields)
    return msgspec.json.decode(msgspec.json.encode(fields))  # type: ignore[no-any-return]


def test_defaults_give_way_and_forced_ones_do_not() -> None:
    found = overlay("chat", parameters={"temperature": 0.2, "max_tokens": 5, "x": 1}, forced={"seed": 7}, tools=[TOOL])
    assert laid(found, {**CHAT, "temperature": 1, "seed": 1}) == {
        **CHAT,
        "temperature": 1,
        "seed": 7,
        "max_tokens": 5,
        "x": 1,
        "tools": [TOOL],
    }
    assert "max_tokens" not in laid(found, {**CHAT, "max_completion_tokens": 9})
    capped = overlay("chat", forced={"max_completion_tokens": 5})
    assert laid(capped, {**CHAT, "max_tokens": 900}) == {**CHAT, "max_completion_tokens": 5}


def test_other_dialects_get_their_own_words() -> None:
    fields = {"parameters": {"temperature": 0.2, "max_tokens": 5, "stop": ["x"]}, "tools": [TOOL]}
    messages = overlay("messages", **fields)
    assert laid(messages, {"max_tokens": 9}) == {
        "max_tokens": 9,
        "temperature": 0.2,
        "stop_sequences": ["x"],
        "tools": [{"name": "look_up", "input_schema": {"type": "object", "properties": {}}}],
    }
    assert messages.uncarried == () and "max_tokens" not in overlay("messages", parameters={"top_p": 1}).defaults
    responses = overlay("responses", **fields)
    assert responses.uncarried == ("stop",)
    assert laid(responses, {})["max_output_tokens"] == 5 and laid(responses, {})["tools"][0]["name"] == "look_up"
    assert overlay("messages", parameters={"frequency_penalty": 1, "x_own": 1}).uncarried == (
        "x_own",
        "frequency_penalty",
    )
    assert laid(overlay("count_tokens", **fields), {}).keys() == {"tools"}
    assert overlay("embeddings", parameters={"dimensions": 8, "seed": 1}).uncarried == ("seed",)
    assert laid(overlay("embeddings", parameters={"dimensions": 8}), {}) == {"dimensions": 8}
    assert not overlay("chat") and not overlay("responses")


PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]


@pytest.mark.parametrize(
    ("operation", "body", "wanted"),
    [
        ("chat", {"messages": [{"role": "user", "content": "Hi"}]}, {"messages": [*PROMPT, *CHAT["messages"]]}),
        (
            "messages",
            {"messages": CHAT["messages"], "system": "Own."},
            {"messages": [PROMPT[1], *CHAT["messages"]], "system": "Be kind.\n\nOwn."},
        ),
        (
            "messages",
            {"messages": CHAT["messages"], "system": [{"type": "text", "text": "Own."}]},
            {
                "messages": [PROMPT[1], *CHAT["messages"]],
                "system": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Own."}],
            },
        ),
        ("responses", {"input": "Hi"}, {"input": [*PROMPT, {"role": "user", "content": "Hi"}]}),
        ("responses", {"input": CHAT["messages"]}, {"input": [*PROMPT, *CHAT["messages"]]}),
    ],
)
def test_a_prompt_stands_in_front(operation: Operation, body: dict[str, Any], wanted: dict[str, Any]) -> None:
    fields = DECODER.decode(msgspec.json.encode(body))
    with_messages(fields, operation, PROMPT)
    assert msgspec.json.decode(msgspec.json.encode(fields)) == wanted


def test_embeddings_have_no_messages() -> None:
    with pytest.raises(InvalidRequest, match="does not answer embeddings"):
        with_messages({}, "embeddings", PROMPT)
