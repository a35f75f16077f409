"""Spans all the way: the official exporter into a real gateway, and processes that are killed between answer and
storage. What was answered for is in the database, once."""

import http.client
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from tests.serving import HOST, Server, free_port, running, until
from tests.store.postgres import PostgresServer
from tests.telemetry.traces.exports import PROTOBUF, many

Ask = Callable[[str], list[tuple[object, ...]]]


def gateway(folder: Path, url: str | None = None) -> object:
    port = free_port()
    env = {"LLMOPS_DATABASE__URL": url} if url else {}
    return running(["-m", "llmops", "serve", "--port", str(port)], folder, port, env)


def ask_sqlite(folder: Path) -> Ask:
    def ask(query: str) -> list[tuple[object, ...]]:
        file = folder / "runs/llmops.db"
        if not file.exists():
            return []
        try:
            with sqlite3.connect(file, timeout=10) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            return []

    return ask


def ask_postgres(url: str) -> Ask:
    def ask(query: str) -> list[tuple[object, ...]]:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]
        except psycopg.Error:
            return []

    return ask


def post(server: Server, body: bytes) -> int:
    """The status; 0 where nothing answered."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def count(ask: Ask) -> int:
    found = ask("SELECT count(*) FROM spans")
    return int(str(found[0][0])) if found else 0


def writer_of(server: Server) -> int | None:
    for child in server.children():
        if b"writer_process" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    return None


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_official_exporter_delivers(tmp_path: Path, compression: Compression) -> None:
    with gateway(tmp_path) as server:  # type: ignore[attr-defined]
        provider = TracerProvider(resource=Resource.create({"service.name": "bookshop"}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces", compression=compression)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("tests", "1.0")
        with tracer.start_as_current_span("ask", kind=SpanKind.SERVER) as root:
            root.set_attribute("session.id", "s-1")
            with tracer.start_as_current_span("chat m", kind=SpanKind.CLIENT) as chat:
                chat.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "tags": ["a", "b"]})
                chat.record_exception(ValueError("no"))
                chat.set_status(StatusCode.ERROR, "no")
        assert provider.force_flush(10_000)
        provider.shutdown()
        ask = ask_sqlite(tmp_path)
        until(lambda: count(ask) == 2, "both spans")
        ids = root.get_span_context(), chat.get_span_context()
        found = ask("SELECT span_id, parent_id, trace_id, name, status, service, step FROM spans ORDER BY name")
        trace_id = f"{ids[0].trace_id:032x}"
        assert [row[:6] for row in found] == [
            (f"{ids[0].span_id:016x}", None, trace_id, "ask", "unset", "bookshop"),
            (f"{ids[1].span_id:016x}", f"{ids[0].span_id:016x}", trace_id, "chat m", "error", "bookshop"),
        ]
        assert found[1][6] == "llm"
        assert ask("SELECT name, session, spans, errors FROM traces") == [("ask", "s-1", 2, 1)]


@pytest.mark.parametrize(
    ("victim", "engine"), [("gateway", "sqlite"), ("writer", "sqlite"), ("both", "sqlite"), ("both", "postgresql")]
)
def test_nothing_is_lost_or_doubled_when_processes_are_killed(
    tmp_path: Path, victim: str, engine: str, request: pytest.FixtureRequest
) -> None:
    """Between the answer and the transaction, and in the middle of it."""
    url, ask = None, ask_sqlite(tmp_path)
    if engine == "postgresql":
        server_of: PostgresServer = request.getfixturevalue("postgres")
        url = server_of.fresh()
        ask = ask_postgres(url)
    answered, sent = 0, 0
    for _ in range(2):
        stored = count(ask)
        with gateway(tmp_path, url) as server:  # type: ignore[attr-defined]
            for _ in range(25):
                sent += 1
                if post(server, many(200, trace=sent)) == 200:
                    answered += 200
            until(lambda: count(ask) > stored, "the first of them")  # noqa: B023
            writer = writer_of(server)
            assert writer is not None
            if victim != "gateway":
                os.kill(writer, signal.SIGKILL)
            if victim != "writer":
                server.signal(signal.SIGKILL)
                server.wait()
            else:  # and another one takes over
                until(lambda: writer_of(server) not in (None, writer), "a new writer")  # noqa: B023
                until(lambda: count(ask) >= answered, "all that was answered for")  # noqa: B023
    with gateway(tmp_path, url):  # type: ignore[attr-defined]
        until(lambda: count(ask) >= answered, "all that was answered for")
        time.sleep(0.3)
    stored = count(ask)
    assert answered <= stored <= sent * 200, "an answer may have been lost on the way"
    assert ask("SELECT sum(spans) FROM traces") == ask("SELECT sum(spans) FROM span_days") == [(stored,)]
    assert ask("SELECT count(*) FROM traces WHERE spans <> 200") == [(0,)]
    assert list((tmp_path / "runs/logs/traces").glob("*.spool")) == []


def test_a_database_that_dies_amid_the_work_gets_everything_afterwards(tmp_path: Path) -> None:
    from tests.store.engines import binaries, missing, postgres_server

    programs = binaries()
    if programs is None:
        missing("PostgreSQL", "postgresql")
    with postgres_server(programs) as postgres:
        url = postgres.fresh()
        ask = ask_postgres(url)
        with gateway(tmp_path, url) as server:  # type: ignore[attr-defined]
            assert post(server, many(100, trace=1)) == 200
            until(lambda: count(ask) == 100, "the first spans")
            postgres.kill()
            for trace in range(2, 12):
                assert post(server, many(100, trace=trace)) == 200, "calls and spans go on"
            until(lambda: "spans cannot be stored" in str(server.get("/health")[1]["problems"]), "a word about it")
            postgres.start()
            until(lambda: count(ask) == 1100, "the others")
            until(lambda: server.get("/health")[1]["problems"] == [], "peace")


def test_the_writer_ends_with_its_gateway(tmp_path: Path) -> None:
    with gateway(tmp_path) as server:  # type: ignore[attr-defined]
        assert writer_of(server) is None, "nobody has sent a span"
        assert post(server, many(10)) == 200
        ask = ask_sqlite(tmp_path)
        until(lambda: count(ask) == 10, "the spans")
        writer = writer_of(server)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert writer is not None
    until(lambda: not Path(f"/proc/{writer}").exists(), "its end")


def test_retention_follows_a_reload_in_the_running_writer(tmp_path: Path) -> None:
    """The process that has stored the spans removes them, too: it is told, not started again."""
    config = tmp_path / "gateway.yaml"
    config.write_text("{}")
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port), "--config", "gateway.yaml"], tmp_path, port) as server:
        assert post(server, many(10)) == 200
        ask = ask_sqlite(tmp_path)
        until(lambda: count(ask) == 10, "the spans")
        writer = writer_of(server)
        config.write_text("{traces: {max_gigabytes: 0.000001}}")
        server.signal(signal.SIGHUP)
        until(lambda: count(ask) == 0, "their end")
        assert writer_of(server) == writer
        removed = "llmops_spans_removed_total 10"
        until(lambda: removed in str(server.get("/metrics")[1]), "their count")
