"""Spans of an application's own steps, as OTLP: what an instrumented RAG service or agent sends about one request.

The gateway's calls are not among them: they join the same trace by their ``traceparent``.
"""

import random
from typing import Any

_SCOPE = {"name": "demo.instrumentation", "version": "1.0"}
_INTERNAL, _OK, _ERROR = 1, 1, 2


class SpanTree:
    """One trace. Times are seconds since the epoch; the root ends with ``body``."""

    def __init__(self, luck: random.Random, service: str, name: str, now_s: float, attributes: dict[str, Any]) -> None:
        self.trace_id = f"{luck.getrandbits(128) or 1:032x}"
        self._luck = luck
        self._service = service
        self._spans: list[dict[str, Any]] = []
        self.root_id = self._new_id()
        self._root = (name, now_s, attributes)

    def traceparent(self, parent_id: str | None = None) -> str:
        """For a call that is made below this span, or below the root."""
        return f"00-{self.trace_id}-{parent_id or self.root_id}-01"

    def add(
        self,
        name: str,
        begin_s: float,
        end_s: float,
        attributes: dict[str, Any],
        *,
        parent_id: str | None = None,
        error: str | None = None,
    ) -> str:
        """A step; its id."""
        span_id = self._new_id()
        self._spans.append(self._span(span_id, parent_id or self.root_id, name, begin_s, end_s, attributes, error))
        return span_id

    def body(self, end_s: float, *, error: str | None = None) -> dict[str, Any]:
        """The whole as an export, when it is over."""
        name, begin_s, attributes = self._root
        root = self._span(self.root_id, "", name, begin_s, end_s, attributes, error)
        resource = {"attributes": _attributes({"service.name": self._service, "deployment.environment.name": "prod"})}
        return {
            "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": _SCOPE, "spans": [root, *self._spans]}]}]
        }

    def _new_id(self) -> str:
        return f"{self._luck.getrandbits(64) or 1:016x}"

    def _span(
        self,
        span_id: str,
        parent_id: str,
        name: str,
        begin_s: float,
        end_s: float,
        attributes: dict[str, Any],
        error: str | None,
    ) -> dict[str, Any]:
        return {
            "traceId": self.trace_id,
            "spanId": span_id,
            "parentSpanId": parent_id,
            "name": name,
            "kind": _INTERNAL,
            "startTimeUnixNano": str(int(begin_s * 1e9)),
            "endTimeUnixNano": str(int(max(begin_s, end_s) * 1e9)),
            "attributes": _attributes(attributes),
            "status": {"code": _ERROR, "message": error} if error else {"code": _OK},
        }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
