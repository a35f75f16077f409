"""A span as OpenTelemetry knows it, whoever made it and however it came in. Nothing of it is lost.

Times are nanoseconds since the epoch. Attribute values are what OTLP carries: text, numbers, booleans, bytes, lists and
maps of those. A span may be absurd (it ends before it begins, it is its own parent): it is kept as it is, and readers
must cope.
"""

from typing import Any, Literal

import msgspec

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
SpanStatus = Literal["unset", "ok", "error"]
Attributes = dict[str, Any]


class SpanEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened at one moment of a span."""

    name: str
    at_ns: int = 0
    attributes: Attributes = {}


class SpanLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Another span that has to do with this one and is not its parent."""

    trace_id: str
    span_id: str
    attributes: Attributes = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``trace_id`` has 32 hexadecimal digits, ``span_id`` and ``parent_id`` 16, in lower case."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str
    kind: SpanKind = "internal"
    started_ns: int
    ended_ns: int
    status: SpanStatus = "unset"
    status_message: str = ""
    attributes: Attributes = {}
    events: list[SpanEvent] = []
    links: list[SpanLink] = []
    resource: Attributes = {}
    """Of the process that made it: ``service.name`` and the like."""
    scope: str = ""
    """The instrumentation that made it, ``name@version``."""
    tracestate: str = ""
    dropped: int = 0
    """Attributes, events and links that its own process had to leave out."""

    @property
    def duration_ns(self) -> int:
        """Never negative: clocks of two machines may disagree."""
        return max(self.ended_ns - self.started_ns, 0)
