"""The same made-up traces sent to a tool, and what is there of them afterwards: what the tools can be compared by.

What a tool says in its answer is one thing; what it stored is another, and is read back where the tool shows it
(`read_back`). An attribute counts as kept when its value is there under its own name.
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from ..spans.facts import Facts
from ..spans.genai_write import attributes_of
from ..spans.span import Span
from .destination import Destination
from .read_back import Attributes, reader_for
from .tools import tool_for

_LOOK_S = 0.05
_LONGEST_S = 10.0


class ToolReport(msgspec.Struct, kw_only=True):
    """``stored``, ``kept`` and ``delay_ms`` are None where the tool does not show what it stored. ``delay_ms``: from
    the sending of the last span until all could be read; None also where some never could."""

    name: str
    kind: str
    sent: int = 0
    accepted: int = 0
    attributes: int = 0
    stored: int | None = None
    kept: int | None = None
    lost: dict[str, int] = {}
    """Attributes that are missing or have another value in spans that are stored, and how often."""
    answer_ms: float = 0.0
    delay_ms: float | None = None
    said: str = ""


def compare_tools(destination: Destination, traces: int) -> ToolReport:
    """Send so many traces of three spans to the tool, and look for them."""
    report = ToolReport(name=destination.name, kind=destination.kind)
    made = [list(made_trace(number)) for number in range(traces)]
    spans = [span for trace in made for span in trace]
    report.sent, report.attributes = len(spans), sum(len(span.attributes) for span in spans)
    tool = tool_for(destination)
    begun_s = time.monotonic()
    try:
        for begin in range(0, len(spans), destination.spans_per_request):
            part = spans[begin : begin + destination.spans_per_request]
            sent = tool.send_spans(part)
            if sent.verdict == "taken":
                report.accepted += len(part) - sent.refused
            report.said = sent.why or report.said
    finally:
        tool.close()
    ended_s = time.monotonic()
    report.answer_ms = round((ended_s - begun_s) * 1000, 3)
    if report.accepted:
        _look(destination, made, report, ended_s)
    return report


def made_trace(number: int) -> Iterator[Span]:
    """An agent that searches and asks a model."""
    trace_id, root, now_ns = secrets.token_hex(16), secrets.token_hex(8), time.time_ns()
    asked = Facts(
        operation="chat",
        provider="openai",
        model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        session=f"session-{number}",
        user="ann",
        input_tokens=120,
        output_tokens=40,
        cached_tokens=20,
        finish_reason="stop",
        ttft_us=180_000,
        cost_nanousd=700_000,
        release_id="r-1",
        prompt_version="3",
    )
    searched = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "results": 3, "share": 0.5}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "tags": ["a", "b"], "done": True}
    for span_id, parent, name, attributes, offset_ms in (
        (root, None, "invoke_agent helper", agent, 0),
        (secrets.token_hex(8), root, "execute_tool search", searched, 5),
        (secrets.token_hex(8), root, "chat gpt-4o", attributes_of(asked), 20),
    ):
        begun_ns = now_ns - 1_000_000_000 + offset_ms * 1_000_000
        yield Span(
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent,
            name=name,
            kind="client" if parent else "internal",
            started_ns=begun_ns,
            ended_ns=begun_ns + 900_000_000 - offset_ms * 2_000_000,
            attributes=attributes,
            resource={"service.name": "llmops-export-compare"},
            scope="llmops",
        )


def _look(destination: Destination, made: list[list[Span]], report: ToolReport, since_s: float) -> None:
    read = reader_for(destination)
    if read is None:
        return
    found: dict[str, Attributes] = {}
    while time.monotonic() - since_s < _LONGEST_S:
        for trace in made:
            if any(span.span_id not in found for span in trace):
                told = read(trace[0].trace_id)
                if told is None:
                    return  # it does not show them after all
                found.update(told)
        if sum(len(trace) for trace in made) <= len(found):
            break
        time.sleep(_LOOK_S)
    spans = [span for trace in made for span in trace]
    stored = [span for span in spans if span.span_id in found]
    lost = Counter(
        name
        for span in stored
        for name, value in span.attributes.items()
        if not _same(found[span.span_id].get(name), value)
    )
    report.stored = len(stored)
    report.kept = sum(len(span.attributes) for span in stored) - lost.total()
    report.lost = dict(sorted(lost.items()))
    if len(stored) == len(spans):
        report.delay_ms = round((time.monotonic() - since_s) * 1000, 3)


def _same(kept: Any, sent: Any) -> bool:
    """Some write every value as JSON text."""
    if kept == sent:
        return True
    if not isinstance(kept, str):
        return False
    try:
        return bool(json.loads(kept) == sent)
    except ValueError:
        return False
