"""A short show through the real gateway: everything is recorded as if it had taken its time, and the records agree."""

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmops.demo.shape import arrivals
from llmops.demo.show import Show
from llmops.demo.stage import ADMIN, Stage, shipped_config
from llmops.demo.time_lapse import TimeLapse
from llmops.errors import ConfigError
from tests.serving import llmops

MINUTES = 3.0


def play(folder: Path) -> Counter[int]:
    lapse = TimeLapse(MINUTES * 60, 3600)
    stage = Stage(folder, shipped_config(), lapse, minutes=MINUTES, per_s=2.0, port=0)
    stage.prepare(keep=False)
    show = Show(stage, arrivals(random.Random(2), 1.05, MINUTES * 60), minutes=MINUTES, seed=2)
    begun: list[str] = []
    show.play(lambda: begun.append(stage.url), lambda _played, _player: None, goes_on=False)
    assert begun and show.is_over
    return show.statuses


def rows(folder: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{folder / 'llmops.db'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[int]]:
    folder = tmp_path_factory.mktemp("show") / "demo"
    return folder, play(folder)


def test_the_records_agree(played: tuple[Path, Counter[int]]) -> None:
    folder, statuses = played
    assert statuses[200] > 150 and not statuses[0]
    reconciled = llmops("reconcile", "--config", str(folder / "demo.yaml"), folder=folder)
    assert reconciled.returncode == 0, reconciled.stderr + reconciled.stdout
    [(stored,)] = rows(folder, "SELECT count(*) FROM calls")
    assert stored == statuses.total()


def test_it_seems_to_have_taken_its_time(played: tuple[Path, Counter[int]]) -> None:
    folder, _ = played
    [(first, last)] = rows(folder, "SELECT min(started_at_ms), max(started_at_ms) FROM calls")
    assert (last - first) / 60_000 > MINUTES * 0.8
    by_minute = rows(folder, "SELECT started_at_ms / 60000, count(*) FROM calls GROUP BY 1")
    assert len(by_minute) >= MINUTES, "not one spike"
    [(reasoner_ms,)] = rows(folder, "SELECT avg(latency_ms) FROM calls WHERE model = 'reasoner' AND status = 200")
    assert reasoner_ms > 1500, "as slow as its model is said to be"


def test_there_is_something_of_everything(played: tuple[Path, Counter[int]]) -> None:
    folder, statuses = played
    assert statuses[402], "a budget was used up"
    found = {row[0] for row in rows(folder, "SELECT DISTINCT tenant FROM calls")}
    assert found == {"helpdesk", "webshop", "backoffice", "devtools", "growth", "analytics"}
    for what, query in {
        "hits": "SELECT count(*) FROM calls WHERE cached",
        "streams": "SELECT count(*) FROM calls WHERE stream",
        "broken JSON": "SELECT count(*) FROM calls WHERE json_valid = 0",
        "failovers": "SELECT count(*) FROM calls WHERE attempts > 1 AND status = 200",
        "the new prompt": "SELECT count(*) FROM calls WHERE prompt_version = 'support@13'",
        "sessions": "SELECT count(DISTINCT session) - 5 FROM calls",
        "spans of applications": "SELECT count(*) FROM spans",
        "scores": "SELECT count(*) FROM assessments",
        "rollups": "SELECT count(*) FROM rollups",
        "a prompt's third version": "SELECT count(*) - 2 FROM prompt_versions",
        "two releases": "SELECT count(*) - 1 FROM releases",
        "a rollout": "SELECT count(*) FROM rollouts",
        "calls of releases": "SELECT count(*) FROM calls WHERE release_id IS NOT NULL",
        "flags": "SELECT count(*) FROM flags",
        "eval runs": "SELECT count(*) - 3 FROM eval_runs",
    }.items():
        [(count,)] = rows(folder, query)
        assert count > 0, what


def test_no_text_is_stored(played: tuple[Path, Counter[int]]) -> None:
    folder, _ = played
    log = (folder / "logs" / "gateway.jsonl").read_text()
    assert "Please answer in about" not in log and "the customer wrote" not in log


def test_the_shell_plays_on_in_the_same_folder_and_says_where_to_look(played: tuple[Path, Counter[int]]) -> None:
    folder, before = played
    said = llmops(
        *("demo", "--minutes", "1", "--speed", "3600", "--rate", "1", "--then", "stop", "--no-dashboard"),
        *("--port", "0", "--folder", str(folder), "--keep", "--json"),
        folder=folder,
    )
    assert said.returncode == 0, said.stderr
    assert "slows down" in said.stderr and "gateway    http://127.0.0.1:" in said.stderr
    after = json.loads(said.stdout)["calls"]
    assert llmops("reconcile", "--config", str(folder / "demo.yaml"), folder=folder).returncode == 0
    assert after > 20 and rows(folder, "SELECT count(*) FROM calls") == [(before.total() + after,)]
    assert ADMIN in (folder / "keys.json").read_text() and (folder / "keys.json").stat().st_mode & 0o077 == 0


def test_a_folder_that_is_no_demos_is_not_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    stage = Stage(tmp_path, shipped_config(), TimeLapse(60, 60), minutes=1, per_s=1, port=0)
    with pytest.raises(ConfigError, match="no demo's"), stage._socket:
        stage.prepare(keep=False)
    assert precious.read_text() == "mine"


def test_a_trace_that_is_not_there_is_said(tmp_path: Path) -> None:
    refused = llmops("demo", "--trace", "missing.csv", folder=tmp_path)
    assert refused.returncode == 2 and "missing.csv" in refused.stderr
