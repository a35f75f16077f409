"""A configuration of promptfoo becomes cases; what cannot is told, and nothing is run or read that should not be."""

from pathlib import Path
from typing import Any

import pytest

from llmops.errors import ConfigError
from llmops.evals.case import Case
from llmops.evals.datasets.formats import promptfoo
from llmops.evals.datasets.formats.registry import detected
from llmops.evals.datasets.report import Report

CONFIG = """
description: a test
providers: [openai:gpt-4o]
prompts:
  - 'Translate {{text}} to {{language}}'
  - {label: chat, raw: '[{"role": "user", "content": "Say {{text}} in {{ language }}"}]'}
  - file://prompt.txt
defaultTest:
  assert: [{type: latency, threshold: 900}]
  vars: {tone: kind}
tests:
  - description: greeting
    vars: {text: hello, language: [German, French]}
    assert:
      - {type: equals, value: 'Hallo {{language}}'}
      - {type: javascript, value: 'output.length < 10'}
      - {type: not-icontains, value: sorry, weight: 2}
  - vars: {text: "{{7*7}}"}
    threshold: 0.5
    assert: [{type: assert-set, assert: [{type: is-json}, {type: similar, value: x}]}]
  - file://more.csv
"""


def read(folder: Path, config: str = CONFIG) -> tuple[list[Case], list[str]]:
    (folder / "promptfooconfig.yaml").write_text(config)
    (folder / "prompt.txt").write_text("{{text | upper}}")
    (folder / "more.csv").write_text("text,__expected1,__expected2,__metadata:x\nbye,Tschüss,regex: ^T.*$,m\n")
    report = Report("x")
    return list(promptfoo.read(folder / "promptfooconfig.yaml", report)), report.notes


def test_every_prompt_with_every_test_is_a_case(tmp_path: Path) -> None:
    cases, notes = read(tmp_path)
    assert detected(tmp_path / "promptfooconfig.yaml") == "promptfoo"
    by_id = {case.id: case for case in cases}
    assert len(by_id) == 4 * 3 and by_id["test 1 prompt 1"].input == "Translate hello to German"
    assert by_id["test 1.2 prompt 1"].input == "Translate hello to French"
    assert by_id["test 1 chat"].input == [{"role": "user", "content": "Say hello in German"}]
    assert by_id["test 1 prompt.txt"].input == "{{text | upper}}"
    first: dict[str, Any] = by_id["test 1 prompt 1"].metadata
    assert by_id["test 1 prompt 1"].reference == "Hallo German" and by_id["test 1 prompt 1"].cluster == "test 1"
    assert [(each["scorer"], each["settings"]) for each in first["scorers"]] == [
        ("latency", {"limit_ms": 900}),
        ("exact", {}),
        ("contains", {"mode": "none", "ignore_case": True, "texts": ["sorry"]}),
    ]
    assert first["unjudged"] == [{"type": "javascript", "value": "output.length < 10"}]
    assert first["vars"] == {"tone": "kind", "text": "hello", "language": "German"}
    last = by_id["test 3 prompt 1"]
    assert last.reference == "Tschüss" and last.metadata["scorers"][-1]["settings"] == {"pattern": "^T.*$"}
    told = "\n".join(notes)
    for said in (
        "'providers' is not carried over", "javascript is code or a file", "weight stays in the metadata",
        "filters or logic", "no scorer for similar", "'threshold' stays", "'__metadata:x'", "set of assertions",
        "'language' has no value",
    ):  # fmt: skip
        assert said in told, said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("prompts: file:///etc/passwd\n", "outside the configuration's folder"),
        ("prompts: file://../x.txt\n", "outside the configuration's folder"),
        ("prompts: file://p.py\n", "is code"),
        ("prompts: file://none.txt\n", "is no file"),
        ("prompts: [7]\n", "must be a text"),
        ("prompts: x\ntests: [[1]]\n", "must be an object or a file"),
        ("prompts: x\ntests: [{assert: [7]}]\n", "must be an object with a type"),
        ("prompts: x\ndefaultTest: file://d.yaml\n", "files are not followed"),
    ],
)
def test_what_cannot_be_read_is_refused(config: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, config)
