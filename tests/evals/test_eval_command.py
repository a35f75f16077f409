"""``llmops eval``: from a YAML file to a report, and the same run again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from llmops.cli.root import app
from llmops.errors import ConfigError
from llmops.evals.config import build_scorers, check_config, read_config, read_dataset
from tests.serving import environment, until

SLOW = """
import time

def slow(text):
    time.sleep(0.05)
    return text
"""


def prepare(folder: Path, **config: Any) -> None:
    cases = [
        {"id": f"c{each}", "input": f"Question {each}?", "metadata": {"even": each % 2 == 0}} for each in range(20)
    ]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    given = {
        "dataset": "cases.jsonl",
        "subject": {"model": "mock"},
        "scorers": ["tests.evals.subjects_and_scorers:Length", "exact"],
        **config,
    }
    (folder / "eval.yaml").write_text(json.dumps(given))


def shell(folder: Path, *arguments: str) -> Result:
    """The command in this process: starting one takes longer than most of what is tested here."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["eval", *arguments])


def test_a_run_from_its_plan_to_its_removal(tmp_path: Path) -> None:
    prepare(tmp_path, labels={"why": "test"}, repeats=2)
    plan = json.loads(shell(tmp_path, "plan", "eval.yaml", "--json").stdout)
    assert plan["cells"] == 40 and plan["cost_nanousd"] > 0
    assert not (tmp_path / "runs").exists(), "a plan does nothing"
    ran = shell(tmp_path, "run", "eval.yaml", "--id", "r")
    assert ran.exit_code == 0, ran.stderr
    assert "length" in ran.stdout and "complete, 40 of 40 cells" in ran.stderr and "even=true" in ran.stderr
    for where in ([], ["--stored"]):
        (listed,) = json.loads(shell(tmp_path, "list", "--json", *where).stdout)
        assert (listed["run_id"], listed["state"], listed["spec"]["labels"]) == ("r", "complete", {"why": "test"})
    shown = json.loads(shell(tmp_path, "show", "r", "--cells", "--json").stdout)
    assert len(shown["results"]) == 40 and shown["summary"]["metrics"][0]["mean"] > 1.0
    assert "Question" not in (tmp_path / "runs/logs/gateway.jsonl").read_text(), "texts stay out of the log"
    assert shell(tmp_path, "rm", "r", "--yes").exit_code == 0
    assert not (tmp_path / "runs/evals/r").exists()
    assert json.loads(shell(tmp_path, "list", "--json", "--stored").stdout) == []


def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    prepare(tmp_path, subject={"function": "slow:slow"}, concurrency=2, repeats=20)
    path = os.pathsep.join([environment()["PYTHONPATH"], str(tmp_path)])
    command = [sys.executable, "-m", "llmops", "eval", "run", "eval.yaml", "--id", "r", "--no-store"]
    results = tmp_path / "runs/evals/r/results.jsonl"
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment({"PYTHONPATH": path}), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as run:
        until(lambda: results.exists() and results.read_bytes().count(b"\n") > 6, "some results")
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=20)
    assert run.returncode == 3 and b"llmops eval resume r" in said
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert sum(line["kind"] == "output" for line in lines) == sum(line["kind"] == "scores" for line in lines)
    (listed,) = json.loads(shell(tmp_path, "list", "--json").stdout)
    assert (listed["state"], listed["reason"]) == ("interrupted", "stopped")


def test_a_dear_run_asks_first_and_stops_in_time(tmp_path: Path) -> None:
    prepare(tmp_path, repeats=20)
    asked = shell(tmp_path, "run", "eval.yaml", "--max-usd", "0.0001", "--id", "r")
    assert asked.exit_code == 1 and "will probably cost" in asked.stderr
    assert not (tmp_path / "runs/evals/r").exists()
    ran = shell(tmp_path, "run", "eval.yaml", "--max-usd", "0.0001", "--yes", "--id", "r", "--json")
    assert ran.exit_code == 3, ran.stderr
    found = json.loads(ran.stdout)
    assert found["ending"]["reason"] == "budget"
    assert found["summary"]["cost_nanousd"] <= 100_000


def test_failures_are_asked_again_where_that_is_wanted(tmp_path: Path) -> None:
    prepare(tmp_path, subject={"replay": "answers.jsonl"})
    (tmp_path / "answers.jsonl").write_text('{"id": "c0", "output": "short"}\n')
    assert shell(tmp_path, "run", "eval.yaml", "--id", "r", "--no-store").exit_code == 1
    again = shell(tmp_path, "resume", "r", "--retry-failures", "--no-store", "--json")
    assert "19 cells without an answer are asked again" in again.stderr
    assert json.loads(again.stdout)["summary"]["errors"] == {"not_found": 19}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"subject": {"model": "m"}}, "dataset: Field required"),
        ({"dataset": "x", "subject": {}}, "name one of model"),
        ({"dataset": "x", "subject": {"model": "m", "replay": "y"}}, "name one of model"),
        ({"dataset": "x", "subject": {"url": "http://x", "function": "a:b"}}, "needs the model"),
        ({"dataset": "x", "subject": {"model": "m"}, "repeat": 3}, "repeat: Extra inputs"),
        ({"dataset": "x", "subject": {"model": "m"}, "repeats": 0}, "repeats: .*it is 0"),
        ([], "the file"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told(given: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_config(given)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("nowhere:Nothing", "scorers.0: 'nowhere:Nothing'.*cannot be loaded"),
        ({"json:dumps": None}, "is no scorer"),
        ({"a": {}, "b": {}}, "one name with its settings"),
        ({"json:dumps": 7}, "must be a mapping"),
    ],
)
def test_a_scorer_that_is_none_is_told(wanted: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        build_scorers([wanted], lambda name, settings: pytest.fail("not by name"))


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    prepare(tmp_path)
    config = read_config(tmp_path / "eval.yaml")
    assert len(read_dataset(config.dataset)) == 20
    assert len(read_dataset(config.dataset.model_copy(update={"limit": 3}))) == 3
