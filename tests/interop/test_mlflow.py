"""Exports to a real MLflow server: traces with their attributes, and scores as assessments."""

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llmops.telemetry.assessments.assessment import assessment_of
from llmops.telemetry.export.comparison import compare_tools, made_trace
from llmops.telemetry.export.destination import Destination
from llmops.telemetry.export.tools import tool_for
from tests.interop.environment import interop_python
from tests.serving import HOST, environment, free_port, until


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    python = interop_python("mlflow")
    port = free_port()
    command = [str(python), "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    output = (folder / "mlflow.txt").open("wb")
    process = subprocess.Popen(
        [*command, "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"],
        cwd=folder,
        env={**environment({"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}), "PYTHONPATH": ""},
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        until(lambda: process.poll() is not None or asked(port, "/health") is not None, "MLflow", limit_s=120)
        assert process.poll() is None, (folder / "mlflow.txt").read_text()
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
        process.wait()
        output.close()


def asked(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return (json.loads(body) if body.startswith(b"{") else body) if answer.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


@pytest.mark.timeout(240)
def test_traces_and_scores_arrive_in_a_real_mlflow(tmp_path: Path) -> None:
    with mlflow_server(tmp_path) as port:
        there = Destination(name="mlflow", kind="mlflow", url=f"http://{HOST}:{port}", timeout_s=60.0)
        tool, spans = tool_for(there), list(made_trace(1))
        trace_id = spans[0].trace_id
        assert tool.send_spans(spans).verdict == "taken"
        for number, said in enumerate(
            [
                {"value": True},
                {"value": 0.5, "comment": "so so", "span_id": spans[1].span_id},
                {"label": "correct", "source": "judge", "source_id": "gpt-4o@2"},
                {"comment": "only words", "source": "code"},
            ]
        ):
            given = {"trace_id": trace_id, "name": "helpful", **said}
            made = assessment_of(given, "acme", 1_795_000_000_000 + number, f"s{number}")
            assert tool.carries(made) and tool.send_score(made).verdict == "taken", said
        unknown = assessment_of({"trace_id": "ab" * 16, "name": "x", "value": 1}, "acme", 0, "s9")
        assert tool.send_score(unknown).verdict == "failed", "its trace may be on its way"
        tool.close()
        stored = asked(port, f"/api/3.0/mlflow/traces/tr-{trace_id}")["trace"]["trace_info"]
        report = compare_tools(there, 2)
    found = {each["metadata"]["llmops.score_id"]: each for each in stored["assessments"]}
    assert [found[f"s{number}"]["feedback"]["value"] for number in range(4)] == [True, 0.5, "correct", "only words"]
    assert found["s1"]["span_id"] == spans[1].span_id and found["s1"]["rationale"] == "so so"
    assert [found[f"s{n}"]["source"]["source_type"] for n in range(4)] == ["HUMAN", "HUMAN", "LLM_JUDGE", "CODE"]
    about = stored["trace_metadata"]
    assert (about["mlflow.trace.session"], about["mlflow.trace.user"]) == ("session-1", "ann")
    assert json.loads(about["mlflow.trace.tokenUsage"])["input_tokens"] == 120
    assert report.sent == report.accepted == report.stored == 6, report
    assert report.kept == report.attributes and not report.lost, report
