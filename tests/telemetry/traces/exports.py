"""Exports of spans for tests: small, in protobuf, with whatever a test wants to be odd about them."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

NOW_S = 1_795_300_000.0
"""An afternoon in November 2026."""
NOW_NS, NOW_US = int(NOW_S * 1e9), int(NOW_S * 1e6)
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def wire_span(number: int, *, trace: int = 1, parent: int | None = None, **fields: Any) -> WireSpan:
    """The span ``number`` of a trace; its ids are those numbers."""
    attributes: Mapping[str, Any] = fields.pop("attributes", {})
    given = {
        "trace_id": trace.to_bytes(16, "big"),
        "span_id": number.to_bytes(8, "big"),
        "parent_span_id": parent.to_bytes(8, "big") if parent is not None else b"",
        "name": f"span {number}",
        "start_time_unix_nano": NOW_NS,
        "end_time_unix_nano": NOW_NS + 1_000_000,
        **fields,
    }
    span = WireSpan(**given)
    for key, value in attributes.items():
        pair = span.attributes.add()
        pair.key = key
        pair.value.CopyFrom(any_value(value))
    return span


def any_value(value: Any) -> AnyValue:
    found = AnyValue()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, str):
        found.string_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    elif isinstance(value, bytes):
        found.bytes_value = value
    elif isinstance(value, list):
        found.array_value.SetInParent()
        found.array_value.values.extend(any_value(each) for each in value)
    elif isinstance(value, dict):
        found.kvlist_value.SetInParent()
        for key, inner in value.items():
            pair = found.kvlist_value.values.add()
            pair.key = key
            pair.value.CopyFrom(any_value(inner))
    return found


def export(*spans: WireSpan, resource: Mapping[str, Any] | None = None) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (resource or {"service.name": "shop"}).items():
        pair = group.resource.attributes.add()
        pair.key = key
        pair.value.CopyFrom(any_value(value))
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "tests", "1"
    scoped.spans.extend(spans)
    return request.SerializeToString()


def many(count: int, *, trace: int = 1, begin: int = 1) -> bytes:
    return export(*[wire_span(number, trace=trace) for number in range(begin, begin + count)])


def field(number: int, content: bytes) -> bytes:
    """A field with a length, on the wire."""
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def with_deep_span(depth: int, *others: WireSpan) -> bytes:
    """An export of these spans and one with a value nested so deep, which the protobuf library cannot even make."""
    value = field(1, b"bottom")
    for _ in range(depth):
        value = field(5, field(1, value))
    deep = wire_span(666).SerializeToString() + field(9, field(1, b"deep") + field(2, value))
    spans = [deep, *(span.SerializeToString() for span in others)]
    resource = field(1, field(1, field(1, b"service.name") + field(2, field(1, b"shop"))))
    return field(1, resource + field(2, b"".join(field(2, span) for span in spans)))
