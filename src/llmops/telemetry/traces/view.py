"""A trace as it is shown: what it comes to, and its spans in the order of their tree, a page at a time."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from ..spans.call_spans import SERVICE, StoredCall, facts_of_call, spans_of_call
from ..spans.facts import Step
from ..spans.genai_write import Semconv
from ..spans.span import Span, SpanKind, SpanStatus
from .said import messages_of, plain
from .tree import Flaw, Node, Placed

_WORK = frozenset({"llm", "embedding", "reranker"})
_SHOWN_CHARS = 4000
_SHOWN_ENTRIES = 500


class Outline(msgspec.Struct, gc=False, kw_only=True):
    """A span without what only its own page needs. ``span`` is there where it was derived from a call."""

    source: Literal["call", "spans"]
    tenant: str
    span_id: str
    parent_id: str | None
    started_us: int
    duration_us: int
    name: str
    kind: str
    step: str
    status: str
    service: str | None = None
    model: str | None = None
    provider: str | None = None
    session: str | None = None
    user: str | None = None
    release_id: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nanousd: int | None = None
    ttft_us: int | None = None
    day: str = ""
    span: Span | None = None

    def node(self, ref: int) -> Node:
        return Node(ref, self.tenant, self.span_id, self.parent_id, self.started_us, self.duration_us, self.service)


class ShownSpan(msgspec.Struct, kw_only=True):
    """``offset_us`` is from the trace's beginning, with ``shift_us`` by which a wrong clock is mended; ``started_us``
    is what was measured. ``text`` only where it was captured."""

    span_id: str
    parent_id: str | None
    tenant: str
    source: Literal["call", "spans"]
    name: str
    kind: str
    step: str
    status: str
    status_message: str
    service: str | None
    depth: int
    children: int
    started_us: int
    offset_us: int
    duration_us: int
    self_us: int
    shift_us: int
    flaw: Flaw | None
    model: str | None
    provider: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nanousd: int | None
    ttft_us: int | None
    prompt_version: str | None
    release_id: str | None
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    resource: dict[str, Any]
    scope: str
    text: str | None = None
    messages: list[dict[str, Any]] = []
    """The same text, by who said it; of a call only: those of other spans stand in their attributes."""


class Place(Protocol):
    """Where a span stands in its tree."""

    @property
    def depth(self) -> int: ...
    @property
    def shift_us(self) -> int: ...
    @property
    def self_us(self) -> int: ...
    @property
    def children(self) -> int: ...
    @property
    def flaw(self) -> Flaw | None: ...


class Extreme(msgspec.Struct):
    """The span that stands out: the slowest step by its own time, or the dearest call."""

    span_id: str
    name: str
    value: int


class TraceView(msgspec.Struct, kw_only=True):
    """A trace. Tokens and cost are those of the gateway's calls where there are any, otherwise what spans of model
    calls state; ``unpriced_calls`` have no known price. ``left_out``: too many to be looked at."""

    trace_id: str
    tenants: list[str]
    name: str
    services: list[str]
    session: str | None
    user: str | None
    release_id: str | None
    started_us: int
    duration_us: int
    spans: int
    left_out: int
    errors: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int
    unpriced_calls: int
    slowest_step: Extreme | None
    dearest_call: Extreme | None
    page: list[ShownSpan] = []
    first: int = 0
    """Which one of the trace's spans the page begins with, counted from 0."""
    cursor: str | None = None


def outlines_of(call: StoredCall, semconv: Semconv) -> Iterable[Outline]:
    """The derived spans of a call."""
    facts, tenant = facts_of_call(call), call.tenant or ""
    for span in spans_of_call(call, semconv):
        is_request = span.span_id == call.span_id
        step: Step = facts.step if is_request else "gateway"
        outline = Outline(
            source="call",
            tenant=tenant,
            span_id=span.span_id,
            parent_id=span.parent_id,
            started_us=span.started_ns // 1000,
            duration_us=span.duration_ns // 1000,
            name=span.name,
            kind=span.kind,
            step=step,
            status=span.status,
            service=SERVICE,
            span=span,
        )
        if is_request:
            outline.model, outline.provider, outline.session = call.model, facts.provider, call.session
            outline.user, outline.release_id, outline.prompt_version = call.user, call.release_id, call.prompt_version
            outline.input_tokens, outline.output_tokens = call.prompt_tokens, call.completion_tokens
            outline.cost_nanousd, outline.ttft_us = call.cost_nanousd, facts.ttft_us
        yield outline


def summary(
    trace_id: str, outlines: Sequence[Outline], places: Sequence[Placed], calls: Sequence[StoredCall], left_out: int
) -> TraceView:
    """What a trace comes to."""
    begin_us, end_us = _extent(places)
    counted = [each for each in outlines if each.step in _WORK and (each.source == "call" or not calls)]
    slowest = max(places, key=lambda place: place.self_us)
    dearest = max(counted, key=lambda each: each.cost_nanousd or 0, default=None)
    root = outlines[places[0].node.ref]
    return TraceView(
        trace_id=trace_id,
        tenants=sorted({each.tenant for each in outlines}),
        name=root.name,
        services=sorted({each.service for each in outlines if each.service is not None}),
        session=_first(each.session for each in outlines),
        user=_first(each.user for each in outlines),
        release_id=_first(each.release_id for each in outlines),
        started_us=begin_us,
        duration_us=end_us - begin_us,
        spans=len(outlines),
        left_out=left_out,
        errors=sum(each.status == "error" for each in outlines),
        calls=len(calls),
        input_tokens=sum(each.input_tokens or 0 for each in counted),
        output_tokens=sum(each.output_tokens or 0 for each in counted),
        cost_nanousd=sum(each.cost_nanousd or 0 for each in counted),
        unpriced_calls=sum(call.cost_nanousd is None for call in calls),
        slowest_step=_extreme(outlines[slowest.node.ref], slowest.self_us),
        dearest_call=_extreme(dearest, dearest.cost_nanousd) if dearest and dearest.cost_nanousd else None,
    )


def shown(place: Place, outline: Outline, span: Span, begin_us: int, text: str | None) -> ShownSpan:
    """A span at its place."""
    fields = {name: getattr(outline, name) for name in ShownSpan.__struct_fields__ if hasattr(outline, name)}
    return ShownSpan(
        **fields,
        status_message=span.status_message,
        depth=place.depth,
        children=place.children,
        offset_us=outline.started_us + place.shift_us - begin_us,
        self_us=place.self_us,
        shift_us=place.shift_us,
        flaw=place.flaw,
        attributes=span.attributes,
        events=[_plain(each) for each in span.events],
        links=[_plain(each) for each in span.links],
        resource=span.resource,
        scope=span.scope,
        text=plain(text) if text is not None else None,
        messages=messages_of(text) if text is not None else [],
    )


def cut(span: ShownSpan) -> ShownSpan:
    """The span with long texts cut."""
    fields = {
        name: _cut(getattr(span, name)) for name in ("attributes", "events", "links", "resource", "text", "messages")
    }
    return msgspec.structs.replace(span, **fields)


def _cut(value: Any) -> Any:
    if isinstance(value, str | bytes) and len(value) > _SHOWN_CHARS:
        kind = "characters" if isinstance(value, str) else "bytes"
        return f"{value[:_SHOWN_CHARS] if isinstance(value, str) else ''}… ({len(value):,} {kind})"
    if isinstance(value, list):
        return [_cut(each) for each in value[:_SHOWN_ENTRIES]]
    if isinstance(value, dict):
        return {name[:_SHOWN_CHARS]: _cut(each) for name, each in list(value.items())[:_SHOWN_ENTRIES]}
    return value


def placeholder(outline: Outline, why: str) -> Span:
    """Instead of a stored span that cannot be read."""
    kinds: dict[str, SpanKind] = {each: each for each in ("internal", "server", "client", "producer", "consumer")}
    states: dict[str, SpanStatus] = {each: each for each in ("unset", "ok", "error")}
    return Span(
        trace_id="",
        span_id=outline.span_id,
        name=outline.name,
        kind=kinds.get(outline.kind, "internal"),
        started_ns=outline.started_us * 1000,
        ended_ns=(outline.started_us + outline.duration_us) * 1000,
        status=states.get(outline.status, "unset"),
        attributes={"llmops.unreadable": why},
    )


def _extent(places: Sequence[Placed]) -> tuple[int, int]:
    begin_us = min(place.node.started_us + place.shift_us for place in places)
    end_us = max(place.node.started_us + place.shift_us + place.node.duration_us for place in places)
    return begin_us, end_us


def _extreme(outline: Outline, value: int) -> Extreme:
    return Extreme(outline.span_id, outline.name, value)


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _plain(value: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(value)
