"""OTLP in, as protobuf: ``ExportTraceServiceRequest`` to spans, and what of it cannot be taken, and why.

A request is looked at twice: `inspect` counts before the answer, which must say truthfully what is refused, and `read`
makes spans of the rest when they are stored; both judge alike. One span that cannot be read does not take the others
with it: where the parser gives the whole request up, the spans are taken apart one by one (`otlp_salvage`).

Values are kept as they are, down to a depth at which no reader wants them any more; below, their wire form is kept as
bytes. Of a key that stands twice the last value counts.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from .otlp_salvage import OtlpError, salvage
from .span import Attributes, Span, SpanEvent, SpanKind, SpanLink, SpanStatus

KINDS: tuple[SpanKind, ...] = ("internal", "internal", "server", "client", "producer", "consumer")
STATUSES: tuple[SpanStatus, ...] = ("unset", "ok", "error")
DEEPEST = 32
NO_TRACE, NO_SPAN = bytes(16), bytes(8)


class Inspected(msgspec.Struct):
    """How many spans can be taken, and how many cannot, by reason."""

    accepted: int = 0
    rejected: dict[str, int] = {}

    def reject(self, reason: str, count: int = 1) -> None:
        self.rejected[reason] = self.rejected.get(reason, 0) + count


def inspect(body: bytes) -> Inspected:
    """Judge every span of a request; `OtlpError` for what is no request."""
    found = Inspected()
    request, lost = _parsed(body)
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                reason = _fault(span.trace_id, span.span_id, span.parent_span_id)
                if reason is None:
                    found.accepted += 1
                else:
                    found.reject(reason)
    if lost:
        found.reject("the span is nested too deep or is no valid protobuf", lost)
    return found


def read(body: bytes) -> Iterator[Span]:
    """The spans of a request, without those that are refused; `OtlpError` for what is no request."""
    request, _ = _parsed(body)
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            scope = _scope(scoped.scope)
            for wire in scoped.spans:
                span = _span(wire, resource, scope)
                if span is not None:
                    yield span


def _parsed(body: bytes) -> tuple[ExportTraceServiceRequest, int]:
    """The request, and how many spans of it had to be left out."""
    try:
        return ExportTraceServiceRequest.FromString(body), 0
    except DecodeError:
        return salvage(body)


def _fault(trace_id: bytes, span_id: bytes, parent_id: bytes) -> str | None:
    if len(trace_id) != 16 or trace_id == NO_TRACE:
        return "the trace id must be 16 bytes, not all zero"
    if len(span_id) != 8 or span_id == NO_SPAN:
        return "the span id must be 8 bytes, not all zero"
    if len(parent_id) not in (0, 8):
        return "the parent span id must be 8 bytes or none"
    return None


def _span(span: WireSpan, resource: Attributes, scope: str) -> Span | None:
    """None for one that is refused. Every look into a message costs, so each field is asked for once."""
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    if _fault(trace_id, span_id, parent_id) is not None:
        return None
    kind, status = span.kind, span.status
    code = status.code
    return Span(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_id=parent_id.hex() if parent_id and parent_id != NO_SPAN else None,
        name=span.name,
        kind=KINDS[kind] if 0 <= kind < 6 else "internal",
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        status=STATUSES[code] if 0 <= code < 3 else "unset",
        status_message=status.message,
        attributes=_attributes(span.attributes),
        events=[_event(event) for event in span.events],
        links=[_link(link) for link in span.links],
        resource=resource,
        scope=scope,
        tracestate=span.trace_state,
        dropped=span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count,
    )


def _event(event: WireSpan.Event) -> SpanEvent:
    return SpanEvent(name=event.name, at_ns=event.time_unix_nano, attributes=_attributes(event.attributes))


def _link(link: WireSpan.Link) -> SpanLink:
    return SpanLink(trace_id=link.trace_id.hex(), span_id=link.span_id.hex(), attributes=_attributes(link.attributes))


def _scope(scope: InstrumentationScope) -> str:
    return f"{scope.name}@{scope.version}" if scope.version else scope.name


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    # Most are text, then numbers: to ask for these is cheaper than to ask which it is.
    return {pair.key: (value := pair.value).string_value or value.int_value or _value(value, 0) for pair in pairs}


def _value(value: AnyValue, depth: int) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return None
    held = getattr(value, which)
    nested = _NESTED.get(which)
    if nested is None:
        return held
    return nested(held, depth + 1) if depth < DEEPEST else value.SerializeToString()


def _array(array: Any, depth: int) -> list[Any]:
    return [_value(each, depth) for each in array.values]


def _map(pairs: Any, depth: int) -> dict[str, Any]:
    return {pair.key: _value(pair.value, depth) for pair in pairs.values}


_NESTED: dict[str, Callable[[Any, int], Any]] = {"array_value": _array, "kvlist_value": _map}

__all__ = ["Inspected", "OtlpError", "inspect", "read"]
