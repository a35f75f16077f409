"""One judgement of a trace, a span or a session, whoever made it: a person, a judging model, or code.

It is the same record for a thumb, a score, a label and a comment; in other tools it is called a score (Langfuse), an
assessment (MLflow), an annotation (Phoenix) or the event ``gen_ai.evaluation.result`` (OpenTelemetry). Texts are
anybody's: they are stored as they are, and whoever shows them must escape them.

Not covered: whether the target exists. Feedback may arrive before its trace does.
"""

import re
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from ...errors import InvalidRequest

Target = Literal["trace", "span", "session"]
Source = Literal["human", "judge", "code"]
SOURCES: tuple[Source, ...] = ("human", "judge", "code")
MAX_NAME_CHARS = 100
MAX_LABEL_CHARS = 256
MAX_COMMENT_CHARS = 10_000
_MAX_VALUE = 1e300
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NOBODY = ("0" * 32, "0" * 16)
_TRACE, _SPAN = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """``value`` is a number (a thumb is 1 or 0 and ``is_boolean``), ``label`` a word, ``comment`` a text; at least one
    of them is there. ``source_id`` names who judged: a user, a model with its version, a function. ``run_id`` is the
    eval's run that it is part of."""

    id: str
    tenant: str
    target: Target
    trace_id: str | None = None
    span_id: str | None = None
    session: str | None = None
    name: str
    value: float | None = None
    is_boolean: bool = False
    label: str | None = None
    comment: str | None = None
    source: Source = "human"
    source_id: str | None = None
    run_id: str | None = None
    created_at_ms: int


def assessment_of(given: dict[str, Any], tenant: str, now_ms: int, new_id: str) -> Assessment:
    """The record of what was sent; `InvalidRequest` says what cannot be and what would be right.

    Without an ``id`` it gets ``new_id``; the same id again replaces what was there.
    """
    trace_id, span_id, session = given.get("trace_id"), given.get("span_id"), given.get("session")
    value, label, comment = given.get("value"), given.get("label"), given.get("comment")
    assessment_id = given.get("id") or new_id
    _fits(assessment_id, _ID, "id", "1 to 64 letters, digits and _.:-")
    if (trace_id is None) == (session is None):
        raise InvalidRequest("name either trace_id (and span_id, if it is about one step) or session", param="trace_id")
    if trace_id is not None:
        trace_id = _fits(trace_id.lower(), _TRACE, "trace_id", "32 hexadecimal digits")
    if span_id is not None:
        if trace_id is None:
            raise InvalidRequest("span_id goes with the trace_id that the span is part of", param="span_id")
        span_id = _fits(span_id.lower(), _SPAN, "span_id", "16 hexadecimal digits")
    if value is None and label is None and comment is None:
        raise InvalidRequest("give a value, a label or a comment", param="value")
    if value is not None and not abs(value) <= _MAX_VALUE:  # which NaN is not either
        raise InvalidRequest(f"value: {str(value)[:40]}: must be a number up to 1e300, true or false", param="value")
    if given.get("source", "human") not in SOURCES:
        raise InvalidRequest(f"source: {given['source']!r}: must be one of {', '.join(SOURCES)}", param="source")
    return Assessment(
        id=assessment_id,
        tenant=tenant,
        target="session" if session is not None else "trace" if span_id is None else "span",
        trace_id=trace_id,
        span_id=span_id,
        session=_text(session, "session", MAX_LABEL_CHARS),
        name=_text(given.get("name"), "name", MAX_NAME_CHARS) or _missing("name"),
        value=float(value) if value is not None else None,
        is_boolean=isinstance(value, bool),
        label=_text(label, "label", MAX_LABEL_CHARS),
        comment=_text(comment, "comment", MAX_COMMENT_CHARS),
        source=given.get("source", "human"),
        source_id=_text(given.get("source_id"), "source_id", MAX_LABEL_CHARS),
        run_id=_text(given.get("run_id"), "run_id", MAX_LABEL_CHARS),
        created_at_ms=now_ms,
    )


def derived_id(*parts: object) -> str:
    """The same parts always have the same id, so that what comes twice is stored once."""
    return blake2b(repr(parts).encode(errors="replace"), digest_size=16).hexdigest()


def shown(assessment: Assessment) -> dict[str, Any]:
    """As ``/api/scores`` gives it; a thumb as true or false."""
    fields: dict[str, Any] = msgspec.to_builtins(assessment)
    if fields.pop("is_boolean"):
        fields["value"] = bool(assessment.value)
    return fields


def _fits(value: str, pattern: re.Pattern[str], param: str, right: str) -> str:
    if pattern.fullmatch(value) is None or value in _NOBODY:
        raise InvalidRequest(f"{param}: {value[:80]!r}: must be {right}", param=param)
    return value


def _text(value: str | None, param: str, limit: int) -> str | None:
    """NUL and lone surrogates, which no database stores, become U+FFFD."""
    if value is None or value == "":
        return None
    if len(value) > limit:
        raise InvalidRequest(f"{param}: {len(value):,} characters; at most {limit:,} are kept", param=param)
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _missing(param: str) -> str:
    raise InvalidRequest(f"{param} is missing: what is judged, such as 'helpful' or 'correctness'", param=param)
