"""The stored spans of one trace, found through the key of `spans`, which begins with the day: first the days, then it.

Without them every partition's whole index would be read, which at millions of spans takes seconds.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from ....store.tables import span_days, span_texts, spans, traces
from ...spans.span import Span
from ..rest import unpack
from ..view import Outline, placeholder

_IDS_AT_ONCE = 500
_COLUMNS = (
    "tenant", "span_id", "parent_id", "started_us", "duration_us", "name", "kind", "step", "status", "service",
    "model", "provider", "session", "user", "release_id", "prompt_version", "input_tokens", "output_tokens",
    "cost_nanousd", "ttft_us", "day",
)  # fmt: skip

Key = tuple[str, str, str]
"""Tenant, span and day: what tells the spans of one trace apart."""


class Place(NamedTuple):
    """Where a trace's spans are. ``stamp`` changes with every span that comes in."""

    tenants: list[str]
    days: list[date]
    stamp: tuple[Any, ...]


def place_of(connection: Connection, trace_id: str, tenant: str | None) -> Place:
    """Without tenants where no span of the trace came in."""
    query = select(traces.c.tenant, traces.c.day, traces.c.spans, traces.c.started_us, traces.c.ended_us)
    query = query.where(traces.c.trace_id == trace_id)
    if tenant is not None:
        query = query.where(traces.c.tenant == tenant)
    rows = sorted(connection.execute(query).all(), key=lambda row: row.tenant)
    if not rows:
        return Place([], [], ())
    latest = max(row.day for row in rows)
    days = connection.execute(select(span_days.c.day).where(span_days.c.day <= latest)).scalars()
    found = sorted(days)
    return Place([row.tenant for row in rows], found, (found[:1], *map(tuple, rows)))


def outlines_of_spans(connection: Connection, trace_id: str, place: Place, limit: int) -> tuple[list[Outline], int]:
    """So many of them at most, and how many there are beyond."""
    if not place.tenants:
        return [], 0
    query = _of_trace(select(*[spans.c[name] for name in _COLUMNS]), trace_id, place.tenants, place.days)
    rows = connection.execute(query.limit(limit + 1)).all()
    left_out = 0
    if len(rows) > limit:
        counting = _of_trace(select(func.count()).select_from(spans), trace_id, place.tenants, place.days)
        left_out = connection.execute(counting).scalar_one() - limit
        rows = rows[:limit]
    return [_outline(row) for row in rows], left_out


def whole_spans(connection: Connection, trace_id: str, wanted: Iterable[Key]) -> dict[Key, tuple[Outline, Span]]:
    """These spans with all that was kept of them; one that cannot be read says so."""
    keys = set(wanted)
    found: dict[Key, tuple[Outline, Span]] = {}
    tenants, ids = sorted({key[0] for key in keys}), sorted({key[1] for key in keys})
    days = [date.fromisoformat(day) for day in sorted({key[2] for key in keys})]
    for begin in range(0, len(ids), _IDS_AT_ONCE):
        query = _of_trace(select(*[spans.c[name] for name in _COLUMNS], spans.c.rest), trace_id, tenants, days)
        for *row, rest in connection.execute(query.where(spans.c.span_id.in_(ids[begin : begin + _IDS_AT_ONCE]))):
            outline = _outline(row)
            key = (outline.tenant, outline.span_id, outline.day)
            if key in keys:
                try:
                    found[key] = outline, unpack(rest)
                except ValueError as exc:
                    found[key] = outline, placeholder(outline, str(exc))
    return found


def texts_of(
    connection: Connection, trace_id: str, tenant: str | None, span_ids: Sequence[str]
) -> dict[tuple[str, str], str]:
    """What was captured of these spans, by tenant and span."""
    found: dict[tuple[str, str], str] = {}
    for begin in range(0, len(span_ids), _IDS_AT_ONCE):
        query = select(span_texts.c.tenant, span_texts.c.span_id, span_texts.c.text)
        query = query.where(span_texts.c.trace_id == trace_id)
        query = query.where(span_texts.c.span_id.in_(span_ids[begin : begin + _IDS_AT_ONCE]))
        if tenant is not None:
            query = query.where(span_texts.c.tenant == tenant)
        found |= {(owner, span_id): text for owner, span_id, text in connection.execute(query)}
    return found


def _of_trace(query: Select[Any], trace_id: str, tenants: Sequence[str], days: Sequence[date]) -> Select[Any]:
    return query.where(spans.c.day.in_(days), spans.c.tenant.in_(tenants), spans.c.trace_id == trace_id)


def _outline(row: Any) -> Outline:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["day"] = str(fields["day"])
    return Outline(source="spans", **fields)
