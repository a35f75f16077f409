"""``make bench-evals``: what the eval engine costs beside the model, and peers beside it.

A subject that answers at once, two scorers (exact, contains), the journal and the database: everything a real run has
except a model. Cases a second are by processor time, since other work shares the machine; wall time stands beside it.
Peers are measured where they are installed: Inspect in the environment of ``BENCH_INSPECT_VENV`` (its mock model, its
``match`` and ``includes``, after a first run in the same process), promptfoo by the program that ``BENCH_PROMPTFOO``
names (its ``echo`` provider).
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.journal import Journal
from llmops.evals.output import Output
from llmops.evals.repository.results import ResultRepository
from llmops.evals.repository.runs import RunRepository
from llmops.evals.running import Runner, spec_of
from llmops.evals.score import Metric, Score
from llmops.evals.storing import Storing
from llmops.evals.subjects.function import FunctionSubject
from llmops.store.database import Database

BAR_PER_S, BAR_MB = 2_000.0, 600.0
_PROMPT = "What is the capital of the country number {}? Answer with its name alone, and nothing beside it. "
_INSPECT = """
import sys, time, json
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import get_model, ModelOutput, ModelUsage
from inspect_ai.scorer import includes, match
count = int(sys.argv[1])
samples = [Sample(input=f"question {each}", target="yes") for each in range(count)]
def answer(*_):
    output = ModelOutput.from_content("mockllm", "yes")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else it fetches a tokenizer
    return output
model = get_model("mockllm/model", custom_outputs=answer)
def run(some):
    (log,) = eval(Task(dataset=MemoryDataset(some), scorer=[match(), includes()]), model=model, display="none",
                  max_connections=64, log_dir=sys.argv[2])
    return log
run(samples[:20])  # warm: what is loaded once is no cost of a case
wall, cpu = time.perf_counter(), time.process_time()
log = run(samples)
assert log.status == "success", log.error
print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}))
"""


@dataclass(frozen=True)
class Exact:
    metrics: ClassVar = (Metric(name="exact"),)

    def score(self, case: Case, output: Output) -> Score:
        right = output.text == case.reference
        return Score(name="exact", value=float(right), passed=right)


@dataclass(frozen=True)
class Contains:
    metrics: ClassVar = (Metric(name="contains"),)

    def score(self, case: Case, output: Output) -> Score:
        return Score(name="contains", value=float(case.reference in (output.text or "")))


async def ours(count: int, folder: Path) -> dict[str, float]:
    """One run to its end, from the first cell to the last row."""

    async def answer(_: str) -> str:
        return "yes"

    dataset = Dataset(
        "cases", [Case(id=f"c{each}", input=_PROMPT.format(each) * 5, reference="yes") for each in range(count)]
    )
    subject, scorers = FunctionSubject(answer), [Exact(), Contains()]
    spec = spec_of(dataset, subject, scorers, run_id="bench")
    database = Database(f"sqlite:///{folder / 'llmops.db'}")
    database.ensure()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    with Journal.create(folder / "evals", spec, dataset) as journal:
        storing = Storing(spec, RunRepository(database), ResultRepository(database))
        run = await Runner(spec, dataset, subject, scorers, journal=journal, storing=storing).run()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    assert run.summary.passed == count and run.store_failure is None
    stored = len(ResultRepository(database).of("bench"))
    assert stored == count, f"{stored} of {count} are stored"
    database.close()
    return {"wall_s": wall_s, "cpu_s": cpu_s}


def measure(what: str, count: int, timed: dict[str, float], **more: float) -> dict[str, Any]:
    rates = {"per_s": round(count / timed["cpu_s"]), "per_s_wall": round(count / timed["wall_s"])}
    return {"what": what, "cases": count, **rates, **more}


def inspect(count: int) -> dict[str, Any] | None:
    venv = os.environ.get("BENCH_INSPECT_VENV")
    if venv is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(Path(venv) / "bin/python"), "-c", _INSPECT, str(count), folder],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
    if done.returncode:
        print(f"Inspect did not run: {done.stderr[-500:]}", file=sys.stderr)
        return None
    return measure("Inspect", count, json.loads(done.stdout.splitlines()[-1]))


def promptfoo(count: int) -> dict[str, Any] | None:
    program = os.environ.get("BENCH_PROMPTFOO")
    if program is None:
        return None
    checks = [{"type": "equals", "value": "yes"}, {"type": "contains", "value": "yes"}]
    tests = [{"vars": {"number": each}, "assert": checks} for each in range(count)]
    config = {"prompts": ["yes"], "providers": ["echo"], "tests": tests}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": folder}
        command = [program, "eval", "-c", str(path), "--no-cache", "--no-table", "-j", "64"]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **quiet}, cwd=folder, check=False
        )
        wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(f"promptfoo did not run: {done.stderr[-500:]}", file=sys.stderr)
        return None
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return measure("promptfoo, with its start", count, {"wall_s": wall_s, "cpu_s": cpu_s})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evals", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--peer-cases", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        timed = asyncio.run(ours(options.cases, Path(folder)))
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    found = [measure("ours", options.cases, timed, peak_mb=peak_mb)]
    found += [each for each in (inspect(options.peer_cases), promptfoo(options.peer_cases)) if each is not None]
    is_met = found[0]["per_s"] >= BAR_PER_S and peak_mb <= BAR_MB
    if options.json:
        print(json.dumps({"bars": {"per_s": BAR_PER_S, "peak_mb": BAR_MB}, "met": is_met, "found": found}, indent=2))
        return 0 if is_met else 1
    print("| engine | cases | cases/s of processor time | of wall time | peak MB |\n| --- | --: | --: | --: | --: |")
    for each in found:
        rates = f"{each['per_s']:,} | {each['per_s_wall']:,}"
        print(f"| {each['what']} | {each['cases']:,} | {rates} | {each.get('peak_mb', '')} |")
    print(f"\nbars: {BAR_PER_S:,.0f} cases/s, {BAR_MB:g} MB: {'met' if is_met else 'missed'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
