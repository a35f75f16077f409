"""``llmops audit``: what the shell changes is in the same trail, under the name of whoever ran it."""

import json
from pathlib import Path

from tests.serving import llmops


def test_changes_in_the_shell_are_audited(tmp_path: Path) -> None:
    made = llmops("keys", "create", "app", "--json", folder=tmp_path)
    key = json.loads(made.stdout)
    assert llmops("limits", "add", "--requests-per-minute", "60", folder=tmp_path).returncode == 0
    assert llmops("keys", "revoke", key["id"], folder=tmp_path).returncode == 0
    shown = llmops("audit", "--json", folder=tmp_path)
    entries = json.loads(shown.stdout)
    assert [each["action"] for each in entries] == ["key.revoke", "limit.add", "key.create"]
    assert entries[0]["object"] == key["id"] and entries[0]["actor"]["name"].endswith("(shell)")
    assert key["key"] not in shown.stdout
    table = llmops("audit", "--action", "key.*", "--from", "1h", folder=tmp_path)
    assert "key.revoke" in table.stdout and "limit.add" not in table.stdout, table.stderr
