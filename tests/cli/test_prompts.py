"""``llmops prompts``: files and database kept in step, conflicts left alone, labels moved, rolled back, shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llmops.cli.root import app

RUNNER = CliRunner()


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._config = folder / "llmops.yaml"
        self._config.write_text(f"database: {{url: 'sqlite:///{folder}/llmops.db'}}\nlog: {{dir: '{folder}/logs'}}\n")

    def run(self, *arguments: str, ok: bool = True, files: bool = False) -> Result:
        where = ["--folder", str(self.folder / "prompts")] if files else []
        result = RUNNER.invoke(app, ["prompts", *arguments, *where, "--config", str(self._config)])
        assert (result.exit_code == 0) == ok, result.output
        return result

    def json(self, *arguments: str, ok: bool = True, files: bool = False) -> Any:
        return json.loads(self.run(*arguments, "--json", ok=ok, files=files).stdout)

    def write(self, name: str, text: str) -> None:
        path = self.folder / "prompts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / "prompts" / name).read_text()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_files_are_pushed_and_pulled_and_conflicts_left_alone(shell: Shell) -> None:
    shell.write("support/refund.md", "Dear {{customer}}\n")
    shell.write("talk.yaml", "messages:\n- role: user\n  content: Hi\n")
    done = shell.json("push", "--label", "production", "-m", "first", files=True)
    assert [(each["name"], each["version"]) for each in done["done"]] == [("support/refund", 1), ("talk", 1)]
    assert shell.json("push", files=True) == {"done": [], "left": [], "conflicts": 0}
    assert shell.json("diff", files=True) == []
    shell.write("support/refund.md", "Hello {{customer}}\n")
    told = shell.json("diff", "support/refund", ok=False, files=True)
    assert told[0]["state"] == "file changed" and "+Hello {{customer}}" in told[0]["diff"]
    shell.run("push", files=True)
    elsewhere = Shell(shell.folder)
    elsewhere_files = ["--folder", str(shell.folder / "elsewhere")]
    assert len(elsewhere.json("pull", *elsewhere_files)["done"]) == 2
    (shell.folder / "elsewhere" / "support" / "refund.md").write_text("Theirs {{customer}}\n")
    elsewhere.run("push", *elsewhere_files)
    pulled = shell.json("pull", files=True)
    assert [each["name"] for each in pulled["done"]] == ["support/refund"]
    assert shell.read("support/refund.md") == "Theirs {{customer}}\n"
    shell.write("support/refund.md", "Mine {{customer}}\n")
    (shell.folder / "elsewhere" / "support" / "refund.md").write_text("Theirs again {{customer}}\n")
    elsewhere.run("push", *elsewhere_files)
    for command in ("push", "pull"):
        left = shell.json(command, ok=False, files=True)
        assert left["conflicts"] == 1 and left["done"] == []
        assert shell.read("support/refund.md") == "Mine {{customer}}\n"
    shell.run("push", "--ours", "support/refund", files=True)
    assert shell.json("show", "support/refund")["version"]["content"]["text"] == "Mine {{customer}}"
    pulled = elsewhere.json("pull", "--theirs", "support/refund", *elsewhere_files)
    assert pulled["conflicts"] == 0


def test_what_is_removed_on_one_side_is_not_removed_on_the_other_unasked(shell: Shell) -> None:
    shell.write("a.md", "x\n")
    shell.run("push", files=True)
    (shell.folder / "prompts" / "a.md").unlink()
    for command in ("push", "pull"):
        assert [each["state"] for each in shell.json(command, files=True)["left"]] == ["file removed"]
    shell.run("pull", "--theirs", "a", files=True)
    assert shell.read("a.md") == "x\n"
    shell.run("archive", "a")
    for command in ("push", "pull"):
        assert [each["state"] for each in shell.json(command, files=True)["left"]] == ["prompt removed"]
    assert shell.json("push", "--ours", "a", files=True)["done"][0]["version"] == 1


def test_labels_rollback_history_render_and_lists(shell: Shell) -> None:
    for number in ("one", "two"):
        shell.write("a/b.md", f"---\nvariables: {{n: integer}}\n---\n{number} {{{{n}}}}\n")
        shell.run("push", "--by", "ann", files=True)
    assert shell.json("label", "a/b", "production", "1")["before"] is None
    assert shell.json("label", "a/b", "production", "latest", "--expected", "1", "--reason", "better")["version"] == 2
    late = shell.run("label", "a/b", "production", "1", "--expected", "1", ok=False)
    assert "is at version 2, not at version 1" in late.output
    assert shell.json("rollback", "a/b", "--reason", "worse") == {
        "name": "a/b",
        "label": "production",
        "before": 2,
        "version": 1,
    }
    told = shell.json("history", "a/b")
    assert [each["reason"] for each in told["moves"]] == ["worse", "better", ""]
    assert "rolled back" in shell.run("history", "a/b").stdout
    assert shell.run("render", "a/b@production", "--var", "n=7").stdout == "one 7\n"
    assert "must be an integer" in shell.run("render", "a/b", "--var", 'n="x"', ok=False).output
    assert shell.json("list", "a")["prompts"][0]["labels"] == {"production": 1}
    assert "a/b" in shell.run("list").stdout and "one {{n}}" in shell.run("show", "a/b@1").stdout
    assert "-one {{n}}" in shell.run("diff", "a/b@1", "2", ok=False).stdout
    assert "there is no prompt 'none'" in shell.run("show", "none", ok=False).output
