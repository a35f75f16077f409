"""How rollouts decide, over many seeded ones looked at all the time, and what an assignment costs.

``python -m benchmarks.rollouts [--runs 300] [--json FILE]`` counts false rollbacks of a healthy candidate over 20,000
requests, the requests until a bad one goes back, false promotions of one that is worse by just the margin, uneven
samples that are found, and the microseconds of an assignment and of a flag; all through the plan, the evidence and the
guards that the gateway uses.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

from llmops.flags.decision import Ready
from llmops.flags.flag import read_flag
from llmops.rollout.assignment import RolloutTable, Running
from llmops.rollout.evidence import no_evidence, seen, take_calls
from llmops.rollout.outcome import CallSeen
from llmops.rollout.plan import Plan, read_plan
from llmops.types import Call, RequestView

STABLE, CANDIDATE = "rel-" + "a" * 16, "rel-" + "b" * 16


def a_plan(margin: float) -> Plan:
    return read_plan(
        {
            "name": "bot",
            "candidate": CANDIDATE,
            "unit": "request",
            "guards": [{"metric": "error", "margin": margin, "weight": 99}],
        }
    )


def verdict(plan: Plan, luck: random.Random, n: int, rates: tuple[float, float], share: float, split: float) -> Any:
    """(what, after how many requests); looked at after every 20th, which is as good as always."""
    evidence, batch, uneven = no_evidence(plan, 0), [], None
    for number in range(n):
        candidate = luck.random() < split
        bad = luck.random() < rates[candidate]
        arm = "candidate" if candidate else "stable"
        batch.append(
            CallSeen(
                request_id=str(number), started_ms=number, tenant="t", arm=arm, share=share, status=503 if bad else 200
            )
        )
        if len(batch) == 20:
            take_calls(plan, evidence, batch, {}, number + 1)
            batch = []
            found, _ = seen(plan, evidence)
            if found.split_broken is not None and uneven is None:
                uneven = number + 1
            if found.harmed:
                return "back", number + 1, uneven
            if not found.unproved and rates[1] > rates[0]:
                return "up", number + 1, uneven
    return "held", n, uneven


def assignment_us() -> float:
    table = RolloutTable(lambda _name, _tenant: STABLE)
    table.replace(
        [Running(id="ro-1", tenant=None, name="bot", stable=STABLE, candidate=CANDIDATE, unit="session", share=0.1)]
    )
    calls = [
        Call(
            operation="chat",
            body=b"",
            view=RequestView(model="bot"),
            request_id=str(number),
            trace_id="",
            span_id="",
            started_at_s=0,
            started_s=0,
            session=f"session-{number:08d}-of-a-usual-length",
        )
        for number in range(20_000)
    ]
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for call in calls:
            table.assign("bot", call)
        best = min(best, (time.perf_counter() - began) / len(calls))
    return best * 1e6


def flag_us() -> float:
    """A flag with a rule that does not fit and a split of three."""
    rule = {"name": "staff", "when": {"attribute": "plan", "equals": "staff"}, "serve": "on"}
    split = {"on": 10, "off": 80, "later": 10}
    variants = {"on": "1", "off": "0", "later": "2"}
    flag = {"key": "new", "kind": "string", "variants": variants, "default": "off", "rules": [rule], "split": split}
    ready = Ready(read_flag(flag))
    contexts = [{"targetingKey": f"user-{number:08d}-of-a-usual-length", "plan": "pro"} for number in range(20_000)]
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for context in contexts:
            ready.decide(context)
        best = min(best, (time.perf_counter() - began) / len(contexts))
    return best * 1e6


def measure(runs: int, seed: int) -> dict[str, Any]:
    luck = random.Random(seed)
    healthy = [verdict(a_plan(0.01), luck, 20_000, (0.02, 0.02), 0.1, 0.1) for _ in range(max(20, runs // 3))]
    bad = [verdict(a_plan(0.01), luck, 20_000, (0.02, 0.06), 0.1, 0.1) for _ in range(runs)]
    edge = [verdict(a_plan(0.02), luck, 10_000, (0.02, 0.04), 0.5, 0.5) for _ in range(max(20, runs // 3))]
    split = [verdict(a_plan(0.01), luck, 10_000, (0.0, 0.0), 0.1, 0.08) for _ in range(max(20, runs // 6))]
    return {
        "runs": runs,
        "seed": seed,
        "healthy_rolled_back": sum(each[0] == "back" for each in healthy) / len(healthy),
        "healthy_called_uneven": sum(each[2] is not None for each in healthy) / len(healthy),
        "bad_rolled_back": sum(each[0] == "back" for each in bad) / len(bad),
        "bad_median_requests": statistics.median(each[1] for each in bad),
        "worse_by_the_margin_promoted": sum(each[0] == "up" for each in edge) / len(edge),
        "uneven_found": sum(each[2] is not None for each in split) / len(split),
        "uneven_median_requests": statistics.median(each[2] or 10_000 for each in split),
        "assignment_us": round(assignment_us(), 2),
        "flag_us": round(flag_us(), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.runs, given.seed)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    for name, value in found.items():
        print(f"{name:32} {value:g}")


if __name__ == "__main__":
    main()
