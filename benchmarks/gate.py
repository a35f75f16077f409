"""``python -m benchmarks.gate --data FILE``: the gate on real paired answers, held against what it promises.

The file has a line for each problem: ``id``, ``prompt``, ``reference``, and for each of two models an object with
``response`` and ``correct``. Verdicts both ways, A/A and power by simulated gates, ten cases, and what a decision
costs. ``--http`` also asks a real gateway, whose upstream replays the answers. Without a file columns are made up.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from llmops.assembly.gate import run_gate
from llmops.config import load_settings
from llmops.dev.replay import Recording, ReplayServer
from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.gate.arm import Arm, Reading
from llmops.evals.gate.check import check
from llmops.evals.gate.policy import Policy, check_policy
from llmops.evals.gate.simulation import simulate
from llmops.evals.run import RunSpec
from llmops.evals.score import Metric, Scale
from llmops.statistics.sample_size import for_pass, power_to_block, power_to_pass

from .process import free_port

EXACT = Metric(name="exact")
TEN_DRAWS = 300


class Line(NamedTuple):
    what: str
    measured: str
    bar: str
    kept: bool


class Data(NamedTuple):
    dataset: Dataset
    weak: Arm
    strong: Arm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="JSONL of two models' answers")
    parser.add_argument("--weak", default="mixtral-8x7b", help="the weaker model's key")
    parser.add_argument("--strong", default="gpt-4-1106", help="the stronger model's key")
    parser.add_argument("--gates", type=int, default=2000, help="simulated gates")
    parser.add_argument("--http", action="store_true", help="also end to end, through a gateway")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    data = read(options.data, options.weak, options.strong) if options.data else made_up()
    lines: list[Line] = []
    for part in (verdicts(data), ten_cases(data), simulations(data, options.gates), costs()):
        for line in part:
            lines.append(line)
            print(f"{'ok  ' if line.kept else 'FAIL'} {line.what}: {line.measured} ({line.bar})", file=sys.stderr)
    if options.http and options.data:
        cases = [{"id": each.id, "input": each.input, "reference": each.reference} for each in data.dataset.cases]
        lines += asyncio.run(over_http(cases, Recording.read(options.data), (options.weak, options.strong)))
    if options.json:
        print(json.dumps([line._asdict() for line in lines], indent=2))
    else:
        for line in lines:
            print(f"{line.what:<64} {line.measured:>22}   {line.bar}{'' if line.kept else '   NOT KEPT'}")
    return 0 if all(line.kept for line in lines) else 1


def policy(margin: float = 0.05, **fields: Any) -> Policy:
    return check_policy(
        {
            "dataset": "data.jsonl",
            "subjects": {"baseline": {"model": "a"}, "candidate": {"model": "b"}},
            "scorers": ["exact"],
            "metrics": {"exact": {"margin": margin}},
            **fields,
        }
    )


def read(path: Path, weak: str, strong: str) -> Data:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    dataset = Dataset("gsm8k", [Case(id=row["id"], input=row["prompt"], reference=row["reference"]) for row in rows])
    return Data(
        dataset, *(arm(dataset, name, [float(row[name]["correct"]) for row in rows]) for name in (weak, strong))
    )


def made_up(count: int = 1319) -> Data:
    rng = np.random.default_rng(0)
    dataset = Dataset("made-up", [Case(id=f"c{each:05}", input="?") for each in range(count)])
    shares = (("weak", 0.65), ("strong", 0.9))
    return Data(
        dataset, *(arm(dataset, name, (rng.random(count) < share).astype(float).tolist()) for name, share in shares)
    )


def arm(dataset: Dataset, name: str, values: list[float], scale: Scale = "binary") -> Arm:
    readings = [
        Reading(case.id, 0, None, {"exact": (value, None, None)})
        for case, value in zip(dataset.cases, values, strict=True)
    ]
    metric = Metric(name="exact", scale=scale)
    spec = RunSpec(
        run_id=name,
        dataset=dataset.name,
        dataset_version=dataset.version,
        subject={"model": name},
        scorers=("Exact-1",),
        metrics=(metric,),
    )
    return Arm(spec, readings, state="complete", promised=len(readings))


def verdict(rules: Policy, dataset: Dataset, baseline: Arm, candidate: Arm) -> str:
    return check(rules, dataset, baseline, candidate, gate_id="g", now_s=time.time()).verdict.value


def verdicts(data: Data) -> Iterator[Line]:
    rules = policy()
    up = verdict(rules, data.dataset, data.weak, data.strong)
    yield Line("stronger as candidate against weaker", up, "PASS", up == "PASS")
    down = verdict(rules, data.dataset, data.strong, data.weak)
    yield Line("weaker as candidate against stronger", down, "BLOCK", down == "BLOCK")
    twin = arm(data.dataset, "twin", [each.value("exact") or 0.0 for each in data.strong.readings])
    same = verdict(rules, data.dataset, data.strong, twin)
    yield Line("the same answers against themselves", same, "PASS", same == "PASS")


def ten_cases(data: Data) -> Iterator[Line]:
    """The first ten both ways, ten of which none flips, and ten of an unchanged candidate drawn again and again."""
    first = Dataset("first", data.dataset.cases[:10])
    ids = {case.id for case in first.cases}
    pair = [
        arm(first, name, [each.value("exact") or 0.0 for each in side.readings if each.case_id in ids])
        for name, side in (("a", data.weak), ("b", data.strong))
    ]
    for name, sides in (("stronger as candidate", pair), ("weaker as candidate", pair[::-1])):
        said = verdict(policy(), first, *sides)
        yield Line(f"the first ten cases, {name}", said, "INCONCLUSIVE", said == "INCONCLUSIVE")
    said = verdict(policy(), first, *(arm(first, name, [1.0] * 10) for name in ("a", "b")))
    yield Line("ten cases of which none flips", said, "INCONCLUSIVE", said == "INCONCLUSIVE")
    found = simulate(policy(), data.dataset, data.weak, data.strong, gates=TEN_DRAWS, cases=10)
    passed = found.passes.value
    yield Line("ten cases, nothing changed: PASS", f"{passed:.1%} of {TEN_DRAWS}", "never", passed == 0)
    undecided = found.undecided.value
    yield Line("ten cases, nothing changed: INCONCLUSIVE", f"{undecided:.1%}", ">= 95 %", undecided >= 0.95)


def simulations(data: Data, gates: int) -> Iterator[Line]:
    flips = float(
        np.mean(
            [
                a.value("exact") != b.value("exact")
                for a, b in zip(data.weak.readings, data.strong.readings, strict=True)
            ]
        )
    )
    whole = simulate(policy(0.04), data.dataset, data.weak, data.strong, gates=gates)
    false = whole.false_block
    said = f"{false.value:.2%} [{false.low:.2%}, {false.high:.2%}]"
    yield Line(f"A/A, {gates} gates of {whole.cases}: false block", said, "<= 5 %", false.value <= 0.05)
    missed = whole.false_pass["exact"]
    said = f"{missed.value:.2%} [{missed.low:.2%}, {missed.high:.2%}]"
    yield Line("worse by the margin: false PASS", said, "<= 5 % within its interval", missed.low <= 0.05)
    for margin in (0.05, 0.08):
        cases = for_pass(margin, flips, power=0.8)
        found = simulate(policy(margin), data.dataset, data.weak, data.strong, gates=gates, cases=cases)
        planned = power_to_pass(cases, margin, flips)
        off = 100 * (found.passes.value - planned)
        said = f"{found.passes.value:.1%} of {planned:.1%}"
        yield Line(f"PASS of an equal candidate, margin {margin:g}, {cases} cases", said, "+- 3 points", abs(off) <= 3)
        after = flips + margin  # what is spoilt flips as well
        expected = power_to_block(cases, margin, after - margin**2, least_effect=margin / 2)
        blocked = found.blocks["exact"].value
        said = f"{blocked:.1%} of {expected:.1%}"
        yield Line(
            f"BLOCK of a loss of {margin:g}, {cases} cases", said, "+- 3 points", abs(blocked - expected) <= 0.03
        )


def costs() -> Iterator[Line]:
    rng = np.random.default_rng(1)
    dataset = Dataset("many", [Case(id=f"c{each:05}", input="?") for each in range(10_000)])
    base = rng.random(10_000)
    cand = np.clip(base + rng.normal(0, 0.1, 10_000), 0, 1)
    graded = [arm(dataset, name, values.tolist(), "bounded") for name, values in (("a", base), ("b", cand))]
    rules = policy()
    times = []
    for _ in range(3):
        started_s, worked_s = time.perf_counter(), time.process_time()
        said = verdict(rules, dataset, *graded)
        times.append((time.perf_counter() - started_s, time.process_time() - worked_s))
    took_s, cpu_s = min(times)
    shown = f"{took_s:.2f} s ({cpu_s:.2f} s CPU), {said}"
    yield Line("decision on 10,000 graded pairs, bootstrap, best of 3", shown, "<= 2 s", took_s <= 2)


async def over_http(cases: list[dict[str, Any]], recording: Recording, models: tuple[str, str]) -> list[Line]:
    """Both gates end to end: gateway, its upstream, scorer, journal, decision."""
    found: list[Line] = []
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
        async with ReplayServer(recording) as upstream:
            served = "".join(f"  {each}: [{{provider: openai, base_url: '{upstream.url}'}}]\n" for each in models)
            own = f"server: {{port: {port}}}\ndatabase: {{url: 'sqlite:///{folder}/x.db'}}\n"
            (folder / "gateway.yaml").write_text(f"models:\n{served}{own}llm: {{provider: mock, model: mock}}\n")
            command = [sys.executable, "-m", "llmops", "serve", "--config", "gateway.yaml"]
            variables = {**os.environ, "OPENAI_API_KEY": "sk-none"}
            gateway = await asyncio.create_subprocess_exec(*command, cwd=folder, env=variables)
            try:
                await _ready(port)
                for base, cand, wanted in ((*models, "PASS"), (*reversed(models), "BLOCK")):
                    rules = _http_policy(folder, f"http://127.0.0.1:{port}/v1", base, cand)
                    settings = load_settings(folder / "gateway.yaml")
                    started_s = time.perf_counter()
                    decision = await run_gate(rules, settings, folder / "runs", f"g-{wanted}", is_stored=False)
                    took_s = time.perf_counter() - started_s
                    means = decision.metrics[0] if decision.metrics else None
                    said = f"{decision.verdict.value}, {took_s:.0f} s"
                    rates = f" ({means.baseline_mean:.1%} to {means.candidate_mean:.1%})" if means else ""
                    found.append(
                        Line(f"over HTTP: {cand} against {base}{rates}", said, wanted, decision.verdict == wanted)
                    )
            finally:
                gateway.terminate()
                await gateway.wait()
    return found


def _http_policy(folder: Path, url: str, base: str, cand: str) -> Policy:
    return check_policy(
        {
            "dataset": str(folder / "cases.jsonl"),
            "subjects": {"baseline": {"model": base, "url": url}, "candidate": {"model": cand, "url": url}},
            "scorers": ["numeric"],
            "metrics": {"numeric": {"margin": 0.05}},
            "concurrency": 32,
        }
    )


async def _ready(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError("the gateway did not start")


if __name__ == "__main__":
    sys.exit(main())
