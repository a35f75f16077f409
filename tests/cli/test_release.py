"""``llmops release`` and ``llmops flags`` of the shell."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serving import llmops


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "none.yaml").write_text("{}\n")
    return tmp_path


def run(folder: Path, *arguments: str, fails: bool = False) -> Any:
    done = llmops(*arguments, "--config", "none.yaml", folder=folder)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else json.loads(done.stdout) if "--json" in arguments else done.stdout


def test_from_a_bundle_to_live_and_back(folder: Path) -> None:
    (folder / "a.yaml").write_text("name: bot\nmodel: mock\nparameters: {seed: 1}\n")
    (folder / "b.yaml").write_text("name: bot\nmodel: mock\nrequires_gate: true\n")
    (folder / "bad.yaml").write_text("name: bot\nmodel: nobody\n")
    assert "does not exist here" in run(folder, "release", "create", "bad.yaml", fails=True)
    first = run(folder, "release", "create", "a.yaml", "--reason", "\x1b[31mfirst").strip()
    second = run(folder, "release", "create", "b.yaml", "--json")
    run(folder, "release", "live", first, "--reason", "go")
    assert "requires a gate PASS" in run(folder, "release", "live", second["id"], "--reason", "go", fails=True)
    assert "no eval run" in run(folder, "release", "verdict", second["id"], "PASS", "--run", "r", fails=True)
    listed = run(folder, "release", "list")
    assert first in listed and "\x1b" not in listed and "(shared)" in listed
    assert [each["field"] for each in run(folder, "release", "diff", first, second["id"], "--json")] == [
        "parameters.seed",
        "requires_gate",
    ]
    card = run(folder, "release", "card", first)
    assert "gate: no verdict (not required)" in card and "0 calls" in card


def test_flags(folder: Path) -> None:
    assert run(folder, "flags", "set", "new", "--percent", "100", "--json")["revision"] == 1
    assert run(folder, "flags", "evaluate", "new", "--unit", "alice", "--json")["value"] is True
    run(folder, "flags", "set", "new", "--off", "--reason", "oh")
    assert run(folder, "flags", "evaluate", "new", "--json")["reason"] == "DISABLED"
    (folder / "flag.yaml").write_text(
        "kind: string\nvariants: {a: x, b: y}\ndefault: a\nrules:\n- {when: {attribute: n, at_least: 3}, serve: b}\n"
    )
    run(folder, "flags", "set", "words", "flag.yaml")
    assert run(folder, "flags", "evaluate", "words", "n=3", "--json")["value"] == "y"
    assert "not at 7" in run(folder, "flags", "set", "words", "flag.yaml", "--revision", "7", fails=True)
    assert "words" in run(folder, "flags", "list") and '"at_least": 3' in run(folder, "flags", "show", "words")
