"""Rows of the trace store: a span's, and what a batch of spans adds to its traces and days.

Everything is cut to what both databases can hold: texts to 256 characters without NUL, which PostgreSQL has no place
for, and numbers to 64 bits. The whole of it stands in ``rest``. A span's day is that of its beginning, so that it is
the same when it comes again; a clock that is far off gets the day of receipt, so that nobody can make a thousand days.
"""

from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from ..spans.facts import Facts
from ..spans.span import Span
from .masking import masked
from .rest import pack

MAX_CHARS = 256
MAX_TEXT_CHARS = 32_000
_MAX_INT = 2**63 - 1
_MOST = _MAX_INT // 100
"""What one batch adds to a trace's sums: it takes a hundred liars to overflow them."""
_DAY_US = 86_400 * 1_000_000
_OLDEST_DAYS, _NEWEST_DAYS = 7, 1
_ROW_BYTES = 350
"""What a row takes beside its ``rest``, indexes included."""
_MODEL_WORK = frozenset({"llm", "embedding", "reranker"})


class SpanRow(NamedTuple):
    """In the order of the columns of `store.tables.spans`."""

    day: str
    tenant: str
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    step: str
    status: str
    convention: str
    started_us: int
    duration_us: int
    service: str | None
    model: str | None
    provider: str | None
    session: str | None
    user: str | None
    release_id: str | None
    prompt_version: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nanousd: int | None
    ttft_us: int | None
    rest: bytes


class TextRow(NamedTuple):
    """In the order of the columns of `store.tables.span_texts`, without its id."""

    day: str
    tenant: str
    trace_id: str
    span_id: str
    text: str


class TraceRow(NamedTuple):
    """In the order of the columns of `store.tables.traces`."""

    tenant: str
    trace_id: str
    day: str
    started_us: int
    ended_us: int
    name: str | None
    service: str | None
    session: str | None
    user: str | None
    release_id: str | None
    spans: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int


class DayRow(NamedTuple):
    day: str
    spans: int
    bytes: int


class Stored(NamedTuple):
    """A span as it is stored, with its text, if it has some that is to be searched."""

    row: SpanRow
    text: TextRow | None


def stored(span: Span, facts: Facts, tenant: str, received_us: int, mask_before_us: int | None) -> Stored:
    """The rows of a span. What began before ``mask_before_us`` is stored without its texts."""
    started_us = span.started_ns // 1000
    if not received_us - _OLDEST_DAYS * _DAY_US < started_us < received_us + _NEWEST_DAYS * _DAY_US:
        day = day_of(received_us // _DAY_US)
    else:
        day = day_of(started_us // _DAY_US)
    text = None
    if mask_before_us is not None and min(started_us, received_us) < mask_before_us:
        span = masked(span)
    elif facts.input_text or facts.output_text:
        found = "\n".join(filter(None, (facts.input_text, facts.output_text)))
        text = TextRow(day, tenant, span.trace_id, span.span_id, _clean(found[:MAX_TEXT_CHARS]))
    row = SpanRow(
        day,
        tenant,
        span.trace_id,
        span.span_id,
        span.parent_id,
        short(span.name) or "",
        span.kind,
        facts.step,
        span.status,
        facts.convention,
        started_us,
        span.duration_ns // 1000,
        short(facts.service),
        short(facts.model),
        short(facts.provider),
        short(facts.session),
        short(facts.user),
        short(facts.release_id),
        short(facts.prompt_version),
        _count(facts.input_tokens),
        _count(facts.output_tokens),
        _count(facts.cost_nanousd),
        _count(facts.ttft_us),
        pack(span),
    )
    return Stored(row, text)


def trace_rows(rows: list[SpanRow]) -> list[TraceRow]:
    """What these spans add to their traces, in the order of the keys."""
    by_trace: dict[tuple[str, str], list[SpanRow]] = {}
    for row in rows:
        key = row[1], row[2]
        known = by_trace.get(key)
        if known is None:
            by_trace[key] = [row]
        else:
            known.append(row)
    return [_trace(*key, by_trace[key]) for key in sorted(by_trace)]


def day_rows(rows: list[SpanRow], texts: list[TextRow]) -> list[DayRow]:
    """What these spans add to their days."""
    spans: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for row in rows:
        spans[row.day] = spans.get(row.day, 0) + 1
        sizes[row.day] = sizes.get(row.day, 0) + len(row.rest) + _ROW_BYTES
    for text in texts:
        sizes[text.day] = sizes.get(text.day, 0) + 2 * len(text.text)
    return [DayRow(day, spans.get(day, 0), sizes[day]) for day in sorted(sizes)]


def _trace(tenant: str, trace_id: str, rows: list[SpanRow]) -> TraceRow:
    day, started_us, ended_us = "", _MAX_INT, 0
    name = service = session = user = release_id = None
    errors = input_tokens = output_tokens = cost_nanousd = 0
    for row in rows:
        day = max(day, row.day)
        began_us = row.started_us
        started_us = min(started_us, began_us)
        ended_us = max(ended_us, began_us + row.duration_us)
        if row.parent_id is None and name is None:
            name, service = row.name, row.service or service
        service = service or row.service
        session = session or row.session
        user = user or row.user
        release_id = release_id or row.release_id
        errors += row.status == "error"
        if row.step in _MODEL_WORK:
            input_tokens += row.input_tokens or 0
            output_tokens += row.output_tokens or 0
            cost_nanousd += row.cost_nanousd or 0
    return TraceRow(
        tenant,
        trace_id,
        day,
        started_us,
        min(ended_us, _MAX_INT),
        name,
        service,
        session,
        user,
        release_id,
        len(rows),
        errors,
        min(input_tokens, _MOST),
        min(output_tokens, _MOST),
        min(cost_nanousd, _MOST),
    )


@lru_cache(maxsize=256)
def day_of(days: int) -> str:
    """The date so many days after the epoch, as ISO text."""
    return date.fromordinal(719_163 + days).isoformat()


@lru_cache(maxsize=8192)
def short(text: str | None) -> str | None:
    """The text as a column holds it. The same few hundred names come again and again."""
    if text is None:
        return None
    return _clean(text[:MAX_CHARS])


def _clean(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def _count(value: Any) -> int | None:
    return value if value is not None and 0 <= value <= _MAX_INT else None
