"""One trace: the spans that came in and those derived from calls, as one tree, however many there are.

Of all spans only the outlines are read, which decide the order; the rest only of those on the page. A page is found
again by its last span, so what comes in meanwhile moves nothing out of sight.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from ....store.database import Database
from ....store.tables import span_texts, spans
from ...spans.genai_write import Semconv
from ...spans.span import Span
from ..query import Position, read_cursor, write_cursor
from ..rest import unpack
from ..tree import Placed, placed
from ..view import Outline, ShownSpan, TraceView, cut, outlines_of, placeholder, shown, summary
from .call_rows import calls_of, count_calls_of

MAX_SPANS = 200_000
MAX_CALLS = 10_000
_IDS_AT_ONCE = 500
_TEXTS = 1000
_COLUMNS = (
    "tenant", "span_id", "parent_id", "started_us", "duration_us", "name", "kind", "step", "status", "service",
    "model", "provider", "session", "user", "release_id", "prompt_version", "input_tokens", "output_tokens",
    "cost_nanousd", "ttft_us", "day",
)  # fmt: skip


class TraceReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(
        self, database: Database, semconv: Semconv = "1.41", *, max_spans: int = MAX_SPANS, max_calls: int = MAX_CALLS
    ) -> None:
        self._database = database
        self._semconv = semconv
        self._max_spans = max_spans
        self._max_calls = max_calls

    def read(
        self, trace_id: str, tenant: str | None, *, limit: int = 200, cursor: str | None = None, full: bool = True
    ) -> TraceView | None:
        """A trace with a page of its spans; None where this tenant has none of that id. ``tenant`` None: all tenants'.
        Not ``full``: long texts in attributes are cut. `InvalidRequest` for a cursor that is none."""
        after = read_cursor("spans", cursor) if cursor is not None else None
        if not self._database.exists:
            return None
        with self._database.read() as connection:
            rows, left_out = self._stored(connection, trace_id, tenant)
            calls = calls_of(connection, trace_id, tenant, self._max_calls + 1)
            if len(calls) > self._max_calls:
                del calls[self._max_calls :]
                left_out += count_calls_of(connection, trace_id, tenant) - len(calls)
            outlines = [each for call in calls for each in outlines_of(call, self._semconv)] + rows
            if not outlines:
                return None
            places = placed([outline.node(ref) for ref, outline in enumerate(outlines)])
            view = summary(trace_id, outlines, places, calls, left_out)
            begin = _begin(places, after)
            page = places[begin : begin + limit]
            view.page = self._page(connection, view, page, outlines, tenant)
        if not full:
            view.page = [cut(each) for each in view.page]
        if begin + limit < len(places):
            last = page[-1].node
            view.cursor = write_cursor("spans", Position(float(begin + limit), f"{last.tenant}/{last.span_id}"))
        return view

    def _stored(self, connection: Connection, trace_id: str, tenant: str | None) -> tuple[list[Outline], int]:
        query = select(*[spans.c[name] for name in _COLUMNS]).where(spans.c.trace_id == trace_id)
        if tenant is not None:
            query = query.where(spans.c.tenant == tenant)
        rows = connection.execute(query.limit(self._max_spans + 1)).all()
        left_out = 0
        if len(rows) > self._max_spans:
            counting = select(func.count()).select_from(query.subquery())
            left_out = connection.execute(counting).scalar_one() - self._max_spans
            rows = rows[: self._max_spans]
        return [_outline(row) for row in rows], left_out

    def _page(
        self,
        connection: Connection,
        view: TraceView,
        page: Sequence[Placed],
        outlines: Sequence[Outline],
        tenant: str | None,
    ) -> list[ShownSpan]:
        chosen = [outlines[place.node.ref] for place in page]
        stored = _read_spans(connection, view.trace_id, [each for each in chosen if each.source == "spans"])
        texts = _read_texts(connection, view.trace_id, tenant)
        found = []
        for place, outline in zip(page, chosen, strict=True):
            span = outline.span or stored.get((outline.tenant, outline.span_id, outline.day))
            span = span or placeholder(outline, "it was removed in this moment")
            text = texts.get((outline.tenant, outline.span_id))
            found.append(shown(place, outline, span, view.started_us, text))
        return found


def _outline(row: Any) -> Outline:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["day"] = str(fields["day"])
    return Outline(source="spans", **fields)


def _begin(places: Sequence[Placed], after: Position | None) -> int:
    """Where the page begins: behind the span that was the last one before, wherever it stands now."""
    if after is None:
        return 0
    begin = min(max(int(after.key), 0), len(places))
    if begin and _name(places[begin - 1]) == after.id:
        return begin
    return next((index + 1 for index, place in enumerate(places) if _name(place) == after.id), begin)


def _name(place: Placed) -> str:
    return f"{place.node.tenant}/{place.node.span_id}"


def _read_spans(connection: Connection, trace_id: str, wanted: Sequence[Outline]) -> dict[tuple[str, str, str], Span]:
    found: dict[tuple[str, str, str], Span] = {}
    known = {(each.tenant, each.span_id, each.day): each for each in wanted}
    ids = sorted({each.span_id for each in wanted})
    for begin in range(0, len(ids), _IDS_AT_ONCE):
        query = select(spans.c.tenant, spans.c.span_id, spans.c.day, spans.c.rest)
        query = query.where(spans.c.trace_id == trace_id, spans.c.span_id.in_(ids[begin : begin + _IDS_AT_ONCE]))
        for tenant, span_id, day, rest in connection.execute(query):
            outline = known.get((tenant, span_id, str(day)))
            if outline is not None:
                try:
                    found[tenant, span_id, str(day)] = unpack(rest)
                except ValueError as exc:
                    found[tenant, span_id, str(day)] = placeholder(outline, str(exc))
    return found


def _read_texts(connection: Connection, trace_id: str, tenant: str | None) -> dict[tuple[str, str], str]:
    """What was captured, by tenant and span."""
    query = select(span_texts.c.tenant, span_texts.c.span_id, span_texts.c.text)
    query = query.where(span_texts.c.trace_id == trace_id).order_by(span_texts.c.id).limit(_TEXTS)
    if tenant is not None:
        query = query.where(span_texts.c.tenant == tenant)
    return {(owner, span_id): text for owner, span_id, text in connection.execute(query)}
