"""``python -m evals.run_eval``: the report's contract, and failures that are values."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evals.run_eval import CASES, read_cases, results_of, run_cases, summarise
from src.llmops import Settings
from src.llmops.errors import ConfigError
from tests.serving import environment


def run(folder: Path, *arguments: str, **env: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    report = folder / "report.json"
    asked = subprocess.run(
        [sys.executable, "-m", "evals.run_eval", "--report", str(report), *arguments],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return asked, json.loads(report.read_text()) if report.exists() else {}


def test_the_mock_complies_with_every_case(tmp_path: Path) -> None:
    asked, report = run(tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert (report["json_compliance_rate"], report["error_rate"]) == (1.0, 0.0)
    assert (report["provider"], report["model"]) == ("mock", "mock")
    assert set(report["latency_ms"]) == {"mean", "p50", "p95", "p99", "max"}
    assert len(report["cases"]) == 10
    assert set(report["cases"][0]) == {"id", "ok", "error", "json_valid", "latency_ms", "tokens"}
    assert sum(case["json_valid"] is True for case in report["cases"]) == 5
    assert all(case["tokens"]["total"] > 0 for case in report["cases"])
    assert "JSON compliance 100%" in asked.stdout
    (kept,) = (tmp_path / "results").glob("*.json")
    assert json.loads(kept.read_text()) | report == json.loads(kept.read_text()), "history keeps each report"
    assert len((tmp_path / "runs/logs/gateway.jsonl").read_text().splitlines()) == 10, "evals are recorded as calls"


def test_the_environment_chooses_the_model(tmp_path: Path) -> None:
    asked, report = run(tmp_path, "--json", LLM_MODEL="other")
    assert asked.returncode == 0
    assert report == json.loads(asked.stdout)
    assert report["model"] == "other"


def test_an_impossible_provider_ends_with_2_and_no_report(tmp_path: Path) -> None:
    asked, report = run(tmp_path, LLM_PROVIDER="anthropic")
    assert (asked.returncode, report) == (2, {})
    assert "ANTHROPIC_API_KEY" in asked.stderr and "Traceback" not in asked.stderr


def test_failed_calls_are_values_and_the_status_is_1(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("models: {mock: [{provider: mock, mock: {error_rate: 1}}]}")
    asked, report = run(tmp_path, "--config", str(config))
    assert asked.returncode == 1
    assert (report["error_rate"], report["json_compliance_rate"], report["latency_ms"]) == (1.0, 0.0, None)
    assert all(case["error"].startswith("upstream_unavailable: ") for case in report["cases"])


def settings_with(mock: dict[str, Any], folder: Path) -> Settings:
    return Settings.model_validate(
        {"log": {"dir": str(folder / "logs")}, "models": {"mock": [{"provider": "mock", "mock": mock}]}}
    )


def test_an_answer_that_breaks_its_schema_is_not_ok_but_no_error(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"id": "a", "prompt": "?", "schema": {"type": "object"}}\n{"id": "b", "prompt": "?"}')
    cases = read_cases(path)
    run = asyncio.run(run_cases(settings_with({"reply": "no JSON at all"}, tmp_path), cases))
    results = results_of(run, cases)
    assert [(each.ok, each.json_valid, each.error) for each in results] == [(False, False, None), (True, None, None)]
    assert summarise(run, results, cases)["json_compliance_rate"] == 0.0


def test_half_of_the_shipped_cases_demand_a_schema() -> None:
    cases = read_cases(CASES)
    assert len(cases) == 10
    assert sum(case.reference is not None for case in cases.cases) == 5


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no cases"),
        ('{"id": "a"}', "prompt"),
        ('{"id": "a", "prompt": "?", "shcema": {}}', "shcema"),
        ('{"id": "a", "prompt": "?"}\n{"id": "a", "prompt": "?"}', "'a': each id can be there once"),
    ],
)
def test_a_bad_file_of_cases_is_said_plainly(content: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match=problem):
        read_cases(path)
