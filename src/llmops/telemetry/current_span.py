"""The span that this task is inside of, if the program uses OpenTelemetry: calls made in-process are its children.

A program that has not loaded OpenTelemetry has no span, so it is not loaded here either.
"""

import sys

from .trace_context import write_traceparent


def current_traceparent() -> str | None:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return write_traceparent(f"{context.trace_id:032x}", f"{context.span_id:016x}", f"{context.trace_flags:02x}")
