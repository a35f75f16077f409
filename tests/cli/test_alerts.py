"""``llmops alerts``: silences from the shell, empty lists, and what is refused."""

import json
from pathlib import Path

from tests.serving import llmops


def test_the_life_of_a_silence(tmp_path: Path) -> None:
    assert "no alerts" in llmops("alerts", "list", folder=tmp_path).stderr
    assert "nothing has happened" in llmops("alerts", "history", folder=tmp_path).stderr
    asked = llmops(
        "alerts", "silence", "rule=slow", "model=gpt-*", "--hours", "0.5", "--reason", "a move", folder=tmp_path
    )
    assert asked.returncode == 0, asked.stderr
    silence = asked.stdout.strip()
    listed = json.loads(llmops("alerts", "list", "--json", folder=tmp_path).stdout)
    (shown,) = listed["silences"]
    assert (shown["id"], shown["matchers"], shown["reason"]) == (silence, {"rule": "slow", "model": "gpt-*"}, "a move")
    assert shown["created_by"].endswith("(shell)") or shown["created_by"] == "shell"
    assert "rule=slow, model=gpt-*" in llmops("alerts", "list", folder=tmp_path).stdout
    assert llmops("alerts", "unsilence", silence, folder=tmp_path).returncode == 0
    again = llmops("alerts", "unsilence", silence, folder=tmp_path)
    assert again.returncode == 1 and f"there is no silence '{silence}' that holds" in again.stderr


def test_what_is_refused(tmp_path: Path) -> None:
    refused = llmops("alerts", "silence", "slow", "--reason", "x", folder=tmp_path)
    assert refused.returncode == 1 and "'slow' is not" in refused.stderr
    twice = llmops("alerts", "silence", "rule=a", "rule=b", "--reason", "x", folder=tmp_path)
    assert "given twice" in twice.stderr
    nobody = llmops("alerts", "test", folder=tmp_path)
    assert nobody.returncode == 1 and "configured: none" in nobody.stderr
