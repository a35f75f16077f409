"""One exchange as it was recorded: what was asked and what was answered, from the log's calls or from spans.

Of a trace with several steps it is the first that has both, in the tree's order: what came in at the top, where the
application's own span says it, and otherwise the first model call.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...telemetry.redaction import Redactor
from ...telemetry.spans.conventions import facts_of
from ...telemetry.spans.span import Span
from ...telemetry.traces.view import ShownSpan, TraceView
from .logged import LoggedCall

_MAX_CHARS = 10_000_000


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """``input`` is a text or a list of messages. Texts are as they were captured, not masked again."""

    trace_id: str
    span_id: str
    input: Any
    output: str


def of_calls(calls: list[LoggedCall], span_id: str | None) -> Recorded | None:
    """The call of that span, or the first that has both texts."""
    whole = [call for call in calls if call.output and any(each.content for each in call.messages_masked)]
    chosen = next((call for call in whole if call.span_id == span_id), whole[0] if whole else None)
    if chosen is None or chosen.output is None:
        return None
    asked = [{"role": each.role, "content": _content(each.content)} for each in chosen.messages_masked if each.content]
    return Recorded(trace_id=chosen.trace_id, span_id=chosen.span_id, input=_plain(asked), output=chosen.output)


def of_spans(view: TraceView) -> Recorded | None:
    for shown in view.page:
        found = _of_span(view.trace_id, shown)
        if found is not None:
            return found
    return None


def masking_of(patterns: Sequence[str] = ()) -> Redactor:
    """What texts of datasets are masked by: all that is known and the operator's patterns, whatever capture was set to.
    Nothing is cut: half a question is no case."""
    return Redactor(patterns, max_chars=_MAX_CHARS)


def masked(value: Any, redactor: Redactor) -> Any:
    """A JSON value with every text in it masked."""
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, list):
        return [masked(each, redactor) for each in value]
    if isinstance(value, dict):
        return {redactor.text(str(name)): masked(each, redactor) for name, each in value.items()}
    return value


def _of_span(trace_id: str, shown: ShownSpan) -> Recorded | None:
    span = Span(
        trace_id=trace_id,
        span_id=shown.span_id,
        name=shown.name,
        started_ns=0,
        ended_ns=0,
        attributes=shown.attributes,
        resource=shown.resource,
    )
    facts = facts_of(span)
    if not facts.input_text or not facts.output_text:
        return None
    asked = _messages(shown.attributes.get("gen_ai.input.messages")) or facts.input_text
    return Recorded(trace_id=trace_id, span_id=shown.span_id, input=_plain(asked), output=facts.output_text)


def _messages(value: Any) -> list[dict[str, Any]] | None:
    """OpenTelemetry's list of messages as a request has it; None where it is more than texts."""
    try:
        listed = msgspec.json.decode(value) if isinstance(value, str) else value
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(listed, list):
        return None
    found = []
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("role"), str):
            return None
        parts = each.get("parts")
        if isinstance(parts, list):
            texts = [part.get("content") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
            if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
                return None
            found.append({"role": each["role"], "content": "\n".join(map(str, texts))})
        elif isinstance(each.get("content"), str):
            found.append({"role": each["role"], "content": each["content"]})
        else:
            return None
    return found or None


def _content(text: str | None) -> Any:
    """A message's content: parts were captured as their JSON."""
    if text is not None and text[:1] == "[":
        try:
            parts = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text
        if parts and all(isinstance(part, dict) and "type" in part for part in parts):
            return parts
    return text


def _plain(asked: Any) -> Any:
    """One user's message alone is its text."""
    if isinstance(asked, list) and len(asked) == 1 and asked[0]["role"] == "user":
        content = asked[0]["content"]
        return content if isinstance(content, str) else asked
    return asked
