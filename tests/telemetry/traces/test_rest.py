"""A stored span is the span that was stored; a masked one has no text left that anybody wrote."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.spans.span import Span, SpanEvent, SpanLink
from llmops.telemetry.traces.masking import masked
from llmops.telemetry.traces.rest import pack, unpack
from llmops.telemetry.traces.rest_dictionary import DICTIONARY

LONG = "a sentence that a person wrote. " * 10


def span(**fields: Any) -> Span:
    return Span(**{"trace_id": "1" * 32, "span_id": "2" * 16, "name": "n", "started_ns": 1, "ended_ns": 2, **fields})


values = st.recursive(
    st.none() | st.text() | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
attributes = st.dictionaries(st.text(), values, max_size=5)


@given(attributes, attributes, st.text())
def test_a_span_is_the_same_again(own: dict[str, Any], others: dict[str, Any], name: str) -> None:
    given_span = span(
        name=name,
        attributes=own,
        resource=others,
        events=[SpanEvent(name=name, at_ns=5, attributes=others)],
        links=[SpanLink(trace_id="3" * 32, span_id="4" * 16, attributes=own)],
    )
    assert unpack(pack(given_span)) == given_span


@pytest.mark.parametrize("rest", [b"", b"\x09abc", b"\x00abc", b"\x01abc", b"\x00\xc0", pack(span(name=LONG))[:-3]])
def test_what_is_no_stored_span_is_said_to_be_none(rest: bytes) -> None:
    with pytest.raises(ValueError, match="stored span"):
        unpack(rest)


def test_the_dictionary_is_what_stored_spans_need() -> None:
    """To change it would make every stored span unreadable."""
    assert hashlib.sha256(DICTIONARY).hexdigest()[:16] == "38eed80c62308bdd"


TEXTS = {
    "gen_ai.input.messages": '[{"role":"user","content":"secret"}]',
    "gen_ai.prompt.0.content": "secret",
    "gen_ai.completion.0.content": "secret",
    "gen_ai.tool.call.arguments": "secret",
    "llm.input_messages.0.message.content": "secret",
    "llm.output_messages.0.message.contents.0.message_content.text": "secret",
    "llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments": "secret",
    "llm.prompt_template.variables": "secret",
    "input.value": "secret",
    "output.value": "secret",
    "traceloop.entity.input": "secret",
    "retrieval.documents.0.document.content": "secret",
    "embedding.embeddings.0.embedding.text": "secret",
    "app.own": LONG,
    "app.bytes": b"secret",
    "app.list": ["short", LONG],
    "input.messages": [{"content": "secret"}],
    "app.map": {"content": "secret", "count": 3},
}
NO_TEXTS = {
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 5,
    "session.id": "s-1",
    "llm.model_name": "claude",
    "retrieval.documents.0.document.id": "doc-7",
    "retrieval.documents.0.document.score": 0.5,
    "server.address": "api.openai.com",
    "exception.type": "ValueError",
}


@pytest.mark.parametrize("key", TEXTS)
def test_texts_are_masked(key: str) -> None:
    given_span = span(attributes={key: TEXTS[key]}, events=[SpanEvent(name="e", attributes={key: TEXTS[key]})])
    shown = repr(masked(given_span))
    assert "secret" not in shown and LONG not in shown
    assert "[masked: " in shown


def test_all_else_is_kept() -> None:
    assert masked(span(attributes=NO_TEXTS)).attributes == NO_TEXTS


@given(attributes)
def test_masking_again_changes_nothing(own: dict[str, Any]) -> None:
    once = masked(span(attributes=own))
    assert masked(once) == once
