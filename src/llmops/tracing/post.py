"""A batch of spans as one OTLP request (protobuf, gzip), and what the answer means for it.

Redirects are not followed: the key is for the gateway alone. A connection serves one batch; there is about one a
second.
"""

import gzip
import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan

from .export import Sent

_AGAIN = (429, 502, 503, 504)
"""As OTLP/HTTP has it: everything else would fail again."""
_MAX_ANSWER_BYTES = 65_536


class Post:
    """Sends to ``/v1/traces`` of the gateway at ``endpoint``; an address that names that path is taken as it is."""

    def __init__(self, endpoint: str, api_key: str | None, timeout_s: float) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"endpoint {endpoint!r} is not the address of a gateway, such as 'http://127.0.0.1:8000'")
        path = parts.path.rstrip("/")
        if not path.endswith("/v1/traces"):
            path += "/traces" if path.endswith("/v1") else "/v1/traces"
        self._place = parts.hostname, parts.port
        self._secure = parts.scheme == "https"
        self._path = path
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def __call__(self, batch: Sequence[ReadableSpan]) -> Sent:
        body = gzip.compress(encode_spans(batch).SerializeToString(), compresslevel=3)
        connect = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = connect(*self._place, timeout=self._timeout_s)
        try:
            connection.request("POST", self._path, body, self._headers)
            answer = connection.getresponse()
            return _meaning(answer.status, answer.getheader("Retry-After"), answer.read(_MAX_ANSWER_BYTES), len(batch))
        except (OSError, http.client.HTTPException) as exc:
            return Sent(again=True, why=f"the gateway does not answer: {exc!r}")
        finally:
            connection.close()


def _meaning(status: int, retry_after: str | None, body: bytes, size: int) -> Sent:
    if status in _AGAIN:
        after_s = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
        return Sent(again=True, retry_after_s=after_s, why=f"the gateway answers {status}")
    if not 200 <= status < 300:
        return Sent(rejected=size, why=f"the gateway answers {status}: {body[:200]!r}")
    said = ExportTraceServiceResponse()
    try:
        said.ParseFromString(body)
    except Exception:  # noqa: BLE001 - protobuf's own error type depends on its implementation; 2xx is an acceptance
        return Sent()
    partial = said.partial_success
    return Sent(rejected=max(partial.rejected_spans, 0), why=partial.error_message)
