"""OTLP out, as protobuf: spans to ``ExportTraceServiceRequest``. What `otlp_read` makes of it are the same spans.

What OTLP has no place for is bent as little as possible: numbers outside 64 bits become text, times outside become the
nearest that there are, and text that is no Unicode loses the characters that are none.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from .otlp_read import DEEPEST, KINDS, STATUSES
from .span import Attributes, Span

_KINDS = {kind: number for number, kind in enumerate(KINDS) if number}
_STATUSES = {status: code for code, status in enumerate(STATUSES)}
_MAX_TIME = 2**64 - 1
_MAX_INT = 2**63


def write(spans: Sequence[Span]) -> bytes:
    """The request as bytes. Neighbours from one resource and scope share them."""
    request = ExportTraceServiceRequest()
    scoped: ScopeSpans | None = None
    resource: Attributes | None = None
    scope: str | None = None
    for span in spans:
        if span.resource != resource or scoped is None:
            group = request.resource_spans.add()
            _put_all(group.resource.attributes, span.resource)
            resource, scope = span.resource, None
        if scope != span.scope or scoped is None:
            scoped = group.scope_spans.add()
            scope = span.scope
            _put_scope(scoped.scope, scope)
        _put_span(scoped.spans.add(), span)
    return request.SerializeToString()


def _put_span(wire: WireSpan, span: Span) -> None:
    wire.trace_id = bytes.fromhex(span.trace_id)
    wire.span_id = bytes.fromhex(span.span_id)
    if span.parent_id is not None:
        wire.parent_span_id = bytes.fromhex(span.parent_id)
    wire.name = _text(span.name)
    wire.kind = _KINDS[span.kind]  # type: ignore[assignment]  # the numbers of an enumeration
    wire.start_time_unix_nano = _time(span.started_ns)
    wire.end_time_unix_nano = _time(span.ended_ns)
    if span.status != "unset" or span.status_message:
        wire.status.code = _STATUSES[span.status]  # type: ignore[assignment]
        wire.status.message = _text(span.status_message)
    if span.tracestate:
        wire.trace_state = _text(span.tracestate)
    wire.dropped_attributes_count = min(max(span.dropped, 0), 2**32 - 1)
    _put_all(wire.attributes, span.attributes)
    for event in span.events:
        written = wire.events.add()
        written.name, written.time_unix_nano = _text(event.name), _time(event.at_ns)
        _put_all(written.attributes, event.attributes)
    for link in span.links:
        linked = wire.links.add()
        linked.trace_id, linked.span_id = _id(link.trace_id), _id(link.span_id)
        _put_all(linked.attributes, link.attributes)


def _put_scope(wire: InstrumentationScope, scope: str) -> None:
    name, _, version = scope.rpartition("@") if "@" in scope else (scope, "", "")
    wire.name, wire.version = _text(name), _text(version)


def _put_all(pairs: Any, attributes: Attributes) -> None:
    for key, value in attributes.items():
        pair = pairs.add()
        pair.key = _text(key)
        if type(value) is str:  # most are
            pair.value.string_value = _text(value)
        else:
            _put(pair.value, value, 0)


def _put(wire: AnyValue, value: Any, depth: int) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, int):
        if -_MAX_INT <= value < _MAX_INT:
            wire.int_value = value
        else:
            wire.string_value = str(value)
    elif isinstance(value, float):
        wire.double_value = value
    elif isinstance(value, bytes):
        wire.bytes_value = value
    elif isinstance(value, list | tuple) and depth <= DEEPEST:
        wire.array_value.SetInParent()
        for each in value:
            _put(wire.array_value.values.add(), each, depth + 1)
    elif isinstance(value, dict) and depth <= DEEPEST:
        wire.kvlist_value.SetInParent()
        for key, each in value.items():
            pair = wire.kvlist_value.values.add()
            pair.key = _text(str(key))
            _put(pair.value, each, depth + 1)
    else:
        wire.string_value = _text(str(value))


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="replace").decode()
    return value


def _id(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        return b""


def _time(nanoseconds: int) -> int:
    return min(max(nanoseconds, 0), _MAX_TIME)
