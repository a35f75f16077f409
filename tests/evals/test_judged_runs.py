"""Judges, panels and embeddings in a run that a file describes: asked through the pipeline, paid for by the run."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from llmops.cli.root import app
from llmops.evals.calibration import CalibrationFile, Rated, calibrate

JUDGED = {"scorers": ["correctness", "answer_relevancy", "ttft"], "judge": {"model": "mock"}, "embeddings": "mock"}


def prepare(folder: Path, **config: Any) -> None:
    cases = [{"id": f"c{each}", "input": f"Question {each}?", "reference": "yes"} for each in range(4)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (folder / "answers.jsonl").write_text(
        "".join(json.dumps({"id": case["id"], "output": "yes"}) + "\n" for case in cases)
    )
    given = {"dataset": "cases.jsonl", "subject": {"model": "mock", "stream": True}, **JUDGED, **config}
    (folder / "eval.yaml").write_text(json.dumps(given))


def shell(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["eval", *arguments])


def test_a_run_pays_for_its_judge_and_measures_the_first_token(tmp_path: Path) -> None:
    prepare(tmp_path)
    ran = shell(tmp_path, "run", "eval.yaml", "--id", "r", "--json", "--no-store")
    assert ran.exit_code == 0, ran.stderr
    found = json.loads(ran.stdout)
    summary = found["summary"]
    figures = {each["name"]: each for each in summary["metrics"]}
    assert {name: each["n"] for name, each in figures.items()} == {
        "correctness": 4,
        "answer_relevancy": 4,
        "ttft_ms": 4,
    }
    assert summary["ttft_ms"]["n"] == 4 and summary["tokens_out"] > 0
    advisory = {each["name"]: each.get("advisory", False) for each in found["spec"]["metrics"]}
    assert advisory == {"correctness": True, "answer_relevancy": True, "ttft_ms": False}
    records = [json.loads(line) for line in (tmp_path / "runs/logs/gateway.jsonl").read_text().splitlines()]
    asked = 4 * (1 + 1 + 3 + 1)  # the answer, a verdict, three questions made of the answer, their embeddings
    assert len(records) == asked and {record["tags"]["eval"] for record in records} == {"r"}
    assert sum(record["cost_nanousd"] for record in records) == summary["cost_nanousd"] + summary["judge_cost_nanousd"]
    assert summary["judge_cost_nanousd"] > 0


def test_a_judge_counts_against_the_budget(tmp_path: Path) -> None:
    prepare(tmp_path, subject={"replay": "answers.jsonl"}, repeats=1, concurrency=1, max_usd=2e-4)
    ran = shell(tmp_path, "run", "eval.yaml", "--id", "r", "--json", "--no-store", "--yes")
    found = json.loads(ran.stdout)
    assert (ran.exit_code, found["ending"]["reason"]) == (3, "budget"), ran.stdout
    assert 0 < found["summary"]["judge_cost_nanousd"] <= 200_000


def test_a_budget_needs_the_prices_of_all_who_are_asked(tmp_path: Path) -> None:
    prepare(tmp_path, max_usd=1.0, judge={"model": "nobody"})
    ran = shell(tmp_path, "run", "eval.yaml", "--yes")
    assert ran.exit_code == 2 and "'nobody': a budget (max_usd) cannot be kept without its price" in ran.stderr


@pytest.mark.parametrize(("scorer", "missing"), [("correctness", "judge"), ("panel", "panel")])
def test_a_scorer_without_its_judge_is_told_before_anything_is_paid(tmp_path: Path, scorer: str, missing: str) -> None:
    prepare(tmp_path, scorers=[scorer], judge=None)
    ran = shell(tmp_path, "run", "eval.yaml", "--id", "r")
    assert ran.exit_code == 2 and f"{missing}: " in ran.stderr
    assert not (tmp_path / "runs/evals/r").exists()


def test_a_panel_and_a_calibration(tmp_path: Path) -> None:
    """The version that the first run shows is calibrated; the second run's metric decides."""
    given = {"subject": {"replay": "answers.jsonl"}, "scorers": ["correctness"], "calibrations": "known.jsonl"}
    prepare(tmp_path, **given)
    first = json.loads(shell(tmp_path, "run", "eval.yaml", "--json", "--no-store").stdout)
    assert first["spec"]["metrics"][0]["advisory"] is True
    labels = [Rated(human=each % 2, judge=each % 2, reruns=(each % 2,)) for each in range(100)]
    (version,) = first["spec"]["scorers"]
    found = calibrate(labels, scorer_version=version, metric="correctness", judge="mock", pass_at=0.5)
    assert not found.problems
    CalibrationFile(tmp_path / "known.jsonl").add(found)
    second = json.loads(shell(tmp_path, "run", "eval.yaml", "--json", "--no-store").stdout)
    assert second["spec"]["scorers"] == [version]
    assert second["spec"]["metrics"][0].get("advisory", False) is False
    panel = {"scorer": "correctness"}
    prepare(tmp_path, **{**given, "scorers": [{"panel": panel}], "panel": [{"model": "mock"}, {"model": "mock"}]})
    ran = shell(tmp_path, "run", "eval.yaml", "--json", "--no-store")
    assert ran.exit_code == 0, ran.stderr
    (figure,) = json.loads(ran.stdout)["summary"]["metrics"]
    assert figure["n"] + figure.get("unmeasured", 0) == 4


def test_scorers_are_listed_with_their_settings(tmp_path: Path) -> None:
    listed = json.loads(shell(tmp_path, "scorers", "--json").stdout)
    by_name = {each["name"]: each for each in listed}
    assert by_name["answer_relevancy"]["needs"] == ["judge", "embedder"]
    assert by_name["rubric"]["settings"]["criterion"]["required"] is True
    assert "faithfulness" in shell(tmp_path, "scorers").stdout
    one = shell(tmp_path, "scorers", "numeric").stdout
    assert "tolerance" in one
    assert "did you mean 'numeric'" in shell(tmp_path, "scorers", "numerik").stderr
