"""What a tool shows of the spans that it was sent: their attributes, by each tool's own interface for reading.

MLflow and a gateway like this one show them as they are. Langfuse shows what it does not turn into something of its own
under ``metadata``, by the interface of its version 4 or that of version 3. Other collectors pass spans on and show
none.
"""

import http.client
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .destination import Destination

_MAX_BYTES = 20_000_000
_UNDER = "attributes."

Attributes = dict[str, Any]
Reader = Callable[[str], dict[str, Attributes] | None]
"""The attributes of the spans of a trace that are there by now, by the spans' ids; None where none are ever shown."""


def reader_for(destination: Destination) -> Reader | None:
    """None where the tool has no such interface."""
    if destination.kind == "mlflow":
        return lambda trace_id: _of_mlflow(destination, trace_id)
    if destination.kind == "langfuse":
        return lambda trace_id: _of_langfuse(destination, trace_id)
    if "LLMOps Lab" in str((_get(destination, "/") or {}).get("service")):
        return lambda trace_id: _of_gateway(destination, trace_id)
    return None


def _of_langfuse(destination: Destination, trace_id: str) -> dict[str, Attributes] | None:
    asked = f"traceId={trace_id}&limit=100"
    told = _get(destination, f"/api/public/v2/observations?{asked}&fields=core,basic,metadata")
    told = told if told is not None else _get(destination, f"/api/public/observations?{asked}")
    if told is None:
        return None
    return {str(each.get("id")): _of_observation(each) for each in told.get("data", []) if isinstance(each, dict)}


def _of_observation(observation: dict[str, Any]) -> Attributes:
    metadata = observation.get("metadata")
    if not isinstance(metadata, dict):
        return {}
    flat = {name.removeprefix(_UNDER): value for name, value in metadata.items() if name.startswith(_UNDER)}
    nested = metadata.get("attributes")
    return {**flat, **(nested if isinstance(nested, dict) else {})}


def _of_mlflow(destination: Destination, trace_id: str) -> dict[str, Attributes]:
    """By MLflow's own interface for traces; nothing where it is not there yet."""
    told = _get(destination, f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}") or {}
    return {_span_id(span): _plain(span.get("attributes")) for span in told.get("trace", {}).get("spans", [])}


def _of_gateway(destination: Destination, trace_id: str) -> dict[str, Attributes]:
    """By ``/api/traces/{id}/spans`` of a gateway of this kind."""
    told = _get(destination, f"/api/traces/{trace_id}/spans?full=true") or {}
    return {span["span_id"]: span.get("attributes") or {} for span in told.get("items", []) if "span_id" in span}


def _get(destination: Destination, path: str) -> dict[str, Any] | None:
    parts = urlsplit(destination.url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=destination.timeout_s)
    base = parts.path.rstrip("/").removesuffix("/v1/traces").removesuffix("/api/public/otel")
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
