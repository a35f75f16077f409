"""``llmops scores`` and ``llmops export`` of the shell."""

import json
from pathlib import Path

from tests.serving import llmops

TRACE = "ab" * 16


def test_scores_are_added_listed_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("{}\n")
    where = ("--config", "none.yaml")
    assert "no scores" in llmops("scores", "list", *where, folder=tmp_path).stderr
    added = llmops(
        "scores", "add", "helpful", "--trace", TRACE, "--value", "true", "--id", "a", *where, folder=tmp_path
    )
    assert added.stdout.strip() == "a", added
    llmops("scores", "add", "helpful", "--trace", TRACE, "--value", "0.5", "--id", "a", *where, folder=tmp_path)
    hostile = ("--comment", "[bold]\x1b[31m<script>", "--by", "me")
    llmops("scores", "add", "tone", "--session", "s-1", "--label", "calm", *hostile, *where, folder=tmp_path)
    found = json.loads(llmops("scores", "list", "--json", *where, folder=tmp_path).stdout)
    assert {each["name"]: each["value"] for each in found} == {"helpful": 0.5, "tone": None}
    shown = llmops("scores", "list", "--session", "s-1", *where, folder=tmp_path).stdout
    assert "[bold]" in shown and "\x1b" not in shown, "shown as text"


def test_what_is_no_score_ends_with_words(tmp_path: Path) -> None:
    wrong = llmops("scores", "add", "helpful", "--trace", TRACE, "--value", "good", folder=tmp_path)
    assert wrong.returncode == 1 and "'good': must be a number, true or false" in wrong.stderr
    assert llmops("scores", "add", "helpful", "--value", "1", folder=tmp_path).returncode == 1


def test_exports_that_are_not_there(tmp_path: Path) -> None:
    assert "nothing was exported yet" in llmops("export", "status", folder=tmp_path).stderr
    assert llmops("export", "compare", folder=tmp_path).returncode == 2
