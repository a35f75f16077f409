"""What spans say, in the words of each convention; and that nothing a span holds can break its reading."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.conventions.reading import _TABLE
from llmops.telemetry.spans.facts import Facts
from llmops.telemetry.spans.span import Attributes, Span, SpanEvent


def span_with(attributes: Attributes, **fields: Any) -> Span:
    given = {"name": "a span", "started_ns": 1_000_000_000, "ended_ns": 3_000_000_000, **fields}
    return Span(trace_id="a" * 32, span_id="b" * 16, attributes=attributes, **given)


def said(attributes: Attributes, **fields: Any) -> dict[str, Any]:
    """The facts that are stated."""
    facts = msgspec.structs.asdict(facts_of(span_with(attributes, **fields)))
    return {name: value for name, value in facts.items() if value is not None}


MESSAGES_IN = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": {"rain": True}}]},
]
MESSAGES_OUT = [
    {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "Look it up."},
            {"type": "tool_call", "id": "c", "name": "weather", "arguments": {"city": "Paris"}},
        ],
        "finish_reason": "tool_call",
    }
]
GENAI_OUT = {
    "convention": "genai",
    "step": "llm",
    "operation": "chat",
    "provider": "openai",
    "model": "gpt-4o",
    "response_model": "gpt-4o-2024-08-06",
    "finish_reason": "stop",
    "input_tokens": 100,
    "output_tokens": 20,
}


def test_genai_1_41() -> None:
    assert said(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop", "length"],
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 40,
            "gen_ai.usage.cache_creation.input_tokens": 8,
            "gen_ai.usage.reasoning.output_tokens": 5,
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.conversation.id": "c-1",
            "gen_ai.prompt.name": "greeting",
            "gen_ai.input.messages": json.dumps(MESSAGES_IN),
            "gen_ai.output.messages": MESSAGES_OUT,  # as text or as it is: both are allowed
        },
        resource={"service.name": "shop"},
    ) == GENAI_OUT | {
        "cached_tokens": 40,
        "cache_write_tokens": 8,
        "reasoning_tokens": 5,
        "ttft_us": 250_000,
        "session": "c-1",
        "prompt": "greeting",
        "service": "shop",
        "input_text": 'Be brief.\nWeather in Paris?\n{"rain":true}',
        "output_text": 'Look it up.\n{"city":"Paris"}',
    }


def test_genai_with_its_newer_names() -> None:
    assert said(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.cache_write.input_tokens": 8,
            "gen_ai.usage.cache_creation.input_tokens": 9,
            "gen_ai.prompt.version": 3,
            "gen_ai.usage.cost.amount": 0.0001234,
            "gen_ai.usage.cost.currency": "usd",
        }
    ) == {
        "convention": "genai",
        "step": "llm",
        "operation": "chat",
        "cache_write_tokens": 8,
        "prompt_version": "3",
        "cost_nanousd": 123_400,
    }


@pytest.mark.parametrize("as_text", [False, True])
def test_genai_up_to_1_36_with_its_events(as_text: bool) -> None:
    answer: Any = {"role": "assistant", "content": "Mild."}
    assert said(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
        },
        events=[
            SpanEvent(name="gen_ai.system.message", attributes={"content": "Be brief."}),
            SpanEvent(name="gen_ai.user.message", attributes={"gen_ai.system": "openai", "content": "Weather?"}),
            SpanEvent(
                name="gen_ai.choice",
                attributes={"index": 0, "finish_reason": "stop", "message": json.dumps(answer) if as_text else answer},
            ),
        ],
    ) == GENAI_OUT | {"input_text": "Be brief.\nWeather?", "output_text": "Mild."}


def test_an_event_with_the_details_of_an_operation() -> None:
    details = {"gen_ai.output.messages": MESSAGES_OUT, "gen_ai.request.model": "not this one"}
    found = said(
        {"gen_ai.request.model": "gpt-4o"},
        events=[SpanEvent(name="gen_ai.client.inference.operation.details", attributes=details)],
    )
    assert (found["model"], found["output_text"]) == ("gpt-4o", 'Look it up.\n{"city":"Paris"}')


def test_openinference() -> None:
    assert said(
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "azure",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": '{"temperature": 0}',
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 20,
            "llm.token_count.total": 120,
            "llm.token_count.prompt_details.cache_read": 40,
            "llm.token_count.completion_details.reasoning": 5,
            "llm.cost.prompt": 0.00025,
            "llm.cost.completion": 0.0002,
            "session.id": "s",
            "user.id": "u",
            "input.value": '{"messages": "as they were sent"}',
            "llm.input_messages.10.message.content": "eleventh",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "Weather?",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city":"Paris"}',
        },
        events=[SpanEvent(name="First Token Stream Event", at_ns=1_250_000_000)],
    ) == {
        "convention": "openinference",
        "step": "llm",
        "operation": "chat",
        "provider": "azure.ai.openai",
        "model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 20,
        "cached_tokens": 40,
        "reasoning_tokens": 5,
        "cost_nanousd": 450_000,
        "session": "s",
        "user": "u",
        "ttft_us": 250_000,
        "input_text": "Be brief.\nWeather?\neleventh",
        "output_text": '{"city":"Paris"}',
    }


@pytest.mark.parametrize(
    ("kind", "step", "operation"),
    [
        ("EMBEDDING", "embedding", "embeddings"),
        ("CHAIN", "chain", None),
        ("RETRIEVER", "retriever", "retrieval"),
        ("RERANKER", "reranker", None),
        ("TOOL", "tool", "execute_tool"),
        ("AGENT", "agent", "invoke_agent"),
        ("GUARDRAIL", "guardrail", None),
        ("EVALUATOR", "evaluator", None),
        ("PROMPT", "prompt", None),
        ("UNKNOWN", "other", None),
    ],
)
def test_kinds_of_openinference(kind: str, step: str, operation: str | None) -> None:
    facts = facts_of(span_with({"openinference.span.kind": kind}))
    assert (facts.convention, facts.step, facts.operation) == ("openinference", step, operation)


def test_documents_that_were_retrieved_are_what_came_out() -> None:
    found = said(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "refunds",
            "retrieval.documents.0.document.content": "Within 30 days.",
            "retrieval.documents.0.document.score": 0.9,
            "retrieval.documents.1.document.content": "In shops.",
        }
    )
    assert (found["input_text"], found["output_text"]) == ("refunds", "Within 30 days.\nIn shops.")


def test_openllmetry_of_today() -> None:
    """GenAI's names, and its own for workflows and what belongs together."""
    assert said(
        {
            "traceloop.workflow.name": "answer",
            "traceloop.association.properties.session_id": "s",
            "traceloop.association.properties.user_id": "u",
            "traceloop.prompt.key": "greeting",
            "traceloop.prompt.version": 3,
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.reasoning_tokens": 2,
            "gen_ai.is_streaming": False,
        }
    ) == {
        "convention": "openllmetry",
        "step": "llm",
        "operation": "chat",
        "provider": "openai",
        "session": "s",
        "user": "u",
        "prompt": "greeting",
        "prompt_version": "3",
        "input_tokens": 7,
        "reasoning_tokens": 2,
    }


@pytest.mark.parametrize("beginnings", [("gen_ai.prompt", "gen_ai.completion"), ("llm.prompts", "llm.completions")])
def test_openllmetry_as_it_was(beginnings: tuple[str, str]) -> None:
    into, out = beginnings
    assert said(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 7,
            "gen_ai.usage.completion_tokens": 3,
            "gen_ai.usage.cache_read_input_tokens": 2,
            "llm.usage.total_tokens": 10,
            f"{into}.0.role": "user",
            f"{into}.0.content": "Weather?",
            f"{out}.0.content": "Mild.",
            "gen_ai.completion.0.finish_reason": "stop",
        }
    ) == {
        "convention": "openllmetry",
        "step": "llm",
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-4o",
        "finish_reason": "stop",
        "input_tokens": 7,
        "output_tokens": 3,
        "cached_tokens": 2,
        "input_text": "Weather?",
        "output_text": "Mild.",
    }


@pytest.mark.parametrize(
    ("kind", "step"), [("workflow", "chain"), ("task", "chain"), ("agent", "agent"), ("tool", "tool")]
)
def test_kinds_of_openllmetry(kind: str, step: str) -> None:
    facts = facts_of(span_with({"traceloop.span.kind": kind, "traceloop.entity.name": "search"}))
    assert (facts.convention, facts.step, facts.tool) == ("openllmetry", step, "search" if kind == "tool" else None)


def test_a_search_of_a_vector_store_is_retrieval_and_a_write_is_not() -> None:
    assert facts_of(span_with({"db.system": "chroma"}, name="chroma.query")).step == "retriever"
    assert facts_of(span_with({"db.system": "chroma"}, name="chroma.add")).step == "other"
    assert facts_of(span_with({"db.system": "postgresql"}, name="pg.query")).step == "other"


def test_langfuse() -> None:
    assert said(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": '{"input": 7, "output": 3}',
            "langfuse.observation.cost_details": '{"total": 0.00001}',
            "langfuse.observation.prompt.version": 2,
            "langfuse.release": "r1",
            "user.id": "u",
        }
    ) == {
        "convention": "none",
        "step": "llm",
        "model": "gpt-4o",
        "input_tokens": 7,
        "output_tokens": 3,
        "cost_nanousd": 10_000,
        "prompt_version": "2",
        "release_id": "r1",
        "user": "u",
    }


def test_where_conventions_disagree_ours_wins_then_the_newer_then_openinference() -> None:
    several = {
        "llm.token_count.prompt": 4,
        "gen_ai.usage.prompt_tokens": 3,
        "gen_ai.usage.input_tokens": 2,
        "openinference.span.kind": "CHAIN",
        "traceloop.span.kind": "tool",
        "langfuse.user.id": "third",
        "user.id": "second",
        "llmops.user": "first",
    }
    for order in (several, dict(reversed(several.items()))):
        facts = facts_of(span_with(order))
        assert (facts.input_tokens, facts.step, facts.user) == (2, "chain", "first")
    assert facts_of(span_with({"gen_ai.usage.input_tokens": "2", "llm.token_count.prompt": 4})).input_tokens == 4, (
        "what makes no sense does not win"
    )


@pytest.mark.parametrize(
    ("value", "nanousd"),
    [
        (0.1, 100_000_000),
        (1e-9, 1),
        ("0.000000001", 1),
        (0.1 + 0.2, 300_000_000),
        (3, 3_000_000_000),
        (0, 0),
        (-0.1, None),
        (math.nan, None),
        (math.inf, None),
        (1e30, None),
        ("free", None),
        ("9" * 1000, None),
        (True, None),
        ([1], None),
    ],
)
def test_money(value: Any, nanousd: int | None) -> None:
    assert facts_of(span_with({"llm.cost.total": value})).cost_nanousd == nanousd


@pytest.mark.parametrize("currency", ["EUR", 5, None, ""])
def test_other_money_than_dollars_is_no_cost(currency: Any) -> None:
    assert facts_of(
        span_with({"gen_ai.usage.cost.amount": 1.0, "gen_ai.usage.cost.currency": currency})
    ).cost_nanousd is (None)


def test_half_of_a_cost_is_no_cost() -> None:
    assert facts_of(span_with({"llm.cost.prompt": 0.1})).cost_nanousd is None


@pytest.mark.parametrize("value", ["12", -1, 10**10, 1.5, math.nan, math.inf, True, None, [3], {"a": 1}, b"1"])
def test_a_count_that_is_none(value: Any) -> None:
    assert facts_of(span_with({"gen_ai.usage.input_tokens": value})).input_tokens is None


def test_a_whole_number_that_came_as_a_float_is_a_count() -> None:
    assert facts_of(span_with({"gen_ai.usage.input_tokens": 12.0})).input_tokens == 12


def test_names_are_cut_and_hold_no_nul() -> None:
    facts = facts_of(span_with({"session.id": "s" * 1_000_000, "user.id": "a\0b", "gen_ai.request.model": ""}))
    assert (facts.session, facts.user, facts.model) == ("s" * 256, "a\N{REPLACEMENT CHARACTER}b", None)


def test_texts_are_bounded() -> None:
    huge = {f"llm.input_messages.{number}.message.content": "word " * 1000 for number in range(100)}
    text = facts_of(span_with(huge)).input_text
    assert text is not None and len(text) == 65_536


def test_messages_nested_without_end_are_read_as_far_as_is_sensible() -> None:
    nested = "[" * 5000 + "]" * 5000
    assert facts_of(span_with({"gen_ai.input.messages": nested})).input_text == nested
    deep: Any = "words"
    for _ in range(5000):
        deep = [deep]
    assert facts_of(span_with({"gen_ai.input.messages": deep})).input_text is None


def test_an_event_before_its_span_is_no_first_token() -> None:
    event = SpanEvent(name="First Token Stream Event", at_ns=999)
    assert facts_of(span_with({}, events=[event])).ttft_us is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *_TABLE,
        "llm.input_messages.0.message.content",
        "llm.input_messages.x.message.content",
        "llm.input_messages.",
        "gen_ai.prompt.99999999999999.content",
        "../../etc/passwd",
        "<script>",
        "",
    ]
)
ATTRIBUTES = st.dictionaries(NAMES | st.text(max_size=12), ANYTHING, max_size=12)
EVENT_NAMES = st.sampled_from(
    ["gen_ai.choice", "gen_ai.user.message", "gen_ai.client.inference.operation.details", "First Token Stream Event"]
)
EVENTS = st.lists(
    st.builds(
        lambda name, at_ns, content, attributes: SpanEvent(
            name=name, at_ns=at_ns, attributes={"content": content, "message": content, **attributes}
        ),
        EVENT_NAMES,
        st.integers(-(2**63), 2**64),
        ANYTHING,
        ATTRIBUTES,
    ),
    max_size=3,
)


@given(attributes=ATTRIBUTES, resource=ATTRIBUTES, events=EVENTS)
def test_nothing_breaks_the_reading_and_every_fact_is_of_its_type(
    attributes: Attributes, resource: Attributes, events: list[SpanEvent]
) -> None:
    facts = facts_of(span_with(attributes, resource=resource, events=events))
    assert msgspec.convert(msgspec.to_builtins(facts), Facts) == facts
    for number in (facts.input_tokens, facts.output_tokens, facts.cost_nanousd, facts.ttft_us):
        assert number is None or 0 <= number < 2**62
