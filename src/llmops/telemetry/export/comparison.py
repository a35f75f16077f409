"""The same made-up traces sent to a tool, and what is there of them afterwards: what the tools can be compared by.

What a tool says in its answer is one thing; what it stored is another, and is read back where the tool shows it without
a login of its own kind: MLflow, and a gateway like this one. An attribute counts as kept when its value is there under
its own name.
"""

import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..spans.facts import Facts
from ..spans.genai_write import attributes_of
from ..spans.span import Span
from .destination import Destination
from .tools import tool_for

_LOOK_S = 0.05
_LONGEST_S = 10.0
_MAX_BYTES = 20_000_000


class ToolReport(msgspec.Struct, kw_only=True):
    """``stored``, ``kept`` and ``delay_ms`` are None where the tool does not show what it stored. ``delay_ms``: from
    the sending of the last span until all could be read."""

    name: str
    kind: str
    sent: int = 0
    accepted: int = 0
    attributes: int = 0
    stored: int | None = None
    kept: int | None = None
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
    read = _READERS.get(destination.kind)
    if read is None or (destination.kind == "otlp" and not _is_gateway(destination)):
        return
    found: dict[str, dict[str, Any]] = {}
    while time.monotonic() - since_s < _LONGEST_S:
        for trace in made:
            if any(span.span_id not in found for span in trace):
                found.update(read(destination, trace[0].trace_id))
        if sum(len(trace) for trace in made) <= len(found):
            break
        time.sleep(_LOOK_S)
    report.delay_ms = round((time.monotonic() - since_s) * 1000, 3)
    spans = [span for trace in made for span in trace]
    report.stored = sum(span.span_id in found for span in spans)
    report.kept = sum(
        _same(found[span.span_id].get(name), value)
        for span in spans
        if span.span_id in found
        for name, value in span.attributes.items()
    )


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


def _of_mlflow(destination: Destination, trace_id: str) -> dict[str, dict[str, Any]]:
    """By MLflow's own interface for traces; nothing where it is not there yet."""
    told = _get(destination, f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}") or {}
    return {_span_id(span): _plain(span.get("attributes")) for span in told.get("trace", {}).get("spans", [])}


def _of_gateway(destination: Destination, trace_id: str) -> dict[str, dict[str, Any]]:
    """By ``/api/traces/{id}/spans`` of a gateway of this kind."""
    told = _get(destination, f"/api/traces/{trace_id}/spans?full=true") or {}
    return {span["span_id"]: span.get("attributes") or {} for span in told.get("items", []) if "span_id" in span}


_READERS: dict[str, Callable[[Destination, str], dict[str, dict[str, Any]]]] = {
    "mlflow": _of_mlflow,
    "otlp": _of_gateway,
}


def _is_gateway(destination: Destination) -> bool:
    told = _get(destination, "/") or {}
    return "LLMOps Lab" in str(told.get("service"))


def _get(destination: Destination, path: str) -> dict[str, Any] | None:
    parts = urlsplit(destination.url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=destination.timeout_s)
    base = parts.path.rstrip("/").removesuffix("/v1/traces")
    try:
        connection.request("GET", base + path, headers={**destination.headers, "Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES)
        found = msgspec.json.decode(body) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def _span_id(span: dict[str, Any]) -> str:
    """Hexadecimal, or the bytes in base64, as JSON made of protobuf has them."""
    from base64 import b64decode

    given = str(span.get("span_id") or span.get("spanId") or "")
    if len(given) == 16:
        return given
    try:
        return b64decode(given).hex()
    except ValueError:
        return given


def _plain(attributes: Any) -> dict[str, Any]:
    """Attributes as a mapping, also where they are OTLP's list of pairs."""
    if isinstance(attributes, dict):
        return attributes
    return {str(pair.get("key")): _any_value(pair.get("value")) for pair in attributes or [] if isinstance(pair, dict)}


def _any_value(value: Any) -> Any:
    """A value of OTLP in JSON: ``{"stringValue": …}``, whose integers are text; or one in protobuf's own names."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, held),) = value.items()
    if kind in ("arrayValue", "array_value"):
        return [_any_value(each) for each in held.get("values", [])]
    if kind in ("intValue", "int_value"):
        return int(held)
    return held
