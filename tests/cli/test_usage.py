"""``llmops usage`` and ``llmops reconcile`` beside a running gateway and without one."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from llmops.store.database import Database
from llmops.store.tables import calls
from tests.serving import Server, free_port, llmops, running
from tests.spend.usage.logs import LogFolder, line, lines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a request log, and no gateway."""
    log = LogFolder(tmp_path / "runs/logs")
    log.append(lines(1, 2) + line(3, tenant="other", user="=cmd", cost_nanousd=None))
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as started:
        yield started


def test_a_table_of_what_is_in_the_log(folder: Path) -> None:
    asked = llmops("usage", "--by", "tenant,model", folder=folder)
    assert asked.returncode == 0, asked.stderr
    head, acme, other, total = (row.split() for row in asked.stdout.splitlines())
    assert head[:3] == ["tenant", "model", "calls"] and head[-1] == "unpriced_calls"
    assert acme[:7] == ["acme", "m", "2", "0", "20", "10", "0.000002"] and set(acme[-1]) == {"█"}
    assert other[:3] == ["other", "m", "1"] and total[:2] == ["total", "3"]
    assert "1 calls are of models whose price is not known" in asked.stderr


def test_json_csv_and_filters(folder: Path) -> None:
    found = json.loads(llmops("usage", "--by", "day", "--tenant", "acme", "--json", folder=folder).stdout)
    assert found["rows"][0]["day"] == "2026-11-21" and found["totals"]["nanousd"] == 2000
    asked = llmops("usage", "--by", "user", "--csv", "usage.csv", folder=folder)
    assert asked.stdout == "" and "2 rows" in asked.stderr
    with (folder / "usage.csv").open(newline="") as file:
        assert [row["user"] for row in csv.DictReader(file)] == ["u-1", "'=cmd"]
    assert llmops("usage", "--csv", "-", folder=folder).stdout.startswith("tenant,calls")
    assert "nothing was used" in llmops("usage", "--from", "2100-01-01", folder=folder).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "sex"], "summed up by"),
        (["--from", "soon"], "2026-11-30"),
        (["--tag", "x"], "name=value"),
        (["--csv", "/proc/usage.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: list[str], message: str, folder: Path) -> None:
    asked = llmops("usage", *arguments, folder=folder)
    assert asked.returncode == 1 and message in asked.stderr and "Traceback" not in asked.stderr


def test_an_empty_folder_has_no_usage_and_stays_nearly_empty(tmp_path: Path) -> None:
    assert "nothing was used" in llmops("usage", folder=tmp_path).stderr
    asked = llmops("reconcile", folder=tmp_path)
    assert asked.returncode == 0 and "equal" in asked.stderr
    assert not (tmp_path / "runs/llmops.db").exists()


def test_log_and_database_are_proven_equal_and_repaired(folder: Path) -> None:
    asked = llmops("reconcile", "--json", folder=folder)
    found = json.loads(asked.stdout)
    assert asked.returncode == 0 and found["equal"] and found["log"]["calls"] == found["usage_days"]["calls"] == 3
    database = Database(f"sqlite:///{folder}/runs/llmops.db")
    with database.write("usage") as connection:
        connection.execute(delete(calls).where(calls.c.tenant == "other"))
    database.close()
    asked = llmops("reconcile", folder=folder)
    assert asked.returncode == 1 and "NOT equal" in asked.stderr
    assert f"req_{3:032x}  not in the database" in asked.stdout
    assert llmops("reconcile", "--repair", folder=folder).returncode == 0
    assert llmops("reconcile", folder=folder).returncode == 0


def test_beside_a_gateway_both_are_up_to_date(tmp_path: Path, server: Server) -> None:
    for _ in range(5):
        assert server.chat().status == 200
    server.get("/metrics")  # flushes the log
    found = json.loads(llmops("usage", "--by", "model", "--json", folder=tmp_path).stdout)
    assert [(row["model"], row["calls"]) for row in found["rows"]] == [("mock", 5)]
    asked = llmops("reconcile", "--json", folder=tmp_path)
    assert asked.returncode == 0 and json.loads(asked.stdout)["log"]["calls"] == 5


def test_the_end_of_the_month(folder: Path) -> None:
    found = json.loads(llmops("usage", "--forecast", "--json", folder=folder).stdout)
    assert found["days_needed"] == 3 and (found["forecast"] is None or found["days_known"] >= 3)
    asked = llmops("usage", "--forecast", "--tenant", "nobody", folder=folder)
    assert asked.stdout.split()[:2] == ["month", "spent_usd"] and "a forecast needs 3 whole days" in asked.stderr
