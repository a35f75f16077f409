"""One trace: the spans that came in and those derived from calls, as one tree, however many there are.

Of all spans only the outlines are read, which decide the order; the rest only of those on the page. The order of a
large trace is kept while it is read (`order`). A page is found again by its last span, so what comes in meanwhile moves
nothing out of sight.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from ....store.database import Database
from ...spans.call_spans import StoredCall
from ...spans.genai_write import Semconv
from ...spans.span import Span
from ..order import KnownOrders, Slot, SpanOrder
from ..query import Position, read_cursor, write_cursor
from ..tree import placed
from ..view import Outline, ShownSpan, TraceView, cut, outlines_of, placeholder, shown, summary
from .call_rows import calls_by_span, calls_of, count_calls_of
from .span_rows import Place, outlines_of_spans, place_of, texts_of, whole_spans

MAX_SPANS = 200_000
MAX_CALLS = 10_000
_LARGE = 1000
Derived = dict[tuple[int, str], tuple[Outline, Span]]
"""Spans of calls, by the call's position among the order's and their ids."""


class TraceReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(
        self, database: Database, semconv: Semconv = "1.41", *, max_spans: int = MAX_SPANS, max_calls: int = MAX_CALLS
    ) -> None:
        self._database = database
        self._semconv = semconv
        self._max_spans = max_spans
        self._max_calls = max_calls
        self._known = KnownOrders()

    def read(
        self,
        trace_id: str,
        tenant: str | None,
        *,
        limit: int = 200,
        cursor: str | None = None,
        first: int = 0,
        span_id: str | None = None,
        full: bool = True,
    ) -> TraceView | None:
        """A trace with a page of its spans; None where this tenant has none of that id. ``tenant`` None: all tenants'.
        The page begins where the ``cursor`` says, otherwise with the ``first`` so many, or is this one span.
        Not ``full``: long texts in attributes are cut. `InvalidRequest` for a cursor that is none."""
        after = read_cursor("spans", cursor) if cursor is not None else None
        if not self._database.exists:
            return None
        with self._database.read() as connection:
            order, fresh = self._order(connection, trace_id, tenant)
            if order is None:
                return None
            if span_id is not None:
                found = order.find(span_id)
                begin, limit = (found, 1) if found is not None else (len(order), 0)
            else:
                begin = order.begin(after) if after is not None else min(first, len(order))
            slots = order.slots(begin, begin + limit)
            view = msgspec.structs.replace(order.view, page=self._page(connection, order, slots, tenant, fresh))
            view.first = begin
        if not full:
            view.page = [cut(each) for each in view.page]
        if slots and begin + limit < len(order):
            view.cursor = write_cursor("spans", Position(float(begin + limit), order.name(slots[-1])))
        return view

    def _order(
        self, connection: Connection, trace_id: str, tenant: str | None
    ) -> tuple[SpanOrder | None, Derived | None]:
        """The order of its spans; with the spans of its calls, where these had to be derived for it."""
        place = place_of(connection, trace_id, tenant)
        known = self._known.find(trace_id, tenant)
        if known is not None and known.stamp == (place.stamp, count_calls_of(connection, trace_id, tenant)):
            return known, None
        order, fresh = self._work_out(connection, trace_id, tenant, place)
        if order is not None and len(order) >= _LARGE:
            self._known.put(trace_id, tenant, order)
        return order, fresh

    def _work_out(
        self, connection: Connection, trace_id: str, tenant: str | None, place: Place
    ) -> tuple[SpanOrder | None, Derived]:
        rows, left_out = outlines_of_spans(connection, trace_id, place, self._max_spans)
        calls = calls_of(connection, trace_id, tenant, self._max_calls + 1)
        count = len(calls)
        if len(calls) > self._max_calls:
            del calls[self._max_calls :]
            count = count_calls_of(connection, trace_id, tenant)
            left_out += count - len(calls)
        derived = [(number, each) for number, call in enumerate(calls) for each in outlines_of(call, self._semconv)]
        outlines = [each for _, each in derived] + rows
        if not outlines:
            return None, {}
        places = placed([outline.node(ref) for ref, outline in enumerate(outlines)])
        view = summary(trace_id, outlines, places, calls, left_out)
        tenants = {name: number for number, name in enumerate(view.tenants)}
        days = sorted({each.day for each in rows})
        number_of = {day: number for number, day in enumerate(days)}
        slots = [
            Slot(
                span_id=each.node.span_id,
                tenant=tenants[each.node.tenant],
                call=derived[each.node.ref][0] if each.node.ref < len(derived) else None,
                day=number_of.get(outlines[each.node.ref].day, 0),
                depth=each.depth,
                shift_us=each.shift_us,
                self_us=each.self_us,
                children=each.children,
                flaw=each.flaw,
            )
            for each in places
        ]
        fresh = {(number, each.span_id): (each, each.span) for number, each in derived if each.span is not None}
        return SpanOrder(slots, view, [_key(call) for call in calls], days, (place.stamp, count)), fresh

    def _page(
        self, connection: Connection, order: SpanOrder, slots: Sequence[Slot], tenant: str | None, fresh: Derived | None
    ) -> list[ShownSpan]:
        view, tenants = order.view, order.view.tenants
        keys = [(tenants[each.tenant], each.span_id, order.days[each.day]) for each in slots if each.call is None]
        stored = whole_spans(connection, view.trace_id, keys)
        derived = fresh if fresh is not None else self._derived(connection, order, slots)
        texts = texts_of(connection, view.trace_id, tenant, sorted({each.span_id for each in slots}))
        page = []
        for slot in slots:
            owner = tenants[slot.tenant]
            if slot.call is None:
                found = stored.get((owner, slot.span_id, order.days[slot.day]))
            else:
                found = derived.get((slot.call, slot.span_id))
            outline, span = found or _removed(owner, slot, view)
            page.append(shown(slot, outline, span, view.started_us, texts.get((owner, slot.span_id))))
        return page

    def _derived(self, connection: Connection, order: SpanOrder, slots: Sequence[Slot]) -> Derived:
        """The spans of the calls that have one on the page."""
        wanted = sorted({each.call for each in slots if each.call is not None})
        calls = calls_by_span(connection, order.view.trace_id, [order.calls[number] for number in wanted])
        return {
            (number, each.span_id): (each, each.span)
            for number in wanted
            if (call := calls.get(order.calls[number])) is not None
            for each in outlines_of(call, self._semconv)
            if each.span is not None
        }


def _key(call: StoredCall) -> tuple[str, str]:
    return call.tenant or "", call.span_id


def _removed(tenant: str, slot: Slot, view: TraceView) -> tuple[Outline, Span]:
    """What is shown of a span that is there no more, since a moment ago."""
    outline = Outline(
        source="spans" if slot.call is None else "call",
        tenant=tenant,
        span_id=slot.span_id,
        parent_id=None,
        started_us=view.started_us,
        duration_us=0,
        name="",
        kind="internal",
        step="other",
        status="unset",
    )
    return outline, placeholder(outline, "it was removed in this moment")
