"""Scorers by name."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from llmops.errors import ConfigError
from llmops.evals.judge import Judge
from llmops.evals.scorer import Scorer, version_of
from llmops.evals.scorers.registry import SCORERS, Tools, build, settings_of
from tests.serving import environment

from .scripted import ScriptedJudge, Vectors, by_prompt

EXAMINER: Judge = ScriptedJudge(by_prompt())
TOOLS = Tools(judge=EXAMINER, panel=(EXAMINER, ScriptedJudge(by_prompt(), version="other")), embedder=Vectors({}))
NEEDED: dict[str, dict[str, Any]] = {
    "rubric": {"criterion": "kindness"},
    "panel": {"settings": {"criterion": "kindness"}},
}


@pytest.mark.parametrize("name", SCORERS)
def test_each_scorer_can_be_made_and_has_a_version_and_metrics(name: str) -> None:
    scorer = build(name, NEEDED.get(name), TOOLS)
    assert isinstance(scorer, Scorer)
    assert version_of(scorer) == version_of(build(name, NEEDED.get(name), TOOLS))
    names = [metric.name for metric in scorer.metrics]
    assert names and len(set(names)) == len(names)


@pytest.mark.parametrize("name", SCORERS)
def test_each_scorer_is_described_and_so_is_each_setting(name: str) -> None:
    entry = SCORERS[name]
    assert entry.description.endswith((".", "?"))
    assert "(" not in entry.description[:1]
    assert all(setting.description for setting in settings_of(entry.kind))


def test_metrics_of_all_scorers_have_names_of_their_own() -> None:
    names = [metric.name for name in SCORERS for metric in build(name, NEEDED.get(name), TOOLS).metrics]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("exakt", {}, "did you mean 'exact'"),
        ("zzzzz", {}, "there are exact, contains"),
        ("exact", {"normalize": []}, "did you mean 'normalise'"),
        ("exact", {"normalise": ["upper"]}, "normalise"),
        ("exact", {"name": ""}, "name"),
        ("numeric", {"tolerance": -1}, "tolerance: -1"),
        ("numeric", {"tolerance": "much"}, "tolerance: 'much'"),
        ("regex", {"pattern": "("}, "pattern: '\\('"),
        ("regex", {"timeout_s": 100}, "timeout_s: 100"),
        ("json_schema", {"schema": {"type": "objekt"}}, "schema: cannot be used"),
        ("contains", {"texts": [""]}, "empty"),
        ("retrieval", {"measures": ["ndcg@10"]}, "did you mean 'ndcg_linear'"),
        ("rubric", {}, "criterion: missing"),
        ("rubric", {"criterion": "x", "scale": {"1": "a"}}, "scale"),
        ("rubric", {"criterion": "x", "judge": "gpt"}, "judge: there is no such thing"),
        ("panel", {"scorer": "exact"}, "asks no judge"),
        ("panel", {"scorer": "panel"}, "one judge"),
        ("panel", {"settings": {"criterion": "x"}, "quorum": 3}, "quorum: 3"),
    ],
)
def test_what_is_wrong_is_said(name: str, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        build(name, settings, TOOLS)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        build("numeric", {"tolerance": -1, "relativ": 2})
    assert len(told.value.problems) == 2


@pytest.mark.parametrize("name", [name for name, entry in SCORERS.items() if entry.needs])
def test_a_judge_that_is_missing_is_said(name: str) -> None:
    with pytest.raises(ConfigError, match=r"judge|panel"):
        build(name, NEEDED.get(name))


def test_settings_may_come_from_a_shell_as_text() -> None:
    scorer = build("numeric", {"tolerance": "0.5", "name": "near"})
    assert dataclasses.asdict(scorer)["tolerance"] == 0.5  # type: ignore[call-overload]
    assert scorer.metrics[0].name == "near"


def test_to_name_a_scorer_imports_nothing_heavy() -> None:
    script = "import sys, llmops.evals.scorers.registry; print(sorted(name.split('.')[0] for name in sys.modules))"
    asked = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "scipy", "sacrebleu", "rapidfuzz", "regex", "pandas", "pydantic", "sqlalchemy"}
    assert not heavy & set(asked.stdout.replace("'", "").replace(",", "").split())
