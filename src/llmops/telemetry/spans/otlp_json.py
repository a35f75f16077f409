"""OTLP in, as JSON: the same as `otlp_read` for the other encoding that the protocol knows.

The protocol's JSON is protobuf's with two changes: identifiers are hexadecimal, and enumerations numbers. 64-bit
numbers come as text; as numbers they are taken too, since many senders write them so.
"""

import math
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import msgspec

from .otlp_read import DEEPEST, KINDS, STATUSES, Inspected
from .otlp_salvage import OtlpError
from .span import Attributes, Span, SpanEvent, SpanLink

_HEX = frozenset("0123456789abcdef")
_MAX_TIME, _MAX_INT = 2**64, 2**63
_Number = int | str | float | None


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Unknown fields are ignored, as the protocol asks."""


class _AnyValue(_Wire):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number = None
    double_value: _Number = None
    bytes_value: str | None = None
    array_value: "_Array | None" = None
    kvlist_value: "_Map | None" = None


class _Array(_Wire):
    values: list[_AnyValue] = []


class _KeyValue(_Wire):
    key: str = ""
    value: _AnyValue | None = None


class _Map(_Wire):
    values: list[_KeyValue] = []


class _Event(_Wire):
    name: str = ""
    time_unix_nano: _Number = 0
    attributes: list[_KeyValue] = []


class _Link(_Wire):
    trace_id: str = ""
    span_id: str = ""
    attributes: list[_KeyValue] = []


class _Status(_Wire):
    code: int | str = 0
    message: str = ""


class _Span(_Wire):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: _Number = 0
    end_time_unix_nano: _Number = 0
    attributes: list[_KeyValue] = []
    events: list[_Event] = []
    links: list[_Link] = []
    status: _Status | None = None
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0


class _Scope(_Wire):
    name: str = ""
    version: str = ""


class _ScopeSpans(_Wire):
    scope: _Scope | None = None
    spans: list[_Span] = []


class _Resource(_Wire):
    attributes: list[_KeyValue] = []


class _ResourceSpans(_Wire):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _Request(_Wire):
    resource_spans: list[_ResourceSpans] = []


_decoder = msgspec.json.Decoder(_Request)


def inspect(body: bytes) -> Inspected:
    """Judge every span of a request; `OtlpError` for what is no request."""
    found = Inspected()
    for group in _parsed(body).resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                reason = _fault(span)
                if reason is None:
                    found.accepted += 1
                else:
                    found.reject(reason)
    return found


def read(body: bytes) -> Iterator[Span]:
    """The spans of a request, without those that are refused; `OtlpError` for what is no request."""
    for group in _parsed(body).resource_spans:
        resource = _attributes(group.resource.attributes) if group.resource else {}
        for scoped in group.scope_spans:
            scope = scoped.scope or _Scope()
            named = f"{scope.name}@{scope.version}" if scope.version else scope.name
            for span in scoped.spans:
                if _fault(span) is None:
                    yield _span(span, resource, named)


def _parsed(body: bytes) -> _Request:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise OtlpError(f"the body is no ExportTraceServiceRequest in JSON: {exc}") from exc
    except RecursionError as exc:
        raise OtlpError("the body is nested too deep") from exc


def _fault(span: _Span) -> str | None:
    if not _is_id(span.trace_id, 32):
        return "the trace id must be 32 hexadecimal digits, not all zero"
    if not _is_id(span.span_id, 16):
        return "the span id must be 16 hexadecimal digits, not all zero"
    parent = span.parent_span_id
    if parent.strip("0") and not _is_id(parent, 16):
        return "the parent span id must be 16 hexadecimal digits or none"
    if _time(span.start_time_unix_nano) is None or _time(span.end_time_unix_nano) is None:
        return "the times must be nanoseconds since the epoch"
    return None


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text.lower()) and bool(text.strip("0"))


def _time(value: _Number) -> int | None:
    number = _int(value)
    return number if isinstance(number, int) and 0 <= number < _MAX_TIME else None


def _span(span: _Span, resource: Attributes, scope: str) -> Span:
    status = span.status or _Status()
    kind, code = span.kind, status.code
    parent = span.parent_span_id.lower()
    return Span(
        trace_id=span.trace_id.lower(),
        span_id=span.span_id.lower(),
        parent_id=parent if parent.strip("0") else None,
        name=span.name,
        kind=KINDS[kind] if isinstance(kind, int) and 0 <= kind < len(KINDS) else "internal",
        started_ns=_time(span.start_time_unix_nano) or 0,
        ended_ns=_time(span.end_time_unix_nano) or 0,
        status=STATUSES[code] if isinstance(code, int) and 0 <= code < len(STATUSES) else "unset",
        status_message=status.message,
        attributes=_attributes(span.attributes),
        events=[
            SpanEvent(name=event.name, at_ns=_time(event.time_unix_nano) or 0, attributes=_attributes(event.attributes))
            for event in span.events
        ],
        links=[
            SpanLink(
                trace_id=link.trace_id.lower(), span_id=link.span_id.lower(), attributes=_attributes(link.attributes)
            )
            for link in span.links
        ],
        resource=resource,
        scope=scope,
        tracestate=span.trace_state,
        dropped=span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count,
    )


def _attributes(pairs: list[_KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value, 0) for pair in pairs}


def _value(value: _AnyValue | None, depth: int) -> Any:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        number = _int(value.int_value)
        return number if isinstance(number, int) and -_MAX_INT <= number < _MAX_INT else str(value.int_value)
    if value.double_value is not None:
        return _float(value.double_value)
    if value.bytes_value is not None:
        return _bytes(value.bytes_value)
    if depth >= DEEPEST:
        return msgspec.json.encode(value)
    if value.array_value is not None:
        return [_value(each, depth + 1) for each in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return None


def _int(value: _Number) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if len(value) < 25 and value.removeprefix("-").isdecimal() and value.isascii() else None
    return value


def _float(value: _Number) -> Any:
    """Also ``NaN`` and ``Infinity``, which JSON can only say as text; what is no number stays the text that it is."""
    try:
        return float(value) if value is not None else math.nan
    except (ValueError, OverflowError):
        return value


def _bytes(text: str) -> Any:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text
