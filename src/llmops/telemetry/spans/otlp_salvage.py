"""What can be had of an OTLP request that the protobuf parser gives up as a whole, such as one with a span that is
nested deeper than it goes.

The wire format needs no understanding to be cut at its seams: request, resource spans, scope spans, spans. Each span is
then parsed alone, and those that cannot be are counted.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}


class OtlpError(ValueError):
    """The body is not what its content type says."""


def salvage(body: bytes) -> tuple[ExportTraceServiceRequest, int]:
    """The request without the spans that cannot be read, and how many those are."""
    request, lost = ExportTraceServiceRequest(), 0
    try:
        for number, group_bytes in _fields(body):
            if number == 1:
                lost += _add_group(request, group_bytes)
    except (IndexError, DecodeError) as exc:
        raise OtlpError("the body is no ExportTraceServiceRequest in protobuf") from exc
    if not lost:
        raise OtlpError("the body is no ExportTraceServiceRequest in protobuf")
    return request, lost


def _add_group(request: ExportTraceServiceRequest, group_bytes: bytes) -> int:
    lost = 0
    group = request.resource_spans.add()
    for number, content in _fields(group_bytes):
        if number == 1:
            group.resource.MergeFrom(ResourceSpans.FromString(_field(1, content)).resource)
        elif number == 2:
            scoped = group.scope_spans.add()
            for inner, part in _fields(content):
                if inner == 1:
                    scoped.scope.MergeFrom(ScopeSpans.FromString(_field(1, part)).scope)
                elif inner == 2:
                    try:
                        scoped.spans.append(Span.FromString(part))
                    except DecodeError:
                        lost += 1
    return lost


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of the fields that have a length; others are skipped. `IndexError` where it breaks off."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise IndexError
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind in _FIXED:
            at += _FIXED[kind]
        elif kind == 0:
            _, at = _varint(message, at)
        else:
            raise IndexError


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | _LENGTH_DELIMITED]) + bytes(length) + content
