"""Exports of real gateways: one gateway is the other's collector, tools are killed, and so are the processes."""

import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serving import HOST, Server, free_port, llmops, llmops_process, running, until
from tests.telemetry.export.collector import Collector, listening
from tests.telemetry.traces.exports import PROTOBUF, many


def gateway(folder: Path, url: str = "", **export: Any) -> Any:
    """A gateway that exports to ``url``; without one, to nobody."""
    folder.mkdir(exist_ok=True)
    exports = [{"name": "next", "kind": "otlp", "endpoint": url, **export}] if url else []
    (folder / "gateway.yaml").write_text(json.dumps({"exports": exports}))  # JSON is YAML
    port = free_port()
    return running(["-m", "llmops", "serve", "--port", str(port), "--config", "gateway.yaml"], folder, port)


def post(server: Server, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def score(server: Server, **fields: Any) -> dict[str, Any]:
    status, body = post(server, "/api/scores", json.dumps(fields).encode(), {"Content-Type": "application/json"})
    assert status == 201, body
    found: dict[str, Any] = json.loads(body)
    return found


def export(server: Server) -> dict[str, Any]:
    """What became of the one export; empty where it is not known."""
    found = server.get("/api/exports")[1]
    one: dict[str, Any] = found[0] if found else {"spans": {}, "scores": {}, "waiting": {}}
    return one


def figure(server: Server, name: str) -> float:
    lines = str(server.get("/metrics")[1]).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def trace_ids(folder: Path) -> list[str]:
    log = folder / "runs/logs/gateway.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line)["trace_id"] for line in lines]


def processes(server: Server, module: str) -> list[int]:
    """The children of a server that run this module."""
    return [
        pid for pid in server.children() if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]


@pytest.mark.timeout(120)
def test_one_gateway_is_the_others_collector(tmp_path: Path) -> None:
    with gateway(tmp_path / "b") as last, gateway(tmp_path / "a", last.url, content=True) as first:
        for _ in range(10):
            assert first.chat().status == 200
        assert post(first, "/v1/traces", many(50), PROTOBUF)[0] == 200
        until(lambda: len(trace_ids(tmp_path / "a")) == 10, "the log")
        made = score(first, trace_id=trace_ids(tmp_path / "a")[0], name="helpful", value=True, comment="<b>yes</b>")
        until(lambda: export(first)["scores"].get("delivered") == 1, "the score to be sent")
        until(lambda: export(first)["spans"].get("delivered", 0) >= 50 + 10, "the spans to be sent")
        delivered = export(first)["spans"]["delivered"]
        until(lambda: figure(last, "llmops_spans_stored_total") == delivered + 1, "the spans to be stored")
        (read,) = until(lambda: last.get("/api/scores")[1]["scores"], "the score to be read")
        assert {**read, "created_at_ms": 0} == {**made, "created_at_ms": 0}
        assert figure(last, "llmops_spans_known_total") == 0, "nothing was sent twice"
        assert first.get("/health")[1]["problems"] == []
        shown = llmops("export", "status", "--config", "gateway.yaml", folder=tmp_path / "a")
        assert "next" in shown.stdout and "well" in shown.stdout, shown


@pytest.mark.timeout(120)
def test_a_killed_collector_and_killed_processes_lose_nothing(tmp_path: Path) -> None:
    with listening(Collector()) as collector:
        port = collector.port
    folder, calls = tmp_path / "a", 0
    with gateway(folder, collector.url) as server:
        for _ in range(20):
            server.chat()
            calls += 1
        assert post(server, "/v1/traces", many(30), PROTOBUF)[0] == 200
        until(lambda: "waits" in str(server.get("/health")[1]["problems"]), "the failure to be told")
        (pid,) = processes(server, "llmops.export_process")
        os.kill(pid, signal.SIGKILL)
        until(lambda: [each for each in processes(server, "llmops.export_process") if each != pid], "another process")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with listening(Collector(), port) as collector, gateway(folder, collector.url) as server:
        server.chat()
        calls += 1
        until(
            lambda: export(server)["spans"].get("delivered", 0) > 30 and not export(server)["waiting"], "all to be sent"
        )
        until(lambda: len({span.trace_id for span in collector.spans}) == calls + 1, "all traces")
        until(
            lambda: len({span.span_id for span in collector.spans} & {f"{n:016x}" for n in range(1, 31)}) == 30, "spans"
        )
    assert {span.trace_id for span in collector.spans} >= set(trace_ids(folder))
    assert max(collector.kept.values()) == 1, "nothing had arrived, so nothing was sent again"


@pytest.mark.timeout(120)
def test_calls_right_before_the_end_are_sent_before_it(tmp_path: Path) -> None:
    with listening(Collector()) as collector:
        with gateway(tmp_path / "a", collector.url) as server:
            for _ in range(30):
                server.chat()
        assert {span.trace_id for span in collector.spans} == set(trace_ids(tmp_path / "a"))


@pytest.mark.timeout(120)
def test_an_export_that_is_not_there_any_more_keeps_no_files(tmp_path: Path) -> None:
    with gateway(tmp_path / "a", "http://127.0.0.1:9") as server:
        assert post(server, "/v1/traces", many(5), PROTOBUF)[0] == 200
        until(lambda: figure(server, "llmops_spans_stored_total") == 5, "the spans to be stored")
    with gateway(tmp_path / "a") as server:
        until(lambda: not list((tmp_path / "a/runs/logs").rglob("*.spool")), "the files to go")
        assert server.get("/health")[1]["problems"] == []


def test_a_secret_that_is_missing_stops_the_start_and_none_is_shown(tmp_path: Path) -> None:
    export = {"name": "lf", "kind": "langfuse", "endpoint": "https://example.org", "public_key": "pk"}
    config = {"exports": [{**export, "headers": {"x-team": "hidden-value"}}]}
    (tmp_path / "gateway.yaml").write_text(json.dumps(config))
    checked = llmops("config", "check", "gateway.yaml", folder=tmp_path)
    assert checked.returncode != 0 and "LANGFUSE_SECRET_KEY is not set" in checked.stdout + checked.stderr
    shown = llmops("config", "show", "--config", "gateway.yaml", folder=tmp_path)
    assert shown.returncode == 0 and "hidden-value" not in shown.stdout
    started_s = time.monotonic()
    served = llmops_process("serve", "--port", str(free_port()), "--config", "gateway.yaml", folder=tmp_path)
    assert served.returncode != 0 and "LANGFUSE_SECRET_KEY" in served.stderr and time.monotonic() - started_s < 20


@pytest.mark.timeout(120)
def test_a_reload_puts_another_export_into_force(tmp_path: Path) -> None:
    with listening(Collector()) as first, listening(Collector()) as second:
        with gateway(tmp_path / "a", first.url) as server:
            server.chat()
            until(lambda: first.spans, "the first to be sent to")
            exports = [{"name": "other", "kind": "otlp", "endpoint": second.url}]
            (tmp_path / "a/gateway.yaml").write_text(json.dumps({"exports": exports}))
            before = processes(server, "llmops.export_process")
            server.signal(signal.SIGHUP)
            until(lambda: len(server.get("/api/exports")[1]) == 2, "the other to begin")
            until(lambda: (now := processes(server, "llmops.export_process")) and now != before, "another process")
            server.chat()
            until(lambda: second.spans, "the other to be sent to")
    assert len({span.trace_id for span in first.spans}) == 1 == len({span.trace_id for span in second.spans})
