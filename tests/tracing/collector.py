"""A real OTLP receiver on a thread of its own, which answers as it is told: 200, an error, or nothing at all."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.serving import until


class Collector:
    """``spans`` are those it has taken. ``status`` other than 200 is an error; ``rejects`` is said to be refused of
    each batch; until it is ``released`` it takes requests and does not answer."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.services: list[str] = []
        self.status = 200
        self.rejects = 0
        self.requests = 0
        self.released = threading.Event()
        self.released.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests += 1
                collector.released.wait()
                answer = collector.take(self.path, dict(self.headers), body)
                self.send_response(collector.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        assert path == "/v1/traces"
        answer = ExportTraceServiceResponse()
        if self.status == 200:
            packed = headers.get("Content-Encoding", "").lower() == "gzip"
            self.bodies.append(gzip.decompress(body) if packed else body)
            request = ExportTraceServiceRequest.FromString(self.bodies[-1])
            self.headers.append({name.lower(): value for name, value in headers.items()})
            for group in request.resource_spans:
                self.services += [
                    each.value.string_value for each in group.resource.attributes if each.key == "service.name"
                ]
                self.spans += [span for scope in group.scope_spans for span in scope.spans]
            answer.partial_success.rejected_spans = self.rejects
            if self.rejects:
                answer.partial_success.error_message = "not those"
        return answer.SerializeToString()

    def named(self, name: str) -> Span:
        """The one span of that name, once it is there."""
        until(lambda: [span for span in self.spans if span.name == name], f"a span {name!r}")
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attributes(span: Span) -> dict[str, object]:
    """A span's plain attributes."""
    found: dict[str, object] = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind) if kind is not None else None
        found[each.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found
