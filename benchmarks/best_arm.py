"""Best-arm experiments, many and seeded: how often a wrong arm is named, and the units until the best one is.

``python -m benchmarks.best_arm [--runs 300] [--json FILE]`` runs four arms with rates .70, .72, .75, .80 and four with
equal ones, with top-two Thompson shares and with an even split, looked at after every 50th unit, through the arms,
streams and shares that the gateway uses; beside it the rule of intervals that separate, and the cost of one decision
and of one assignment.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

from llmops.rollout.allocation import even_shares, posterior, top_two_shares
from llmops.rollout.assignment import RolloutTable, Running
from llmops.rollout.experiment import Arms, next_shares, no_arms, ruling, standings
from llmops.rollout.goal import Goal
from llmops.types import Call, RequestView

RATES = {"a": 0.70, "b": 0.72, "c": 0.75, "d": 0.80}
EQUAL = dict.fromkeys(RATES, 0.75)
GOAL = Goal(metric="error")


class Run(NamedTuple):
    """``winner`` None: none was named within the units. ``apart``: units until the intervals separated."""

    winner: str | None
    units: int
    apart: int | None
    in_best: float
    split_e: float


def experiment(
    rates: dict[str, float], luck: random.Random, *, most: int, even: bool, alpha: float = 0.05, each: int = 50,
    until_apart: bool = False,
) -> Run:  # fmt: skip
    names = list(rates)
    arms, shares = no_arms(names), even_shares(names)
    winner, units, apart = None, most, None
    split_e = 0.0
    for number in range(1, most + 1):
        arm = luck.choices(names, shares.values())[0]  # type: ignore[arg-type]
        arms.count(arm, shares[arm])
        arms.observe(arm, float(luck.random() < rates[arm]))
        if number % each:
            continue
        rules = ruling(GOAL, alpha, arms)
        split_e = max(split_e, arms.split.log_e)
        if winner is None and rules.best is not None:
            winner, units = rules.best, number
        if until_apart and apart is None and winner is not None and _separate(arms, rules.leader, alpha):
            apart = number
        if winner is not None and (apart is not None or not until_apart):
            break
        moved = None if even else next_shares(arms, shares)
        if moved is not None:
            arms.moved(shares, moved)
            shares = moved
    top = max(rates, key=rates.__getitem__)
    return Run(winner, units, apart, arms.units[top] / sum(arms.units.values()), split_e)


def _separate(arms: Arms, lead: str, alpha: float) -> bool:
    """The other rule: the leader's interval is above every other one."""
    found = standings(GOAL, alpha, arms)
    return all(found[lead].lower > each.upper for arm, each in found.items() if arm != lead)


def a_call(session: str) -> Call:
    return Call(
        operation="chat", body=b"", view=RequestView(model="bot"), request_id="1", trace_id="", span_id="",
        started_at_s=0, started_s=0, session=session,
    )  # fmt: skip


def costs() -> dict[str, float]:
    """Milliseconds of CPU of a decision over 8 arms, microseconds of an assignment to 5."""
    arms = no_arms([f"arm-{number}" for number in range(8)])
    luck = random.Random(3)
    for number in range(8000):
        arms.observe(f"arm-{number % 8}", float(luck.random() < 0.8))
    shares = even_shares(["stable", *(f"rel-{number}" for number in range(4))])
    table = RolloutTable(lambda _name, _tenant: "rel-live")
    running = Running(
        id="ro-1", tenant=None, name="bot", stable="rel-live", candidate="rel-0", unit="session", share=0.8,
        arms=[(arm, "rel-live" if arm == "stable" else arm, share) for arm, share in shares.items()],
    )  # fmt: skip
    table.replace([running])
    calls = [a_call(f"session-{number:08d}-of-a-usual-length") for number in range(20_000)]
    found = {"decision_ms": float("inf"), "shares_ms": float("inf"), "assignment_us": float("inf")}
    for _ in range(5):
        began = time.process_time()
        ruling(GOAL, 0.05, arms), standings(GOAL, 0.05, arms)
        found["decision_ms"] = min(found["decision_ms"], (time.process_time() - began) * 1e3)
        began = time.process_time()
        top_two_shares({arm: posterior(each.n, each.total) for arm, each in arms.streams.items()})
        found["shares_ms"] = min(found["shares_ms"], (time.process_time() - began) * 1e3)
        began = time.process_time()
        for call in calls:
            table.assign("bot", call)
        found["assignment_us"] = min(found["assignment_us"], (time.process_time() - began) / len(calls) * 1e6)
    return found


def measure(runs: int, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {"runs": runs, "seed": seed}
    for name, even in (("top_two", False), ("even", True)):
        luck = random.Random(seed)
        made = [experiment(RATES, luck, most=100_000, even=even, until_apart=True) for _ in range(runs)]
        found[f"{name}_wrong"] = sum(each.winner not in (None, "d") for each in made) / runs
        found[f"{name}_median_units"] = statistics.median(each.units for each in made)
        found[f"{name}_mean_units"] = statistics.mean(each.units for each in made)
        found[f"{name}_median_units_intervals"] = statistics.median(each.apart or 100_000 for each in made)
        found[f"{name}_share_of_best"] = statistics.mean(each.in_best for each in made)
        found[f"{name}_called_uneven"] = sum(each.split_e >= 2.9957 for each in made) / runs
        luck = random.Random(seed + 1)
        same = [experiment(EQUAL, luck, most=20_000, even=even) for _ in range(runs)]
        found[f"{name}_named_of_equal_ones"] = sum(each.winner is not None for each in same) / runs
    found["saved"] = 1 - found["top_two_median_units"] / found["even_median_units"]
    return {**found, **costs()}


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
