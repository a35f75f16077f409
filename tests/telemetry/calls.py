"""Calls that have ended, made by hand, for tests of what is recorded of them."""

from typing import Any

from llmops.errors import InvalidRequest
from llmops.telemetry.record import FinishedCall, RefusedRequest
from llmops.types import Call, MessageView, Outcome, Reply, RequestView, Usage

SECRET_WORDS = "the patient is called Müller"
CONTENT = SECRET_WORDS.encode()


def a_call(number: int = 1, **fields: Any) -> Call:
    view = fields.pop("view", None) or RequestView(
        model="asked-for", user="u-1", messages=[MessageView("user", CONTENT, len(SECRET_WORDS))]
    )
    return Call(
        **{  # type: ignore[arg-type]
            "operation": "chat",
            "body": b"{}",
            "view": view,
            "request_id": f"req_{number:032x}",
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "started_at_s": 1_700_000_000.25,
            "started_s": 10.0,
            "model": "m",
            "attempts": 1,
            **fields,
        }
    )


def a_reply(**fields: Any) -> Reply:
    outcome = Outcome(
        usage=Usage(prompt=7, completion=5, cached=2, reasoning=1),
        finish_reason="stop",
        model="m-2026",
        upstream_id="chatcmpl-1",
        first_content_s=10.125,
    )
    return Reply(**{"outcome": outcome, **fields})


def finished(number: int = 1, **fields: Any) -> FinishedCall:
    return FinishedCall(**{"call": a_call(number), "reply": a_reply(), "ended_s": 10.5, **fields})


def refused(number: int = 1) -> RefusedRequest:
    return RefusedRequest(
        request_id=f"req_{number:032x}",
        trace_id="a" * 32,
        span_id="b" * 16,
        parent_span_id=None,
        operation="chat",
        error=InvalidRequest("no"),
        started_at_s=1_700_000_000.0,
        latency_s=0.001,
    )
