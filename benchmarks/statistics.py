"""``python -m benchmarks.statistics``: the statistical engine held against what it promises, by seeded simulation.

Error rates of the gate and of the canary, power against the plan, requests until a rollback, and what a decision
costs. Prints one table (``--json``: the same as JSON); progress goes to stderr. ``--data`` names a JSONL file of two
models' answers (``--baseline`` and ``--candidate`` are their keys, each with ``correct``); without it the gate is
held against made-up columns. ``--quick`` takes a tenth of the repetitions.
"""

import argparse
import itertools
import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded; threads cost these sizes three times

import numpy as np

from llmops.statistics import sample_size, spending
from llmops.statistics.calibration import calibrate
from llmops.statistics.noninferiority import Criterion, Verdict, decide
from llmops.statistics.sequential import acs
from llmops.statistics.sequential.eprocess import ShareProcess
from llmops.statistics.sequential.evidence import AmountGuard, EventGuard, ScoreGuard

THRESHOLD = math.log(20)
ENOUGH = 10**6


class Line(NamedTuple):
    what: str
    measured: float
    bar: str
    kept: bool | None = None
    """``None`` where there is nothing to keep."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="gate, graded, looks, canary, …")
    parser.add_argument("--data", type=Path, help="JSONL of two models' answers")
    parser.add_argument("--baseline", default="mixtral-8x7b")
    parser.add_argument("--candidate", default="gpt-4-1106")
    options = parser.parse_args()
    scale = 0.1 if options.quick else 1.0
    if options.data:
        columns = _recorded(options.data, options.baseline, options.candidate)
    else:
        rng = np.random.default_rng(0)
        columns = (rng.random(1_300) < 0.64).astype(float), (rng.random(1_300) < 0.85).astype(float)
    lines: list[Line] = []
    parts: dict[str, Callable[[], Iterator[Line]]] = {
        "gate": lambda: gate(*columns, round(2_000 * scale)),
        "graded": lambda: graded(round(500 * scale)),
        "looks": lambda: looks(round(2_000 * scale)),
        "canary": lambda: canary(round(2_000 * scale)),
        "peeking": lambda: peeking(round(500 * scale)),
        "sequences": lambda: sequences(round(500 * scale)),
        "rollout": lambda: rollout(round(200 * scale)),
        "costs": costs,
    }
    unknown = sorted(set(options.only) - parts.keys())
    if unknown:
        parser.error(f"--only {unknown[0]!r}: there are {', '.join(parts)}")
    for name in options.only or parts:
        for line in parts[name]():
            lines.append(line)
            print(f"{line.what}: {line.measured:.4g}", file=sys.stderr)
    _publish(lines, options.json)
    return 1 if any(line.kept is False for line in lines) else 0


def gate(baseline: np.ndarray, candidate: np.ndarray, simulations: int) -> Iterator[Line]:
    """Right/wrong data: verdicts on all of it, then A/A gates of the planned size."""
    criterion = Criterion(margin=0.05)
    for name, pair, expected in (
        ("the better candidate", (baseline, candidate), Verdict.PASS),
        ("the worse candidate", (candidate, baseline), Verdict.BLOCK),
        ("ten items", (baseline[:10], candidate[:10]), Verdict.INCONCLUSIVE),
    ):
        verdict = decide(*pair, criterion).verdict
        yield Line(f"gate: {name} is {verdict}", verdict.exit_code, str(expected), verdict is expected)
    planned = sample_size.for_pass(0.05, float((baseline != candidate).mean()))
    found = calibrate(baseline, candidate, criterion, sample=planned, simulations=simulations, seed=1)
    yield _at_most(f"gate: A/A false block, {planned} items", found.false_block.share, 0.05, simulations)
    yield Line("gate: power to pass", found.power.share, "0.80 +- 0.03", abs(found.power.share - 0.8) <= 0.03)
    yield _at_most("gate: false pass, worse by the margin", found.false_pass.share, 0.05, simulations)
    yield Line("gate: block, worse by the margin", found.caught.share, "")


def graded(simulations: int) -> Iterator[Line]:
    """Graded scores, two repeats, clusters of unequal size: gains with a long tail of good ones, then of bad ones."""
    rng = np.random.default_rng(2)
    for count, sign in itertools.product((20, 60, 200), (1, -1)):
        blocked = passed = covered = 0
        for seed in range(simulations):
            labels = np.repeat(np.arange(count), rng.integers(1, 5, count))
            gain = sign * 0.1 * (rng.exponential(1, count) - 1)[labels][:, None] + rng.normal(0, 0.1, (len(labels), 2))
            baseline = np.full((len(labels), 2), 0.5)
            criterion = Criterion(margin=0.03, least_effect=0.0, lowest=-5.0, highest=5.0)
            same = decide(baseline, baseline + gain, criterion, clusters=labels, seed=seed)
            blocked += same.verdict is Verdict.BLOCK
            covered += same.lower is not None and same.lower <= 0
            worse = decide(baseline, baseline + gain - 0.03, criterion, clusters=labels, seed=seed)
            passed += worse.verdict is Verdict.PASS
        name = f"graded, {count} clusters, long tail of {'gains' if sign > 0 else 'losses'}"
        yield _at_most(f"{name}: false block", blocked / simulations, 0.05, simulations)
        yield _at_most(f"{name}: false pass", passed / simulations, 0.05, simulations)
        yield Line(f"{name}: lower bound covers", covered / simulations, ">= about 0.95")


def looks(simulations: int) -> Iterator[Line]:
    """A gate that extends itself four times, on right/wrong data: errors of the whole."""
    fractions, most, discordance = [0.25, 0.5, 0.75, 1.0], 800, 0.2
    levels = spending.levels(fractions, 0.05)
    rng = np.random.default_rng(3)
    for name, loss, wrong in (("false block", 0.0, Verdict.BLOCK), ("false pass", 0.05, Verdict.PASS)):
        count = {False: 0, True: 0}
        for _ in range(simulations):
            p = [(discordance + loss) / 2, 1 - discordance, (discordance - loss) / 2]
            baseline, candidate = _columns(rng.choice([-1, 0, 1], most, p=p))
            for honest in (False, True):
                for fraction, level in zip(fractions, levels, strict=True):
                    n = round(fraction * most)
                    criterion = Criterion(margin=0.05, least_effect=0.0)
                    alpha = level if honest else 0.05
                    verdict = decide(baseline[:n], candidate[:n], criterion, alpha=alpha).verdict
                    if verdict is not Verdict.INCONCLUSIVE:
                        count[honest] += verdict is wrong
                        break
        yield _at_most(f"four looks, alpha spent: {name}", count[True] / simulations, 0.05, simulations)
        yield Line(f"four looks, alpha not spent: {name}", count[False] / simulations, "")


def canary(simulations: int) -> Iterator[Line]:
    """Errors: false rollbacks over 20,000 requests, requests until a true one, both forms of the e-process."""
    facts = {(0.05, 0.06): 3336, (0.1, 0.06): 1796, (0.5, 0.06): 777, (0.1, 0.04): 5809, (0.5, 0.04): 2194}
    for one_sided in (False, True):
        form = "one-sided" if one_sided else "two-sided"
        rng = random.Random(4)
        for rho in (0.05, 0.1, 0.5):
            stops = [_requests(rho, 0.02, 0.02, 20_000, one_sided, rng) < ENOUGH for _ in range(simulations)]
            name = f"canary {form}, rho {rho}"
            yield _at_most(f"{name}: false rollback", statistics.fmean(stops), 0.05, simulations)
            for rate in (0.06, 0.04):
                found = [_requests(rho, 0.02, rate, ENOUGH, one_sided, rng) for _ in range(simulations // 4)]
                told = f"{facts[rho, rate]} (two-sided)" if (rho, rate) in facts else ""
                yield Line(f"{name}: median requests, 2 % to {rate:.0%}", statistics.median(found), told)


def peeking(simulations: int) -> Iterator[Line]:
    """What is avoided: a z-test looked at every 50 requests."""
    rng = np.random.default_rng(5)
    n, false = 5_000, 0
    at = np.arange(49, n, 50)
    for _ in range(simulations):
        in_canary, bad = rng.random(n) < 0.5, rng.random(n) < 0.02
        units, errors = np.cumsum(in_canary)[at], np.cumsum(in_canary & bad)[at]
        others, other_errors = at + 1 - units, np.cumsum(~in_canary & bad)[at]
        pooled = (errors + other_errors) / (at + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.sqrt(pooled * (1 - pooled) * (1 / units + 1 / others))
            z = np.abs(errors / units - other_errors / others) / spread
        false += bool(np.nanmax(z) > 1.96)
    yield Line("for comparison, a z-test peeked at: false rollback", false / simulations, "0.307 as published")


def sequences(simulations: int) -> Iterator[Line]:
    """The asymptotic sequence on skewed costs, asked all the time from a hundred units per arm to 10,000 in all."""
    rng = np.random.default_rng(6)
    for rho in (0.1, 0.5):
        misses, n = 0, 10_000
        for _ in range(simulations):
            in_canary, cost = rng.random(n) < rho, np.minimum(rng.lognormal(0, 1, n), 10)
            arms = []
            for mask in (in_canary, ~in_canary):
                units = np.maximum(np.cumsum(mask), 1)
                mean = np.cumsum(cost * mask) / units
                arms.append((units, mean, np.maximum(np.cumsum(cost**2 * mask) / units - mean**2, 0)))
            (first, mean, variance), (second, other, spread) = arms
            fewer = np.minimum(first, second)
            grown = fewer * (mixture := acs.tuning(0.05)) + 1
            half = np.sqrt((variance / first + spread / second) * fewer)
            half *= np.sqrt(2 * grown / (fewer**2 * mixture) * np.log(np.sqrt(grown) / 0.05))
            misses += bool((np.abs(mean - other) > half)[fewer >= acs.FEWEST].any())
        yield _at_most(f"asymptotic sequence, rho {rho}: misses", misses / simulations, 0.05, simulations)


def rollout(simulations: int) -> Iterator[Line]:
    """Guards of scores, errors and costs over whole rollouts, decided every 20 requests; worse by just the margin."""
    for kind, margin in (("scores", 0.1), ("events", 0.05), ("amounts", 0.2)):
        for rho in (0.1, 0.5):
            rng = random.Random(7)
            stopped = promoted = 0
            needed = []
            for _ in range(simulations):
                verdict, _ = _rolled(kind, margin, rho, 0.0, rng)
                stopped += verdict is Verdict.BLOCK
                verdict, requests = _rolled(kind, margin, rho, margin, rng)
                promoted += verdict is Verdict.PASS
                verdict, requests = _rolled(kind, margin, rho, 0.0, rng, until=Verdict.PASS)
                needed.append(requests)
            yield _at_most(f"guard of {kind}, rho {rho}: false rollback", stopped / simulations, 0.05, simulations)
            yield _at_most(f"guard of {kind}, rho {rho}: false promotion", promoted / simulations, 0.05, simulations)
            yield Line(f"guard of {kind}, rho {rho}: median requests to PASS", statistics.median(needed), "")


def costs() -> Iterator[Line]:
    """Processor seconds of the slowest gate, nanoseconds of an observation."""
    rng = np.random.default_rng(8)
    baseline = rng.random((10_000, 3))
    candidate = np.clip(baseline + rng.normal(0, 0.1, baseline.shape), 0, 1)
    latency = rng.lognormal(0, 0.5, 10_000)
    slower = latency * rng.lognormal(0, 0.1, 10_000)
    tail = Criterion(margin=0.1, direction="lower", scale="ratio", quantile=0.95)
    for name, run in (
        ("graded", lambda: decide(baseline, candidate, Criterion(margin=0.05))),
        ("clustered", lambda: decide(baseline, candidate, Criterion(margin=0.05), clusters=np.arange(10_000) // 2)),
        ("right/wrong", lambda: decide(baseline[:, 0] > 0.5, candidate[:, 0] > 0.5, Criterion(margin=0.05))),
        ("p95", lambda: decide(latency, slower, tail)),
    ):
        begun = time.process_time()
        run()
        taken = time.process_time() - begun
        yield Line(f"seconds for 10,000 items, {name}", taken, "<= 2", taken <= 2)
    draws = [(chance < 0.1, score) for chance, score in rng.random((100_000, 2)).tolist()]
    guards: list[EventGuard | ScoreGuard | AmountGuard] = [
        EventGuard(margin=0.01, share=ShareProcess(rho=0.1)),
        ScoreGuard(margin=0.05),
        AmountGuard(margin=0.1, cap=10),
    ]
    for guard in guards:
        begun = time.process_time()
        if isinstance(guard, EventGuard):
            for in_canary, score in draws:
                guard.observe(in_canary, score < 0.02)
        else:
            for in_canary, score in draws:
                guard.observe(in_canary, score)
        taken = (time.process_time() - begun) / len(draws) * 1e6
        yield Line(f"microseconds per observation, {type(guard).__name__}", taken, "< 2", taken < 2)


def _rolled(
    kind: str, margin: float, rho: float, loss: float, rng: random.Random, until: Verdict | None = None
) -> tuple[Verdict, int]:
    """One rollout to its first decision (or the first of ``until``), or to 5,000 requests (40,000)."""
    guard: EventGuard | ScoreGuard | AmountGuard
    if kind == "events":
        guard = EventGuard(margin=margin, share=ShareProcess(rho=rho))
    else:
        guard = ScoreGuard(margin=margin) if kind == "scores" else AmountGuard(margin=margin, cap=20)
    most = 40_000 if until else 5_000
    for request in range(1, most + 1):
        in_canary = rng.random() < rho
        here = loss if in_canary else 0.0
        if isinstance(guard, EventGuard):
            guard.observe(in_canary, rng.random() < 0.03 + here)
        elif isinstance(guard, ScoreGuard):
            guard.observe(in_canary, float(rng.random() < 0.8 - here))
        else:
            guard.observe(in_canary, rng.lognormvariate(0, 0.7) * (1 + here))
        if request % 20 == 0:
            verdict = guard.finding().verdict
            if verdict is (until or verdict) and verdict is not Verdict.INCONCLUSIVE:
                return verdict, request
    return Verdict.INCONCLUSIVE, most


def _requests(rho: float, stable: float, canary: float, limit: int, one_sided: bool, rng: random.Random) -> int:
    """Requests until rollback; between errors they are one geometric draw."""
    process, request = ShareProcess(rho=rho), 0
    rate = rho * canary + (1 - rho) * stable
    while (request := request + 1 + int(math.log(1 - rng.random()) / math.log1p(-rate))) <= limit:
        process.observe(rng.random() < rho * canary / rate)
        if one_sided:
            enough = process.may_exceed(THRESHOLD) and process.log_excess >= THRESHOLD
        else:
            enough = process.log_e >= THRESHOLD and process.canary > process.n * rho
        if enough:
            return request
    return ENOUGH


def _columns(gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (gains < 0).astype(float), (gains > 0).astype(float)


def _at_most(what: str, measured: float, bar: float, repetitions: int) -> Line:
    """Missed only where chance does not explain it: by more than three standard errors."""
    return Line(what, measured, f"<= {bar}", measured <= bar + 3 * math.sqrt(bar * (1 - bar) / repetitions))


def _recorded(path: Path, baseline: str, candidate: str) -> tuple[np.ndarray, np.ndarray]:
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    first, second = (np.array([float(row[name]["correct"]) for row in rows]) for name in (baseline, candidate))
    return first, second


def _publish(lines: list[Line], as_json: bool) -> None:
    if as_json:
        print(json.dumps([line._asdict() for line in lines], indent=2))
        return
    print("| what | measured | bar | kept |\n|---|---|---|---|")
    for line in lines:
        print(f"| {line.what} | {line.measured:.4g} | {line.bar} | {'' if line.kept is None else line.kept} |")


if __name__ == "__main__":
    sys.exit(main())
