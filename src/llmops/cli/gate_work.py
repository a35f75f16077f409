"""The work behind ``llmops gate plan``, ``aa`` and ``watch``."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..assembly.baselines import find_drops, tell
from ..assembly.evals import open_parts
from ..assembly.evals import plan as plan_of
from ..assembly.gate import find_arm, open_shelf
from ..errors import ConfigError, NotFound
from ..evals.baselines import Drop
from ..evals.config import build_scorers, read_dataset
from ..evals.gate.arm import Arm
from ..evals.gate.plan import GatePlan, plan_gate
from ..evals.gate.policy import Policy
from ..evals.gate.simulation import Simulated, simulate
from ..evals.scorers.registry import build
from ..settings import Settings


async def planned(
    policy: Policy, settings: Settings, folder: Path, baseline: str | None, candidate: str | None
) -> GatePlan:
    """The plan; variances are measured on two earlier runs where both are named."""
    dataset, arms = read_dataset(policy.dataset), None
    if (baseline is None) != (candidate is None):
        raise ConfigError(["name two runs, --baseline and --candidate, or none"], source="the plan")
    if baseline is not None and candidate is not None:
        with open_shelf(settings) as shelf:
            found = [find_arm(shelf, folder, run_id, policy.tenant) for run_id in (baseline, candidate)]
        for run_id, arm in zip((baseline, candidate), found, strict=True):
            if arm is None:
                raise NotFound(f"there is no run {run_id!r} in the database or in {folder}")
        arms = (_there(found[0]), _there(found[1]))
    costs: list[float] = []
    for which in ("baseline", "candidate"):
        config = policy.arm("baseline" if which == "baseline" else "candidate")
        each = plan_of(config, dataset, settings)
        if each.cost_nanousd is not None:
            costs.append(each.cost_nanousd / each.cells)
    async with open_parts(policy.arm("candidate"), settings, "plan") as (_, tools):
        scorers = build_scorers(policy.scorers, partial(build, tools=tools))
        metrics = {metric.name: metric for scorer in scorers for metric in scorer.metrics}
    prices = (costs[0], costs[1]) if len(costs) == 2 else None
    return plan_gate(policy, dataset, metrics=metrics, arms=arms, cell_nanousd=prices)


def simulated(
    policy: Policy,
    settings: Settings,
    folder: Path,
    runs: tuple[str | None, str],
    sizes: tuple[int, int | None],
    on_progress: Callable[[int], None] | None,
) -> Simulated:
    """A/A on two runs that are there; with one alone, repeats of it are no second arm, so the promoted one is taken."""
    dataset = read_dataset(policy.dataset)
    with open_shelf(settings) as shelf:
        promoted, _, _ = shelf.defended(policy)
        first = runs[0] or (promoted.run_id if promoted is not None else None)
        if first is None:
            raise ConfigError(["name the run that it is paired with: --baseline RUN"], source="the simulation")
        found = [find_arm(shelf, folder, run_id, policy.tenant) for run_id in (first, runs[1])]
    for run_id, arm in zip((first, runs[1]), found, strict=True):
        if arm is None:
            raise NotFound(f"there is no run {run_id!r} in the database or in {folder}")
    gates, cases = sizes
    try:
        return simulate(
            policy, dataset, _there(found[0]), _there(found[1]), gates=gates, cases=cases, on_progress=on_progress
        )
    except ValueError as exc:
        raise ConfigError([str(exc)], source="the simulation") from exc


async def watched(settings: Settings, tenant: str, name: str, run_id: str, alert: bool) -> tuple[list[Drop], list[str]]:
    """Drops of a run against a baseline, and which receivers could not be told."""
    with open_shelf(settings) as shelf:
        record = shelf.baselines.current(tenant, name)
        if record is None:
            raise NotFound(f"no baseline {name!r} is promoted for tenant {tenant!r}")
        found = find_drops(shelf, record, run_id)
    failures = await tell(settings, record, found, time.time()) if found and alert else []
    return found, failures


def _there(arm: Arm | None) -> Arm:
    assert arm is not None
    return arm
