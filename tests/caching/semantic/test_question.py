"""Which calls have a question, and what keeps two questions apart."""

from typing import Any

import msgspec
import pytest

from llmops.caching.fingerprint import Fingerprints
from llmops.caching.semantic.question import Asked, Rules, asked_by
from llmops.dialects.registry import DIALECTS
from llmops.types import Call, Operation

_FINGERPRINTS = Fingerprints(b"k" * 32)
_RULES = Rules()
_SYSTEM = {"role": "system", "content": "Be brief."}


def asked(
    body: dict[str, Any], operation: Operation = "chat", rules: Rules = _RULES, generation: bytes = b"", **fields: Any
) -> Asked | None:
    raw = msgspec.json.encode({"model": "m", **body})
    call = Call(
        operation=operation,
        body=raw,
        view=DIALECTS[operation].view(raw),
        request_id="req_1",
        trace_id="1" * 32,
        span_id="2" * 16,
        started_at_s=0.0,
        started_s=0.0,
        **fields,
    )
    return asked_by(call, _FINGERPRINTS, generation, rules)


def chat(content: Any, *before: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": [*before, {"role": "user", "content": content}], **fields}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat", chat("Why?")),
        ("chat", chat([{"type": "text", "text": "Why?"}])),
        ("chat", chat("Why?", _SYSTEM, temperature=0, seed=4, top_p=0.1)),
        ("chat", chat("Why?", top_p=1, tools=[], n=1, stream=True)),
        ("chat", chat("Why?", tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="none")),
        ("chat", chat("Why?", response_format={"type": "json_object"})),
        ("messages", {**chat("Why?"), "max_tokens": 9, "system": "Be brief."}),
        ("messages", {**chat([{"type": "text", "text": "Why?"}]), "max_tokens": 9}),
        ("responses", {"input": "Why?", "instructions": "Be brief."}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]}),
    ],
)
def test_a_question(operation: Operation, body: dict[str, Any]) -> None:
    found = asked(body, operation)
    assert found is not None and found.question == "Why?"


_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_TOOL = {"type": "function", "function": {"name": "f"}}
_IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/i.png"}}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("embeddings", {"input": "Why?"}),
        ("chat", chat("Why?", temperature=0.1)),
        ("chat", chat("Why?", seed=4)),
        ("chat", chat("Why?", top_p=0.9)),
        ("chat", chat("Why?", n=2, temperature=0)),
        ("chat", chat("Why?", tools=[_TOOL])),
        ("chat", chat("Why?", functions=[{"name": "f"}], tool_choice="auto")),
        ("chat", chat("Why?", modalities=["text", "audio"])),
        ("chat", chat("Why?", web_search_options={"search_context_size": "low"})),
        ("chat", chat([{"type": "text", "text": "Why?"}, _IMAGE])),
        ("chat", chat("Why?", {"role": "user", "content": [_IMAGE]})),
        ("chat", chat("Why?", {"role": "assistant", "content": None, "tool_calls": [_CALL]})),
        ("chat", chat("Why?", {"role": "tool", "content": "4", "tool_call_id": "c"})),
        ("chat", chat("Why?", {"role": "assistant", "content": None, "function_call": {"name": "f"}})),
        ("chat", {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because"}]}),
        ("chat", chat("  ")),
        ("chat", chat("x" * 2001)),
        ("messages", {**chat("Why?"), "max_tokens": 9, "top_k": 5}),
        ("messages", {**chat([{"type": "image", "source": {}}]), "max_tokens": 9}),
        ("messages", {**chat([{"type": "tool_result", "tool_use_id": "t", "content": "4"}]), "max_tokens": 9}),
        ("responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": "4"}]}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}),
        ("responses", {"input": "Why?", "previous_response_id": "resp_1"}),
        ("responses", {"input": "Why?", "tools": [{"type": "web_search"}]}),
        ("responses", {"prompt": {"id": "pmpt_1"}}),
    ],
)
def test_no_question(operation: Operation, body: dict[str, Any]) -> None:
    assert asked(body, operation) is None


def test_only_the_question_may_differ() -> None:
    start = chat("Why?", _SYSTEM)
    one, other = asked(start), asked(chat("How?", _SYSTEM))
    assert one is not None and other is not None and one.namespace == other.namespace
    elsewhere: list[Asked | None] = [
        asked(start, tenant="other"),
        asked(start, release_id="r"),
        asked(start, prompt_version="v2"),
        asked(start, knowledge="base@2"),
        asked(start, allow_dropped=True),
        asked(start, generation=b"other"),
        asked({**start, "model": "other"}),
        asked({**start, "max_tokens": 5}),
        asked({**start, "stream": True}),
        asked({**start, "temperature": 0}),
        asked({**start, "response_format": {"type": "json_object"}}),
        asked({**start, "tools": [_TOOL], "tool_choice": "none"}),
        asked(chat("Why?")),
        asked(chat("Why?", {"role": "system", "content": "Be long."})),
        asked(chat("Why?", _SYSTEM, {"role": "user", "content": "Hi"})),
        asked({"messages": [_SYSTEM, {"role": "user", "content": "Why?", "name": "ann"}]}),
    ]
    namespaces = [one.namespace, *(found.namespace for found in elsewhere if found is not None)]
    assert len(namespaces) == len(elsewhere) + 1 == len(set(namespaces))


def test_who_asks_does_not_matter_within_a_tenant() -> None:
    one, other = asked(chat("Why?", user="ann")), asked(chat("Why?", user="bob"))
    assert one == other


def test_only_calls_that_are_certain_to_be_repeatable() -> None:
    rules = Rules(only_deterministic=True)
    assert asked(chat("Why?"), rules=rules) is None
    assert asked(chat("Why?", temperature=0), rules=rules) is not None
