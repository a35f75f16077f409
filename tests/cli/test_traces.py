"""``llmops traces``: lists, a tree in the terminal, JSON for programs."""

import json
from pathlib import Path

import pytest

from llmops.store.database import Database
from tests.serving import llmops
from tests.telemetry.traces.shelf import Shelf, a_line, a_span, trace_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log that nobody has read yet, and a trace of which spans came in."""
    log = tmp_path / "runs/logs/gateway.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(
        a_line(1, timings_ms={"read": 0.1, "auth": 0.2, "limits": 0.3, "upstream": 11.0}, ttft_ms=12.0)
        + a_line(2, latency_ms=900.0, cost_nanousd=10**9)
        + a_line(3, tenant="other", status=503, error_type="upstream_error")
    )
    database = Database(f"sqlite:///{tmp_path}/runs/llmops.db")
    Shelf(database).spans(a_span(1, trace=50, name="evil \x1b[31m\nname"), a_span(2, trace=50, parent=1))
    database.close()
    return tmp_path


def test_lists_are_in_the_asked_order(folder: Path) -> None:
    def ids(*arguments: str) -> list[str]:
        asked = llmops("traces", *arguments, "--json", folder=folder)
        assert asked.returncode == 0, asked.stderr
        return [item["trace_id"] for item in json.loads(asked.stdout)["items"]]

    assert ids("list") == [trace_of(3), trace_of(2), trace_of(50), trace_of(1)]
    assert ids("list", "--state", "error") == ids("list", "--tenant", "other") == [trace_of(3)]
    assert ids("slowest", "--from", "2026-11-01", "--limit", "1") == [trace_of(2)]
    assert ids("dearest", "--from", "2026-11-01", "--limit", "1") == [trace_of(2)]
    shown = llmops("traces", "list", folder=folder).stdout
    assert trace_of(2) in shown and "$1" in shown and "upstream_error" in shown


def test_a_trace_is_a_tree_with_bars(folder: Path) -> None:
    shown = llmops("traces", "show", trace_of(1), folder=folder)
    assert shown.returncode == 0 and "chat m" in shown.stdout and "  attempt" in shown.stdout and "█" in shown.stdout
    evil = llmops("traces", "show", trace_of(50), folder=folder).stdout
    assert "\x1b" not in evil and "evil �[31m�name" in evil
    found = json.loads(llmops("traces", "show", trace_of(50), "--json", folder=folder).stdout)
    assert [span["depth"] for span in found["page"]] == [0, 1]


def test_what_cannot_be_is_said(folder: Path) -> None:
    for arguments, said in (
        (("show", "nothing"), "there is no trace 'nothing'"),
        (("list", "--state", "fine"), "'fine'"),
        (("list", "--from", "never"), "'never' is no time"),
        (("list", "--cursor", "x"), "cursor"),
        (("list", "--user", "nobody"), "nothing was found"),
    ):
        asked = llmops("traces", *arguments, folder=folder)
        assert said in asked.stderr and "Traceback" not in asked.stderr
