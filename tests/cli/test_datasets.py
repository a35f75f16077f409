"""``llmops datasets`` and ``llmops review`` of the shell: files in and out, labels, a reviewer's way."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serving import llmops


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "none.yaml").write_text("{}\n")
    (tmp_path / "qa.jsonl").write_text(
        "".join(json.dumps({"id": f"c{n}", "input": f"\x1b[31mq{n}", "reference": str(n)}) + "\n" for n in range(9))
    )
    return tmp_path


def run(folder: Path, *arguments: str, fails: bool = False) -> Any:
    done = llmops(*arguments, "--config", "none.yaml", folder=folder)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else json.loads(done.stdout) if "--json" in arguments else done.stdout


def test_from_a_file_to_a_file(folder: Path) -> None:
    made = run(folder, "datasets", "import", "qa.jsonl", "qa", "--json")
    assert made["cases"] == 9 and made["source"] == "qa.jsonl"
    parts = run(folder, "datasets", "split", "qa", "--ratios", "train=0.5,test=0.5", "--json")
    told = run(folder, "datasets", "diff", f"qa@{made['version']}", "--json")
    assert told["changed"] == 9 and told["changes"][0]["fields"][0]["field"] == "split"
    assert "needs" not in run(folder, "datasets", "label", "qa", "golden", "--reason", "checked")
    assert "say the reason" in run(folder, "datasets", "label", "qa", "golden", fails=True)
    assert "'golden' holds it" in run(folder, "datasets", "rm", "qa", fails=True)
    shown = run(folder, "datasets", "show", "qa", "--cases", "3")
    assert "golden, latest" in shown and "\x1b" not in shown
    out = run(folder, "datasets", "export", "qa", "out.csv", "--json")
    again = run(folder, "datasets", "import", "out.csv", "copy", "--json")
    assert out["cases"] == 9 and again["version"] == parts["version"]
    (folder / "bad.jsonl").write_text('{"input": 1}\nnonsense\n')
    assert "line 2: 'nonsense': is no JSON" in run(folder, "datasets", "import", "bad.jsonl", "bad", fails=True)
    assert [each["dataset"] for each in run(folder, "datasets", "list", "--json")] == ["copy", "qa"]
    refused = run(folder, "datasets", "from-traces", "t", fails=True)
    assert "evals.datasets.tenants.default.consent: true" in refused


def test_a_queue_from_pairs_to_a_dataset(folder: Path) -> None:
    (folder / "pairs.jsonl").write_text("".join(f'{{"input": "q{n}", "output": "a{n}"}}\n' for n in range(3)))
    run(folder, "review", "create", "q", "correct", "--choices", "good,bad")
    assert run(folder, "review", "add", "q", "--file", "pairs.jsonl", "--json")["added"] == 3
    taken = run(folder, "review", "label", "q", "--reviewer", "ann", "--json")
    done = run(folder, "review", "label", "q", taken["item"]["id"], "good", "--reviewer", "ann", "--json")
    assert done["progress"]["mine"] == 1
    assert "must be one of 'good', 'bad'" in run(folder, "review", "label", "q", taken["item"]["id"], "x", fails=True)
    made = run(folder, "review", "to-dataset", "q", "judged", "--json")
    assert made["cases"] == 1 and made["source"] == "review q"
    assert run(folder, "review", "list", "--json")[0]["progress"]["agreed"] == 1
    assert run(folder, "review", "agreement", "q", "--json")["answers"] == {"good": 1}
    assert run(folder, "review", "show", "q", "--state", "agreed", "--json")[0]["agreed"] == "good"
