"""W3C Trace Context: reading ``traceparent`` and writing it (https://www.w3.org/TR/trace-context/)."""

import re

import msgspec

_TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")


class TraceParent(msgspec.Struct, frozen=True):
    trace_id: str
    span_id: str
    flags: str


def read_traceparent(value: str) -> TraceParent | None:
    """The caller's context; None when the header breaks the grammar, as the standard asks (start a new trace)."""
    found = _TRACEPARENT.match(value)
    if found is None or (value.startswith("00-") and found[4]):
        return None
    return TraceParent(found[1], found[2], found[3])


def write_traceparent(trace_id: str, span_id: str, flags: str) -> str:
    return f"00-{trace_id}-{span_id}-{flags}"
