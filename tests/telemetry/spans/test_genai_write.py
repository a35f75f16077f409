"""What the gateway writes of a span is what is read back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.facts import Facts
from llmops.telemetry.spans.genai_write import Semconv, attributes_of, operation_name, provider_name, span_name
from llmops.telemetry.spans.span import Span

NAME = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
COUNT = st.none() | st.integers(0, 10**9)
FACTS = st.builds(
    Facts,
    step=st.sampled_from(["llm", "embedding", "tool", "gateway", "other"]),
    operation=st.just("chat") | st.just("embeddings") | st.just("execute_tool"),
    provider=st.sampled_from([None, "openai", "anthropic", "azure.ai.openai", "gcp.gemini", "mock"]),
    model=NAME,
    session=NAME,
    user=NAME,
    release_id=NAME,
    prompt=NAME,
    prompt_version=NAME,
    tool=NAME,
    finish_reason=NAME,
    input_tokens=COUNT,
    output_tokens=COUNT,
    cached_tokens=COUNT,
    cache_write_tokens=COUNT,
    reasoning_tokens=COUNT,
    cost_nanousd=st.none() | st.integers(0, 10**15),
    ttft_us=st.none() | st.integers(0, 10**10),
)


@given(facts=FACTS, semconv=st.sampled_from(["1.41", "latest"]))
def test_what_is_written_is_read_back(facts: Facts, semconv: Semconv) -> None:
    attributes = attributes_of(facts, semconv)
    read = facts_of(
        Span(trace_id="a" * 32, span_id="b" * 16, name="x", started_ns=0, ended_ns=0, attributes=attributes)
    )
    step = facts.step if facts.step != "other" else read.step  # the operation says more than "other"
    assert read == msgspec.structs.replace(facts, convention="genai", step=step)


def test_the_two_sets_of_names_differ_where_the_conventions_do() -> None:
    facts = Facts(operation="chat", cache_write_tokens=3, prompt_version="v2")
    old, new = attributes_of(facts), attributes_of(facts, "latest")
    assert {name for name in old if name not in new} == {
        "gen_ai.usage.cache_creation.input_tokens",
        "llmops.prompt_version",
    }
    assert {name for name in new if name not in old} == {
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.prompt.version",
    }


def test_a_response_with_a_bracket_is_still_one_reason() -> None:
    attributes = attributes_of(Facts(finish_reason="[stop"))
    assert attributes["gen_ai.response.finish_reasons"] == ["[stop"]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (Facts(operation="chat", model="gpt-4o"), "chat gpt-4o"),
        (Facts(operation="execute_tool", tool="search", model="gpt-4o"), "execute_tool search"),
        (Facts(step="retriever"), "retriever"),
    ],
)
def test_names_of_spans(facts: Facts, name: str) -> None:
    assert span_name(facts) == name


def test_the_gateways_words_in_the_conventions() -> None:
    assert [operation_name(each) for each in ("messages", "embeddings", "count_tokens")] == [
        "chat",
        "embeddings",
        "count_tokens",
    ]
    assert [provider_name(each) for each in ("openai", "azure", "gemini", "cache", None)] == [
        "openai",
        "azure.ai.openai",
        "gcp.gemini",
        None,
        None,
    ]
