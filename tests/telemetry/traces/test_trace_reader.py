"""One trace on both engines: spans that came in and spans of calls as one tree, by pages, whatever is in it."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, update

from llmops.errors import InvalidRequest
from llmops.store.database import Database
from llmops.store.tables import spans
from llmops.telemetry.spans.span import Span, SpanEvent
from llmops.telemetry.traces.order import KnownOrders, Slot, SpanOrder
from llmops.telemetry.traces.repository.trace_reader import TraceReader
from llmops.telemetry.traces.tree import placed
from llmops.telemetry.traces.view import Outline, TraceView, summary
from tests.telemetry.traces.shelf import NOW_US, Shelf, a_span, trace_of

TIMINGS = {"read": 0.5, "auth": 0.5, "limits": 1.0, "upstream": 9.0}


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def read(shelf: Shelf, tenant: str | None = "acme", trace: int = 1, **options: Any) -> TraceView:
    found = shelf.traces.read(trace_of(trace), tenant, **options)
    assert found is not None
    return found


def test_an_application_and_its_calls_are_one_tree(shelf: Shelf) -> None:
    shelf.spans(
        a_span(1, duration_us=50_000, name="answer"),
        a_span(2, parent=1, duration_us=20_000, name="retrieve", attributes={"user.id": "u-9"}),
    )
    shelf.calls(
        {"number": 25, "trace": 1, "parent_span_id": f"{1:016x}", "timings_ms": TIMINGS, "ttft_ms": 12.0},
        {"number": 99},
    )
    view = read(shelf)
    assert [(span.name, span.depth, span.source) for span in view.page] == [
        ("answer", 0, "spans"),
        ("retrieve", 1, "spans"),
        ("chat m", 1, "call"),
        ("auth", 2, "call"),
        ("limits", 2, "call"),
        ("attempt mock", 2, "call"),
    ]
    assert (view.name, view.spans, view.calls, view.errors) == ("answer", 6, 1, 0)
    assert (view.cost_nanousd, view.input_tokens, view.output_tokens) == (1000, 10, 5)
    assert (view.started_us, view.duration_us) == (NOW_US + 1000, 50_000)
    assert view.services == ["app", "llmops-gateway"] and view.user == "u-1"
    assert view.slowest_step is not None and view.slowest_step.name == "retrieve"
    assert view.dearest_call is not None and view.dearest_call.value == 1000
    assert view.page[2].offset_us == 24_000 and view.page[2].attributes["llmops.tenant"] == "acme"


def test_a_large_trace_opens_by_pages_and_nothing_is_lost_between_them(shelf: Shelf) -> None:
    shelf.spans(*(a_span(number, parent=number // 2 or None) for number in range(1, 301)))
    seen: list[str] = []
    cursor = None
    while True:
        view = read(shelf, limit=64, cursor=cursor)
        seen += [span.span_id for span in view.page]
        assert view.spans >= 300
        if len(seen) == 64:
            shelf.spans(a_span(1000, parent=1, started_ns=0), a_span(1001, parent=300))
        cursor = view.cursor
        if cursor is None:
            break
    assert len(set(seen)) == len(seen) and {f"{number:016x}" for number in range(1, 301)} <= set(seen)


def pages(reader: TraceReader, tenant: str | None, limit: int = 400) -> list[str]:
    """The spans of the trace, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        view = reader.read(trace_of(1), tenant, limit=limit, cursor=cursor)
        assert view is not None
        found += [f"{span.tenant} {span.span_id} {span.source} {span.name} {span.depth}" for span in view.page]
        cursor = view.cursor
        if cursor is None:
            return found


def test_a_large_trace_is_worked_out_once_and_anew_when_it_grows(shelf: Shelf) -> None:
    """Its pages are the same as those of a reader that has never seen it, also of calls and of two tenants."""
    shelf.spans(*(a_span(number, parent=number // 3 or None) for number in range(1, 1501)))
    shelf.spans(*(a_span(number) for number in range(1, 100)), tenant="other")
    shelf.calls({"number": 2000, "trace": 1, "parent_span_id": f"{7:016x}", "timings_ms": TIMINGS})
    reader = TraceReader(shelf.database)
    for tenant in ("acme", "other", None):
        known = pages(reader, tenant)
        assert known == pages(TraceReader(shelf.database), tenant, limit=5000)
        assert len(set(known)) == len(known) == {"acme": 1504, "other": 99, None: 1603}[tenant]
    order = reader._known.find(trace_of(1), None)
    assert order is not None
    pages(reader, None)
    assert reader._known.find(trace_of(1), None) is order, "it has not been worked out again"
    shelf.spans(a_span(5000, parent=1))
    assert len(pages(reader, None)) == 1604
    shelf.calls({"number": 2001, "trace": 1})
    assert len(pages(reader, None)) > 1604
    assert reader.read(trace_of(1), "nobody") is None


def test_a_span_that_goes_between_two_pages_is_shown_as_gone(shelf: Shelf) -> None:
    shelf.spans(*(a_span(number) for number in range(1, 1101)))
    first = read(shelf, limit=1000)
    with shelf.database.write("traces") as connection:
        connection.execute(delete(spans).where(spans.c.span_id == f"{1050:016x}"))
    rest = read(shelf, limit=1000, cursor=first.cursor)
    assert len(rest.page) == 100
    (gone,) = [span for span in rest.page if "llmops.unreadable" in span.attributes]
    assert gone.span_id == f"{1050:016x}"


def test_orders_take_a_bounded_room() -> None:
    known, view = KnownOrders(room_bytes=100_000), an_empty_view()
    for number in range(50):
        slots = [Slot(f"{each:016x}", 0, None, 0, 1, 0, 10**6, 0) for each in range(500)]
        known.put(f"trace-{number}", None, SpanOrder(slots, view, [], ["2026-11-21"], number))
    kept = [number for number in range(50) if known.find(f"trace-{number}", None) is not None]
    assert kept and kept[-1] == 49 and len(kept) < 10
    slots = [Slot(f"{each:016x}", 0, None, 0, 1, 0, 10**6, 0) for each in range(50_000)]
    known.put("huge", None, SpanOrder(slots, view, [], [], 1))
    assert known.find("huge", None) is None and known.find("trace-49", None) is not None


def an_empty_view() -> TraceView:
    outline = Outline(
        source="spans",
        tenant="acme",
        span_id="1",
        parent_id=None,
        started_us=0,
        duration_us=1,
        name="n",
        kind="internal",
        step="other",
        status="ok",
    )
    return summary("t", [outline], placed([outline.node(0)]), [], 0)


def test_what_is_too_many_is_counted(shelf: Shelf) -> None:
    shelf.spans(*(a_span(number) for number in range(1, 21)))
    shelf.calls(*({"number": number, "trace": 1} for number in range(30, 35)))
    view = TraceReader(shelf.database, max_spans=15, max_calls=2).read(trace_of(1), "acme")
    assert view is not None and (view.spans, view.left_out, view.calls) == (17, 8, 2)


def test_a_tenant_sees_its_own_and_an_administrator_each_apart(shelf: Shelf) -> None:
    shelf.spans(a_span(1), a_span(2, parent=1))
    shelf.spans(a_span(1, name="stolen"), a_span(3, parent=2), tenant="other")
    shelf.calls({"number": 7, "trace": 1, "tenant": "other", "parent_span_id": f"{1:016x}"})
    assert {span.tenant for span in read(shelf).page} == {"acme"}
    assert [span.name for span in read(shelf, "other").page] == ["stolen", "chat m", "span 3"]
    assert shelf.traces.read(trace_of(1), "nobody") is None
    both = read(shelf, None)
    assert both.tenants == ["acme", "other"] and both.spans == 5
    roots = [(span.tenant, span.name, span.flaw) for span in both.page if span.depth == 0]
    assert roots == [("acme", "span 1", None), ("other", "stolen", None), ("other", "span 3", "orphan")]


HOSTILE: list[Span] = [
    a_span(1, parent=1),
    a_span(2, parent=3, name="<script>alert(1)</script>", attributes={"../../etc/passwd": "<b>", "\x1b[31m": "a\0b"}),
    a_span(3, parent=2, attributes={"big": "x" * 1_000_000, "nan": float("nan"), "deep": [[[[{"a": [1]}]]]]}),
    a_span(4, parent=77, duration_us=-5_000_000),
    a_span(5, started_ns=0),
    a_span(6, started_ns=2**64 - 1, duration_us=0, events=[SpanEvent(name="e", attributes={"k": "v"})]),
    a_span(7, name="", attributes={"gen_ai.usage.input_tokens": -5, "llmops.cost_nanousd": 2**62}),
]


def test_hostile_spans_are_data(shelf: Shelf) -> None:
    shelf.spans(*HOSTILE)
    view = read(shelf, full=False)
    assert len(view.page) == view.spans == len(HOSTILE)
    encoded = msgspec.json.encode(view)
    assert len(encoded) < 30_000, "a long text is cut"
    cut = next(span for span in view.page if span.span_id == f"{3:016x}").attributes["big"]
    assert cut.endswith("(1,000,000 characters)")
    whole = read(shelf, full=True)
    assert any(len(span.attributes.get("big", "")) == 1_000_000 for span in whole.page)
    assert {span.flaw for span in view.page} >= {"orphan", "cycle"}
    assert all(span.duration_us >= 0 for span in view.page)


def test_a_damaged_span_is_shown_as_such(shelf: Shelf) -> None:
    shelf.spans(a_span(1, name="whole"), a_span(2, parent=1))
    with shelf.database.write("traces") as connection:
        connection.execute(update(spans).where(spans.c.span_id == f"{2:016x}").values(rest=b"\x01garbage"))
    view = read(shelf)
    assert "llmops.unreadable" in view.page[1].attributes and view.page[0].name == "whole"


@pytest.mark.parametrize("cursor", ["", "x", "WyJuZXdlc3QiLDEsImEiXQ"])
def test_a_cursor_that_is_none_is_refused(shelf: Shelf, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        shelf.traces.read(trace_of(1), None, cursor=cursor)
