"""Judgements: what is one, and that the event of OpenTelemetry's conventions says the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.telemetry.assessments.assessment import Assessment, assessment_of, shown
from llmops.telemetry.assessments.events import EVENT, assessments_of, span_of
from llmops.telemetry.spans.span import Span, SpanEvent

TRACE, SPAN = "ab" * 16, "cd" * 8


def made(**fields: Any) -> Assessment:
    return assessment_of({"trace_id": TRACE, "name": "helpful", "value": 1, **fields}, "acme", 1000, "new")


def test_a_thumb_stays_one() -> None:
    assert (made(value=False).value, made(value=False).is_boolean, shown(made(value=False))["value"]) == (
        0,
        True,
        False,
    )
    assert shown(made(value=0))["value"] == 0.0 and shown(made(value=0))["value"] is not False


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trace_id": None}, "trace_id"),
        ({"session": "s"}, "either trace_id"),
        ({"trace_id": "xyz"}, "32 hexadecimal"),
        ({"trace_id": "0" * 32}, "32 hexadecimal"),
        ({"span_id": "1"}, "16 hexadecimal"),
        ({"trace_id": None, "session": "s", "span_id": SPAN}, "goes with the trace_id"),
        ({"value": None}, "value, a label or a comment"),
        ({"value": float("nan")}, "must be a number"),
        ({"value": float("inf")}, "must be a number"),
        ({"value": 10**400}, "must be a number"),
        ({"name": ""}, "name is missing"),
        ({"name": None}, "name is missing"),
        ({"name": "x" * 101}, "at most 100"),
        ({"label": "x" * 257}, "at most 256"),
        ({"comment": "x" * 10_001}, "at most 10,000"),
        ({"id": "a/b"}, "1 to 64 letters"),
        ({"id": "x" * 65}, "1 to 64 letters"),
        ({"source": "ghost"}, "human, judge, code"),
    ],
)
def test_what_is_no_judgement_is_refused_and_says_why(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        made(**fields)
    assert words in refused.value.message and len(refused.value.message) < 300


def test_hostile_texts_are_data() -> None:
    kept = made(comment="<script>\0\ud800'; DROP TABLE assessments --", label="../../etc", source_id="\u202e")
    assert (
        kept.comment == "<script>\N{REPLACEMENT CHARACTER}?'; DROP TABLE assessments --" and kept.label == "../../etc"
    )


def test_an_event_of_others_is_a_judgement_of_its_span() -> None:
    said = {
        "gen_ai.evaluation.name": "correctness",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "fair",
        "gen_ai.evaluation.explanation": "half of it",
    }
    span = _span(said)
    (found,) = assessments_of(span, "acme", 5_000_000)
    assert (found.target, found.span_id, found.trace_id) == ("span", SPAN, TRACE)
    assert (found.name, found.value, found.label, found.comment) == ("correctness", 0.5, "fair", "half of it")
    assert (found.source, found.tenant, found.created_at_ms) == ("judge", "acme", 7)
    assert assessments_of(span, "acme", 9_000_000) == [found], "the same id whenever it comes"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers())
KEYS = st.sampled_from(
    [
        *(f"gen_ai.evaluation.{name}" for name in ("name", "score.value", "score.label", "explanation")),
        *(f"llmops.{name}" for name in ("score_id", "source", "source_id", "run_id", "target", "boolean")),
    ]
)


@given(st.dictionaries(KEYS, VALUES), st.integers(-5, 2**64 - 1))
def test_whatever_an_event_says_nothing_breaks(said: dict[str, Any], at_ns: int) -> None:
    for found in assessments_of(_span(said, at_ns), "acme", 1_000_000):
        assert found.tenant == "acme" and found.trace_id == TRACE and -(2**63) < found.created_at_ms < 2**63


@given(
    st.sampled_from([{}, {"span_id": SPAN}]),
    st.sampled_from([{"value": True}, {"value": 0.25}, {"label": "no"}, {"comment": "words"}]),
    st.sampled_from(["human", "judge", "code"]),
)
def test_a_judgement_that_travels_as_a_span_is_the_same(where: Any, what: Any, source: str) -> None:
    sent = made(**{"value": None, "id": "s-1", "source": source, "source_id": "me", "run_id": "r"} | where | what)
    span = span_of(sent)
    assert span is not None and assessments_of(span, "acme", 0) == [sent]


def test_one_of_a_session_has_no_span() -> None:
    assert span_of(made(trace_id=None, session="s")) is None


def _span(said: dict[str, Any], at_ns: int = 7_000_000) -> Span:
    event = SpanEvent(name=EVENT, at_ns=at_ns, attributes=said)
    return Span(trace_id=TRACE, span_id=SPAN, name="chat", started_ns=1, ended_ns=2, events=[event])
