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
