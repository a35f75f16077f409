"""The tools side by side: a gateway of this kind keeps everything and shows it; of others only the answers count."""

import json
from pathlib import Path

import pytest

from llmops.telemetry.export.comparison import compare_tools
from tests.serving import free_port, llmops, running
from tests.telemetry.export.collector import Collector, Langfuse, listening, to


@pytest.mark.timeout(90)
def test_a_gateway_keeps_every_attribute_and_a_dead_tool_none(tmp_path: Path) -> None:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as server:
        exports = [
            {"name": "here", "kind": "otlp", "endpoint": server.url},
            {"name": "dead", "kind": "otlp", "endpoint": "http://127.0.0.1:9"},
        ]
        (tmp_path / "c.yaml").write_text(json.dumps({"exports": exports}))
        command = ("export", "compare", "--traces", "4", "--config", "c.yaml")
        told = llmops(*command, "--json", folder=tmp_path)
        table = llmops(*command, "--markdown", folder=tmp_path)
    here, dead = json.loads(told.stdout)
    assert here["sent"] == here["accepted"] == here["stored"] == 12, here
    assert here["kept"] == here["attributes"] and here["delay_ms"] is not None
    assert (dead["accepted"], dead["stored"], dead["kept"]) == (0, None, None) and "cannot be reached" in dead["said"]
    assert table.stdout.startswith("| tool |") and "| here | otlp | 12 | 12 | 12 |" in table.stdout


def test_of_a_tool_that_shows_nothing_the_answers_count() -> None:
    with listening(Langfuse("a", "b")) as langfuse, listening(Collector()) as collector:
        collector.rejected = {"execute_tool search"}
        refused = compare_tools(to(langfuse, kind="langfuse"), 2)
        partly = compare_tools(to(collector), 2)
    assert refused.accepted == 0 and "401" in refused.said
    assert (partly.sent, partly.accepted, partly.stored, partly.said) == (6, 4, None, "unloved")
    assert (partly.kept, partly.delay_ms, partly.lost) == (None, None, {})


@pytest.mark.parametrize("version", [3, 4])
def test_what_a_tool_does_not_keep_is_named(version: int) -> None:
    langfuse = Langfuse("pk", "sk")
    langfuse.version, langfuse.keeps = version, lambda name: not name.startswith("gen_ai.usage.")
    credential = {"Authorization": "Basic cGs6c2s=", "x-langfuse-ingestion-version": "4"}
    with listening(langfuse):
        report = compare_tools(to(langfuse, kind="langfuse", headers=credential), 2)
    assert (report.sent, report.accepted, report.stored) == (6, 6, 6) and report.delay_ms is not None
    assert report.lost and all(name.startswith("gen_ai.usage.") and count == 2 for name, count in report.lost.items())
    assert report.kept == report.attributes - 2 * len(report.lost)


def test_a_tool_that_shows_nothing_any_more_does_not_hold_up_the_report() -> None:
    langfuse = Langfuse("pk", "sk")
    langfuse.version = 5
    credential = {"Authorization": "Basic cGs6c2s=", "x-langfuse-ingestion-version": "4"}
    with listening(langfuse):
        report = compare_tools(to(langfuse, kind="langfuse", headers=credential), 2)
    assert (report.accepted, report.stored, report.kept, report.delay_ms) == (6, None, None, None)


def test_the_report_names_what_was_lost_for_people_and_for_programs(tmp_path: Path) -> None:
    langfuse = Langfuse("pk", "sk")
    langfuse.keeps = lambda name: name != "tags"
    with listening(langfuse), listening(Collector()) as collector:
        exports = [
            {"name": "fuse", "kind": "langfuse", "endpoint": langfuse.url, "public_key": "pk"},
            {"name": "plain", "kind": "otlp", "endpoint": collector.url},
        ]
        (tmp_path / "c.yaml").write_text(json.dumps({"exports": exports}))
        command, env = ("export", "compare", "--traces", "2", "--config", "c.yaml"), {"LANGFUSE_SECRET_KEY": "sk"}
        table = llmops(*command, folder=tmp_path, env=env)
        told = llmops(*command, "--json", folder=tmp_path, env=env)
    assert table.returncode == 0 and "fuse: not kept, or under another name" in table.stderr
    assert "tags" in table.stderr and "not shown" in table.stdout
    fuse, plain = json.loads(told.stdout)
    assert fuse["lost"] == {"tags": 2} and fuse["kept"] == fuse["attributes"] - 2
    assert (plain["accepted"], plain["stored"], plain["lost"]) == (6, None, {})
