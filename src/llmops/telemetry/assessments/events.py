"""The event ``gen_ai.evaluation.result`` of a span as an assessment of that span, and back.

OpenTelemetry says neither who judged nor what the result is of beyond the span that the event is on: the source is a
judge where an ``llmops.source`` does not say otherwise. The id is made of the event itself (or is ``llmops.score_id``),
so that a span that comes twice is judged once. An event that makes no sense is no assessment, and stays with its span.
"""

from typing import Any

from ...errors import InvalidRequest
from ..spans.span import Attributes, Span, SpanEvent
from .assessment import (
    MAX_COMMENT_CHARS,
    MAX_LABEL_CHARS,
    MAX_NAME_CHARS,
    SOURCES,
    Assessment,
    assessment_of,
    derived_id,
)

EVENT = "gen_ai.evaluation.result"
_PREFIX = "gen_ai.evaluation."


def assessments_of(span: Span, tenant: str, received_us: int) -> list[Assessment]:
    """What the events of a span say of it; usually nothing."""
    found = []
    for number, event in enumerate(span.events):
        if event.name == EVENT:
            try:
                found.append(_assessment(span, event, number, tenant, received_us))
            except InvalidRequest:
                continue
    return found


def span_of(assessment: Assessment) -> Span | None:
    """A span without duration that carries an assessment to whoever reads such events; None for one of a session,
    which has no trace to be part of."""
    if assessment.trace_id is None:
        return None
    attributes: Attributes = {f"{_PREFIX}name": assessment.name}
    for name, value in (
        (f"{_PREFIX}score.value", assessment.value),
        (f"{_PREFIX}score.label", assessment.label),
        (f"{_PREFIX}explanation", assessment.comment),
        ("llmops.score_id", assessment.id),
        ("llmops.source", assessment.source),
        ("llmops.source_id", assessment.source_id),
        ("llmops.run_id", assessment.run_id),
        ("llmops.target", assessment.target),
        ("llmops.boolean", assessment.is_boolean or None),
    ):
        if value is not None:
            attributes[name] = value
    at_ns = assessment.created_at_ms * 1_000_000
    return Span(
        trace_id=assessment.trace_id,
        span_id=derived_id("score", assessment.tenant, assessment.id)[:16],
        parent_id=assessment.span_id,
        name=f"evaluation {assessment.name}",
        started_ns=at_ns,
        ended_ns=at_ns,
        attributes={"llmops.step": "evaluator"},
        events=[SpanEvent(name=EVENT, at_ns=at_ns, attributes=attributes)],
        resource={"service.name": "llmops-gateway"},
    )


def _assessment(span: Span, event: SpanEvent, number: int, tenant: str, received_us: int) -> Assessment:
    said = event.attributes
    name, value = said.get(f"{_PREFIX}name"), said.get(f"{_PREFIX}score.value")
    is_number = isinstance(value, int | float)
    of_trace = said.get("llmops.target") == "trace"
    span_id = span.parent_id if "llmops.score_id" in said and not of_trace else span.span_id
    source = said.get("llmops.source")
    given: dict[str, Any] = {
        "id": said.get("llmops.score_id") if isinstance(said.get("llmops.score_id"), str) else None,
        "trace_id": span.trace_id,
        "span_id": None if of_trace else span_id,
        "name": _cut(name, MAX_NAME_CHARS),
        "value": (bool(value) if said.get("llmops.boolean") is True else value) if is_number else None,
        "label": _cut(said.get(f"{_PREFIX}score.label"), MAX_LABEL_CHARS),
        "comment": _cut(said.get(f"{_PREFIX}explanation"), MAX_COMMENT_CHARS),
        "source": source if source in SOURCES else "judge",
        "source_id": _cut(said.get("llmops.source_id"), MAX_LABEL_CHARS),
        "run_id": _cut(said.get("llmops.run_id"), MAX_LABEL_CHARS),
    }
    at_ms = event.at_ns // 1_000_000 if 0 < event.at_ns < 2**62 else received_us // 1000
    return assessment_of(given, tenant, at_ms, derived_id(span.trace_id, span.span_id, number, event.at_ns, name))


def _cut(value: Any, limit: int) -> str | None:
    return value[:limit] if isinstance(value, str) else None
