"""``llmops stats``: an overview of what is in the log, on one screen and for programs."""

import json
from pathlib import Path

import pytest

from llmops.cli.stats import sparkline
from tests.serving import llmops
from tests.spend.usage.logs import LogFolder, line

WINDOW = ("--from", "2026-11-21T09:00:00Z", "--to", "2026-11-21T11:00:00Z")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = LogFolder(tmp_path / "runs/logs")
    failed = {"error_type": "upstream_error", "status": 502, "model": "n"}
    log.append(line(1) + line(2, tenant="other", ttft_ms=3.0) + line(3, **failed))
    return tmp_path


def test_an_overview_on_one_screen(folder: Path) -> None:
    asked = llmops("stats", *WINDOW, folder=folder)
    assert asked.returncode == 0, asked.stderr
    lines = [row.split() for row in asked.stdout.splitlines()]
    assert "2026-11-21 09:00 to 2026-11-21 11:00 UTC, a bar for 2 minutes" in asked.stdout
    assert ["success", "66.67%"] in [row[:2] for row in lines] and ["upstream_error", "1"] in lines
    assert ["m", "2", "100.00%"] in [row[:3] for row in lines] and "█" in asked.stdout


def test_json_and_filters(folder: Path) -> None:
    found = json.loads(llmops("stats", *WINDOW, "--by", "model", "--tenant", "acme", "--json", folder=folder).stdout)
    assert found["totals"]["calls"] == 2 and {row["model"]: row["errors"] for row in found["rows"]} == {"m": 0, "n": 1}
    assert found["series"]["step_s"] == 120
    assert (
        "no calls in that time" in llmops("stats", "--from", "2020-01-01", "--to", "2020-01-02", folder=folder).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--by", "sex"], "told apart by"), (["--from", "soon"], "is no time"), (["--step", "90s"], "whole minutes")],
)
def test_what_cannot_be_shown(folder: Path, arguments: list[str], message: str) -> None:
    asked = llmops("stats", *arguments, folder=folder)
    assert asked.returncode == 1 and message in asked.stderr and "Traceback" not in asked.stderr


def test_a_sparkline_shows_gaps_and_proportions() -> None:
    assert sparkline([0, 50, None, 100]) == "▁▅ █" and sparkline([]) == "" and sparkline([None, 0]) == " ▁"
