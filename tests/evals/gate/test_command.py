"""``llmops gate`` from plan to promotion, its exit codes, and real answers over HTTP through a real gateway."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from llmops.cli.root import app
from tests.serving import ROOT, free_port, running

from . import recorded


def shell(folder: Path, *arguments: str) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["gate", *arguments])


def prepare(folder: Path, baseline: dict[str, Any], candidate: dict[str, Any], **fields: Any) -> None:
    given = {
        "dataset": "cases.jsonl",
        "subjects": {"baseline": baseline, "candidate": candidate},
        "scorers": ["numeric"],
        "metrics": {"numeric": {"margin": 0.1}},
        **fields,
    }
    (folder / "gate.yaml").write_text(json.dumps(given))


def replayed(folder: Path, name: str, wrong: int, count: int = recorded.COUNT) -> dict[str, Any]:
    """A subject that replays answers, wrong for every so many-th case."""
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    lines = [
        {"id": each["id"], "output": each["reference"] if place % wrong else "no idea"}
        for place, each in enumerate(cases[:count])
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"replay": f"{name}.jsonl"}


@pytest.mark.parametrize(
    ("wrong", "count", "limit", "code", "verdict"),
    [
        (15, recorded.COUNT, None, 0, "PASS"),
        (3, recorded.COUNT, None, 1, "BLOCK"),
        (15, recorded.COUNT, 10, 2, "INCONCLUSIVE"),
        (15, recorded.COUNT - 1, None, 3, "ERROR"),
    ],
)
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, wrong: int, count: int, limit: int | None, code: int, verdict: str
) -> None:
    recorded.write(tmp_path)
    base, cand = replayed(tmp_path, "base", 15), replayed(tmp_path, "cand", wrong, count)
    prepare(tmp_path, base, cand, dataset={"path": "cases.jsonl", **({"limit": limit} if limit else {})})
    ran = shell(tmp_path, "run", "gate.yaml", "--json", "--summary", "summary.md", "--report", "out/report.json")
    assert ran.exit_code == code, ran.stderr
    decision = json.loads(ran.stdout)
    assert decision["verdict"] == verdict and json.loads((tmp_path / "out/report.json").read_text()) == decision
    assert f" {verdict}: gate `gate`" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": {}}, "metrics"),
        ({"scorers": ["no_such_scorer"]}, "no_such_scorer"),
        ({"typo": 1}, "typo"),
        ({"dataset": "none.jsonl"}, "none.jsonl"),
        ({"metrics": {"numeric": {"margin": 0}}}, "margin"),
    ],
)
def test_a_gate_that_cannot_be_opened_is_an_error_and_no_verdict(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    recorded.write(tmp_path)
    replay = replayed(tmp_path, "base", 15)
    prepare(tmp_path, replay, replay, **change)
    ran = shell(tmp_path, "run", "gate.yaml")
    assert ran.exit_code == 3 and said in ran.stderr
    assert shell(tmp_path, "run", "missing.yaml").exit_code == 3
    assert shell(tmp_path, "check", "gate.yaml", "none", "--baseline", "none").exit_code == 3


def test_from_plan_to_promotion_and_history(tmp_path: Path) -> None:
    recorded.write(tmp_path)
    base, cand = replayed(tmp_path, "base", 15), replayed(tmp_path, "cand", 14)
    prepare(tmp_path, base, cand)
    plan = json.loads(shell(tmp_path, "plan", "gate.yaml", "--json").stdout)
    assert (plan["at_first"]["cells"], plan["at_first"]["nanousd"]) == (2 * recorded.COUNT, 0)
    assert [each["source"] for each in plan["sizes"]] == ["assumed"] * 4
    assert not (tmp_path / "runs").exists(), "a plan does nothing"
    assert shell(tmp_path, "run", "gate.yaml", "--id", "g").exit_code == 0
    measured = shell(tmp_path, "plan", "gate.yaml", "--baseline", "g-baseline", "--candidate", "g-candidate", "--json")
    assert json.loads(measured.stdout)["sizes"][0]["source"] == "measured"
    made = shell(
        tmp_path,
        "promote",
        "champion",
        "g-candidate",
        "--policy",
        "gate.yaml",
        "--reason",
        "passed",
        "--decision",
        "g",
        "--by",
        "ada",
        "--json",
    )
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["who"] == "ada"
    listed = json.loads(shell(tmp_path, "baselines", "champion", "--json").stdout)
    assert [each["run_id"] for each in listed["baselines"]] == ["g-candidate"] and listed["problems"] == []
    checked = shell(tmp_path, "check", "gate.yaml", "g-candidate", "--baseline", "g-baseline", "--json")
    assert (checked.exit_code, json.loads(checked.stdout)["verdict"]) == (0, "PASS"), checked.stdout
    history = json.loads(shell(tmp_path, "history", "--json").stdout)
    assert [each["verdict"] for each in history] == ["PASS", "PASS"] and {each["uses"] for each in history} == {1, 2}
    trend = json.loads(shell(tmp_path, "trend", "numeric", "cases", "--json").stdout)
    assert len(trend) == 2
    assert shell(tmp_path, "watch", "champion", "g-baseline").exit_code == 0
    prepare(tmp_path, base, replayed(tmp_path, "worse", 3))
    assert shell(tmp_path, "run", "gate.yaml", "--id", "h").exit_code == 1
    dropped = shell(tmp_path, "watch", "champion", "h-candidate", "--json")
    assert dropped.exit_code == 1 and json.loads(dropped.stdout)["drops"][0]["metric"] == "numeric"
    simulated = shell(
        tmp_path, "aa", "gate.yaml", "g-candidate", "--baseline", "g-baseline", "--gates", "100", "--json"
    )
    assert json.loads(simulated.stdout)["false_block"]["value"] <= 0.1
    for words in (["history"], ["baselines"], ["trend", "numeric", "cases"], ["plan", "gate.yaml"]):
        assert shell(tmp_path, *words).exit_code == 0


def test_the_example_passes(tmp_path: Path) -> None:
    ran = shell(tmp_path, "run", str(ROOT / "evals/gate.yaml"))
    assert ran.exit_code == 0, ran.stderr
    assert "PASS" in ran.stdout


def test_recorded_answers_over_http_through_a_gateway(tmp_path: Path) -> None:
    recorded.write(tmp_path)
    upstream, port = free_port(), free_port()
    deployment = f"[{{provider: openai, base_url: 'http://127.0.0.1:{upstream}/v1', price: {{input: 1, output: 2}}}}]"
    models = "".join(f"  {name}: {deployment}\n" for name in ("good", "twin", "weak"))
    (tmp_path / "gateway.yaml").write_text(
        f"models:\n{models}cache: {{enabled: true}}\nserver: {{port: {port}}}\nllm: {{provider: mock, model: mock}}\n"
    )
    replay = ["-m", "llmops", "dev", "replay", "recorded.jsonl", "--port", str(upstream)]
    serve = ["-m", "llmops", "serve", "--config", "gateway.yaml"]
    (tmp_path / "here").mkdir()
    with running(replay, tmp_path, upstream) as answers:
        with running(serve, tmp_path, port, {"OPENAI_API_KEY": "sk-not-a-real-one"}):
            found = {}
            for first, second in (("good", "twin"), ("good", "weak"), ("weak", "good")):
                url = f"http://127.0.0.1:{port}/v1"
                subjects = [{"model": name, "url": url} for name in (first, second)]
                prepare(tmp_path, *subjects, metrics={"numeric": {"margin": 0.1}})
                ran = shell(tmp_path, "run", "gate.yaml", "--no-store", "--json")
                decision = json.loads(ran.stdout)
                found[first, second] = (ran.exit_code, decision["verdict"], decision["candidate"]["failed"])
        counts = answers.get("/_replay")[1]
    assert found == {
        ("good", "twin"): (0, "PASS", 0),
        ("good", "weak"): (1, "BLOCK", 0),
        ("weak", "good"): (0, "PASS", 0),
    }
    assert counts["answered"] == 6 * recorded.COUNT, "each cell was asked upstream, fresh, once"
