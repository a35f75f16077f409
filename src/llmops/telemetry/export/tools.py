"""The tools that exports go to: each takes spans as OTLP over HTTP, and scores in its own way.

A plain collector gets a score as a span with the event ``gen_ai.evaluation.result``. Langfuse keeps scores under the id
that they have here, so that one sent twice is there once. MLflow gives its own ids: a score that was sent twice, which
happens only when a gateway dies at the wrong moment, stands there twice.
"""

from typing import Any, Protocol

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..assessments.assessment import Assessment
from ..assessments.events import span_of
from ..spans import otlp_write
from ..spans.span import Attributes, Span
from .destination import Destination
from .post import Post
from .sent import TAKEN, Sent

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_TRACES = "/v1/traces"
_encode = msgspec.json.Encoder().encode


class Tool(Protocol):
    """``send_score`` may be asked only for what `carries` is true of."""

    def send_spans(self, spans: list[Span]) -> Sent: ...
    def carries(self, assessment: Assessment) -> bool: ...
    def send_score(self, assessment: Assessment) -> Sent: ...
    def close(self) -> None: ...


def tool_for(destination: Destination) -> Tool:
    return _TOOLS[destination.kind](destination)


class OtlpTool:
    """Any collector; an address that names the path of the interface is taken as it is."""

    def __init__(self, destination: Destination) -> None:
        self.post = Post(destination.url, self.headers(destination), destination.timeout_s)
        base = self.post.path
        self._path = base if base.endswith(_TRACES) else f"{base}{self.prefix}{_TRACES}"

    prefix = ""

    @staticmethod
    def headers(destination: Destination) -> dict[str, str]:
        return destination.headers

    def send_spans(self, spans: list[Span]) -> Sent:
        answer = self.post(self._path, otlp_write.write(spans), _PROTOBUF, packed=True)
        return answer.sent if answer.sent is not None else _partial(answer.body)

    def carries(self, assessment: Assessment) -> bool:
        return assessment.trace_id is not None

    def send_score(self, assessment: Assessment) -> Sent:
        span = span_of(assessment)
        return self.send_spans([span]) if span is not None else Sent("refused", why="it has no trace")

    def close(self) -> None:
        self.post.close()


class LangfuseTool(OtlpTool):
    prefix = "/api/public/otel"

    def send_spans(self, spans: list[Span]) -> Sent:
        return super().send_spans([_for_langfuse(span) for span in spans])

    def carries(self, assessment: Assessment) -> bool:
        return True

    def send_score(self, assessment: Assessment) -> Sent:
        path = f"{self.post.path.removesuffix(_TRACES).removesuffix(self.prefix)}/api/public/scores"
        answer = self.post(path, _encode(langfuse_score(assessment)), _JSON)
        return answer.sent or TAKEN


class MlflowTool(OtlpTool):
    @staticmethod
    def headers(destination: Destination) -> dict[str, str]:
        return {**destination.headers, "x-mlflow-experiment-id": destination.experiment}

    def send_score(self, assessment: Assessment) -> Sent:
        base = self.post.path.removesuffix(_TRACES)
        path = f"{base}/api/3.0/mlflow/traces/tr-{assessment.trace_id}/assessments"
        answer = self.post(path, _encode({"assessment": mlflow_assessment(assessment)}), _JSON)
        if answer.sent is not None and answer.sent.why.startswith("HTTP 404"):
            return Sent("failed", why="MLflow does not know the trace")  # it may be on its way
        return answer.sent or TAKEN


_TOOLS: dict[str, type[OtlpTool]] = {"otlp": OtlpTool, "langfuse": LangfuseTool, "mlflow": MlflowTool}


def langfuse_score(assessment: Assessment) -> dict[str, Any]:
    """The body of Langfuse's ``POST /api/public/scores``. A comment alone is a score of text."""
    value: float | str = assessment.comment or "" if assessment.value is None else assessment.value
    if assessment.label is not None and assessment.value is None:
        value = assessment.label
    kind = "TEXT" if assessment.value is None and assessment.label is None else "CATEGORICAL"
    if assessment.value is not None:
        kind = "BOOLEAN" if assessment.is_boolean else "NUMERIC"
    known = {
        "traceId": assessment.trace_id,
        "observationId": assessment.span_id,
        "sessionId": assessment.session,
        "comment": assessment.comment if kind != "TEXT" else None,
    }
    about = {
        "source": assessment.source,
        "source_id": assessment.source_id,
        "run_id": assessment.run_id,
        "label": assessment.label if assessment.value is not None else None,
        "tenant": assessment.tenant,
    }
    return {
        "id": f"{assessment.tenant}.{assessment.id}",
        "name": assessment.name,
        "value": value,
        "dataType": kind,
        **{name: each for name, each in known.items() if each is not None},
        "metadata": {name: each for name, each in about.items() if each is not None},
    }


def mlflow_assessment(assessment: Assessment) -> dict[str, Any]:
    """The field ``assessment`` of MLflow's request: feedback of a person, a judge or code."""
    value: Any = assessment.value if assessment.value is not None else assessment.label or assessment.comment
    about = {"llmops.score_id": assessment.id, "llmops.tenant": assessment.tenant, "llmops.run_id": assessment.run_id}
    if assessment.value is not None and assessment.label is not None:
        about["llmops.label"] = assessment.label
    seconds, milliseconds = divmod(assessment.created_at_ms, 1000)
    found = {
        "assessment_name": assessment.name,
        "trace_id": f"tr-{assessment.trace_id}",
        "span_id": assessment.span_id,
        "source": {
            "source_type": {"human": "HUMAN", "judge": "LLM_JUDGE", "code": "CODE"}[assessment.source],
            "source_id": assessment.source_id or "default",
        },
        "create_time": _rfc3339(seconds, milliseconds),
        "last_update_time": _rfc3339(seconds, milliseconds),
        "feedback": {"value": bool(value) if assessment.is_boolean else value},
        "rationale": assessment.comment,
        "metadata": {name: each for name, each in about.items() if each is not None},
    }
    return {name: each for name, each in found.items() if each is not None}


def _partial(body: bytes) -> Sent:
    """What a collector says that it did not take."""
    said = ExportTraceServiceResponse()
    try:
        said.ParseFromString(body)
    except DecodeError:
        return TAKEN  # 2xx is an acceptance, whatever stands in it
    partial = said.partial_success
    return Sent("taken", refused=partial.rejected_spans, why=partial.error_message[:200])


def _for_langfuse(span: Span) -> Span:
    """What Langfuse has names of its own for."""
    attributes: Attributes = {}
    cost = span.attributes.get("llmops.cost_nanousd")
    if isinstance(cost, int):
        attributes["langfuse.observation.cost_details"] = _encode({"total": cost / 1e9}).decode()
    if (release := span.attributes.get("llmops.release_id")) is not None:
        attributes["langfuse.release"] = release
    return msgspec.structs.replace(span, attributes={**span.attributes, **attributes}) if attributes else span


def _rfc3339(seconds: int, milliseconds: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
