"""kill -9 in the middle of a run through a real gateway, then resume: the promise of the journal and of cell keys."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.serving import environment, free_port, llmops, llmops_process, running, until

CASES, REPEATS = 24, 2
SCORER = """
from dataclasses import dataclass
from llmops.evals.score import Metric, Score

@dataclass(frozen=True)
class Exact:
    metrics = (Metric(name="exact"),)

    def score(self, case, output):
        return Score(name="exact", value=float(output.text == case.reference), passed=output.text == case.reference)
"""


def prepare(folder: Path, upstream: int, gateway: int) -> list[str]:
    """Files of a run; returns how to start the gateway."""
    numbers = range(CASES)
    recorded = [{"prompt": f"What is {each} + 1?", "response": str(each + 1)} for each in numbers]
    cases = [{"id": f"c{each}", "input": f"What is {each} + 1?", "reference": str(each + 1)} for each in numbers]
    for name, lines in (("recorded.jsonl", recorded), ("cases.jsonl", cases)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "judging.py").write_text(SCORER)
    (folder / "eval.yaml").write_text(
        "dataset: cases.jsonl\n"
        f"subject: {{model: m, url: 'http://127.0.0.1:{gateway}/v1'}}\n"
        f"scorers: ['judging:Exact']\nrepeats: {REPEATS}\nconcurrency: 4\n"
    )
    (folder / "gateway.yaml").write_text(
        f"models: {{m: [{{provider: openai, base_url: 'http://127.0.0.1:{upstream}/v1', "
        "price: {input: 1, output: 2}}]}\n"
        f"cache: {{enabled: true}}\nserver: {{port: {gateway}}}\n"
        "llm: {provider: mock, model: mock}\nresilience: {enabled: false}\n"
    )
    return ["-m", "llmops", "serve", "--config", "gateway.yaml"]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_killed_run_goes_on_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    upstream, port = free_port(), free_port()
    serve = prepare(tmp_path, upstream, port)
    env = {"OPENAI_API_KEY": "sk-not-a-real-one"}
    replay = ["-m", "llmops", "dev", "replay", "recorded.jsonl", "--port", str(upstream), "--latency-ms", "40"]
    found = tmp_path / "runs/evals/r/results.jsonl"
    with running(replay, tmp_path, upstream) as recorded, running(serve, tmp_path, port, env):
        command = [sys.executable, "-m", "llmops", "eval", "run", "eval.yaml", "--id", "r", "--config", "gateway.yaml"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment({**env, "PYTHONPATH": path_with(tmp_path)}), stderr=subprocess.PIPE
        ) as run:
            until(lambda: len(lines_of(found)) > 11 or run.poll() is not None, "some results")
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        with found.open("a") as file:
            file.write('{"kind":"output","case_id":"c')  # as if the kill had struck within a line
        asked = llmops("eval", "list", "--json", folder=tmp_path)
        assert [(each["state"], each["reason"]) for each in json.loads(asked.stdout)] == [("interrupted", "killed")]
        asked = llmops_process(
            *("eval", "resume", "r", "--config", "gateway.yaml", "--json"),
            folder=tmp_path,
            env={**env, "PYTHONPATH": path_with(tmp_path)},
        )
        assert asked.returncode == 0, asked.stderr
        counts = recorded.get("/_replay")[1]
    summary = json.loads(asked.stdout)["summary"]
    cells = CASES * REPEATS
    kinds = {kind: Counter() for kind in ("output", "scores")}
    for line in lines_of(found):
        kinds[line["kind"]][line["case_id"], line["repeat"]] += 1
    for counted in kinds.values():
        assert len(counted) == cells and set(counted.values()) == {1}, "each cell once, and none missing"
    assert (summary["cells"], summary.get("failed", 0), summary["metrics"][0]["mean"]) == (cells, 0, 1.0)
    assert counts["requests"] == counts["answered"] == cells, "the upstream answered each cell once"
    records = lines_of(tmp_path / "runs/logs/gateway.jsonl")
    charged = [record for record in records if record["cost_nanousd"]]
    assert len(charged) == cells
    assert sum(record["cost_nanousd"] for record in charged) == summary["cost_nanousd"], "the ledger agrees"
    recovered = [record for record in records if record["cached"]]
    assert len(recovered) == summary.get("recovered", 0) > 0, "what was on its way was found again"


def path_with(folder: Path) -> str:
    return os.pathsep.join([environment()["PYTHONPATH"], str(folder)])
