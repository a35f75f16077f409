"""Tools that exports go to, as doubles: a collector that answers as a test wants, and a strict Langfuse.

Langfuse's rules are those of its published interface: OTLP at ``/api/public/otel/v1/traces`` with Basic credentials,
scores at ``/api/public/scores`` with their types, one per id.
"""

import gzip
import json
import threading
import time
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from llmops.telemetry.export.destination import Destination
from llmops.telemetry.spans import otlp_read
from llmops.telemetry.spans.span import Span


class Collector:
    """Keeps the spans that it takes. ``answers`` are given first, one a request: a status, or a status with headers;
    then 200. A span whose name is in ``refused`` spoils its request (400); those in ``rejected`` alone are not kept."""

    prefix = ""

    def __init__(self) -> None:
        self.port = 0
        self.answers: deque[int | tuple[int, dict[str, str]]] = deque()
        self.refused: set[str] = set()
        self.rejected: set[str] = set()
        self.slow_s = 0.0
        self.spans: list[Span] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.scores: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, path: str, headers: dict[str, str]) -> dict[str, Any] | None:
        """What a GET says; None: there is no such path. A plain collector shows nothing."""
        return None

    @property
    def kept(self) -> Counter[str]:
        """How often each span was taken, by its id."""
        return Counter(span.span_id for span in self.spans)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((path, headers))
        time.sleep(self.slow_s)
        if self.answers:
            given = self.answers.popleft()
            status, more = given if isinstance(given, tuple) else (given, {})
            if status != 200:
                return status, more, b"not now"
        return self.take(path, headers, body)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if path != f"{self.prefix}/v1/traces":
            return 404, {}, b"no such path"
        assert headers["content-type"] == "application/x-protobuf" and headers["content-encoding"] == "gzip"
        plain = gzip.decompress(body)
        ExportTraceServiceRequest.FromString(plain)
        spans = list(otlp_read.read(plain))
        if any(span.name in self.refused for span in spans):
            return 400, {}, b"a span is not to be had"
        kept = [span for span in spans if span.name not in self.rejected]
        self.spans += kept
        answer = ExportTraceServiceResponse()
        if len(kept) < len(spans):
            answer.partial_success.rejected_spans = len(spans) - len(kept)
            answer.partial_success.error_message = "unloved"
        return 200, {"content-type": "application/x-protobuf"}, answer.SerializeToString()


class Langfuse(Collector):
    prefix = "/api/public/otel"
    types = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT")

    def __init__(self, public_key: str, secret_key: str) -> None:
        super().__init__()
        self.keeps: Callable[[str], bool] = lambda _name: True
        """Which attributes it keeps."""
        self.version = 4
        self._credential = "Basic " + b64encode(f"{public_key}:{secret_key}".encode()).decode()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if headers.get("authorization") != self._credential:
            return 401, {}, b'{"message": "Invalid credentials"}'
        if path == "/api/public/scores":
            return self._score(headers, json.loads(body))
        assert headers["x-langfuse-ingestion-version"] == "4"
        return super().take(path, headers, body)

    def show(self, path: str, headers: dict[str, str]) -> dict[str, Any] | None:
        """Observations: version 3 has the attributes in a mapping, version 4 under names of their own."""
        asked, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        wanted = {4: "/api/public/v2/observations", 3: "/api/public/observations"}.get(self.version)
        if headers.get("authorization") != self._credential or asked != wanted:
            return None
        return {
            "data": [
                {"id": span.span_id, "traceId": span.trace_id, "metadata": self._metadata(span)}
                for span in self.spans
                if [span.trace_id] == query["traceId"]
            ]
        }

    def _metadata(self, span: Span) -> dict[str, Any]:
        kept = {name: value for name, value in span.attributes.items() if self.keeps(name)}
        return {"attributes": kept} if self.version == 3 else {f"attributes.{name}": kept[name] for name in kept}

    def _score(self, headers: dict[str, str], score: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        known = {
            *("id", "name", "value", "dataType", "traceId", "observationId", "sessionId", "comment", "metadata"),
            *("environment", "configId", "datasetRunId"),
        }
        value, kind = score.get("value"), score.get("dataType")
        right = {
            "NUMERIC": isinstance(value, float | int) and not isinstance(value, bool),
            "BOOLEAN": value in (0, 1) and not isinstance(value, bool),
            "CATEGORICAL": isinstance(value, str),
            "TEXT": isinstance(value, str) and 0 < len(value) <= 500,
        }
        sound = headers["content-type"] == "application/json" and set(score) <= known and kind in right
        placed = ("traceId" in score) != ("sessionId" in score) and ("observationId" not in score or "traceId" in score)
        if not sound or not placed or not right[kind] or not score.get("name") or not isinstance(score["id"], str):
            return 400, {}, b'{"message": "Invalid request data"}'
        self.scores[score["id"]] = score
        return 200, {"content-type": "application/json"}, json.dumps({"id": score["id"]}).encode()


@contextmanager
def listening(collector: Collector, port: int = 0) -> Iterator[Collector]:
    """The collector at a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, said = collector.answer(self.path, headers, body)
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            shown = collector.show(self.path, {name.lower(): value for name, value in self.headers.items()})
            said = json.dumps(shown).encode()
            self.send_response(404 if shown is None else 200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def to(collector: Collector, **fields: Any) -> Destination:
    """Where an export to a collector goes."""
    return Destination(**{"name": "there", "kind": "otlp", "url": collector.url, "timeout_s": 2.0, **fields})
