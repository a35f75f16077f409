"""Eval runs sent to a real MLflow server: parameters, metrics with their bounds, and the report as an artifact."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.evals.reports.mlflow import MlflowRuns
from llmops.evals.reports.report import Report
from llmops.evals.reports.run_view import view_of_folder
from tests.evals.reports.runs import a_dataset, a_run
from tests.interop.test_mlflow import asked, mlflow_server
from tests.serving import HOST


@pytest.mark.timeout(240)
def test_a_run_arrives_in_a_real_mlflow_once(tmp_path: Path) -> None:
    dataset = a_dataset()
    views = [view_of_folder(a_run(tmp_path, name, dataset, wrong=wrong)) for name, wrong in (("a", 2), ("b", 6))]
    report = Report(views[1], views[0])
    with mlflow_server(tmp_path) as port:
        server = MlflowRuns(f"http://{HOST}:{port}", timeout_s=60.0)
        sent = server.send(report, "it's cases/nightly")
        assert server.send(report, "it's cases/nightly") == sent, "the same run again is the same run"
        other = server.send(Report(views[0]), "it's cases/nightly")
        server.close()
        assert other != sent
        found: Any = asked(port, f"/api/2.0/mlflow/runs/get?run_id={sent}")["run"]
        params = {each["key"]: each["value"] for each in found["data"]["params"]}
        metrics = {each["key"]: each["value"] for each in found["data"]["metrics"]}
        assert found["info"]["status"] == "FINISHED" and found["info"]["run_name"] == "b"
        assert params["dataset_version"] == dataset.version and params["subject.model"] == "m-b"
        assert params["baseline"] == "a"
        figure = report.run.summary.figure("exact")
        assert figure is not None and metrics["exact"] == pytest.approx(figure.mean)
        assert metrics["exact.low"] == pytest.approx(figure.low) and metrics["exact.gain"] == pytest.approx(-4 / 19)
        place = (
            f"/api/2.0/mlflow-artifacts/artifacts/{found['info']['artifact_uri'].removeprefix('mlflow-artifacts:/')}"
        )
        page = asked(port, f"{place}/report.html")
        assert page is not None and page.startswith(b"<!doctype html>")
        assert json.loads(json.dumps(asked(port, f"{place}/report.json")))["summary"]["cells"] == 20
