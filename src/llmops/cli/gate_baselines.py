"""``llmops gate promote``, ``baselines``, ``history``, ``trend``, ``watch``: what was decided, and what holds now."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from .gate import UNUSABLE, TenantOption, app
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

__all__ = ["app"]


@app.command("promote")
def promote(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the baseline is called.")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A stored, whole run.")],
    policy: Annotated[Path, typer.Option("--policy", metavar="GATE.yaml", help="Whose margins are watched.")],
    reason: Annotated[str, typer.Option(help="Why, for those who read the history.")],
    by: Annotated[str | None, typer.Option(help="Who does it; by default the user of this shell.")] = None,
    decision: Annotated[str | None, typer.Option(help="The gate that let it pass; another verdict is refused.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a run the baseline. Its figures are sealed: a gate that finds them changed says ERROR."""
    with clean_errors():
        from ..assembly.baselines import operator
        from ..assembly.baselines import promote as work
        from ..assembly.gate import open_shelf
        from ..config import load_settings
        from ..evals.gate.policy import read_policy

        rules = read_policy(policy)
        with open_shelf(load_settings(config)) as shelf:
            made = work(shelf, name, run_id, rules, who=by or operator(), reason=reason, decision=decision)
    if as_json:
        print_json(made)
    else:
        say(f"{made.name} is run {made.run_id} now (promotion {made.number}, {made.hash[:16]})")


@app.command("baselines")
def baselines(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="All promotions of this one.")] = None,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List baselines, or the history of one; ends with 3 when its records were tampered with."""
    with clean_errors():
        from ..assembly.gate import open_shelf
        from ..config import load_settings
        from ..evals.baselines import chain_problems

        with open_shelf(load_settings(config)) as shelf:
            repository = shelf.baselines
            found = repository.history(tenant, name) if name is not None else repository.all_current(tenant)
        problems = chain_problems(found) if name is not None else []
    if as_json:
        print_json({"baselines": found, "problems": problems})
    elif not found:
        say("no baselines")
    else:
        from .gate_display import when

        columns = ("baseline", "number", "run", "dataset", "when", "who", "reason", "hash")
        rows = [
            [
                each.name,
                str(each.number),
                each.run_id,
                f"{each.dataset}@{each.dataset_version}",
                when(each.at_ms),
                each.who,
                each.reason,
                each.hash[:16],
            ]
            for each in found
        ]
        print_table(columns, rows)
    for problem in problems:
        say(f"error: {problem}")
    if problems:
        raise typer.Exit(UNUSABLE)


@app.command("history")
def history(
    gate: Annotated[str | None, typer.Argument(metavar="GATE", help="Only this gate's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List what gates decided, the newest first."""
    with clean_errors():
        from ..assembly.gate import open_shelf
        from ..config import load_settings
        from .gate_display import print_decisions

        with open_shelf(load_settings(config)) as shelf:
            found = shelf.decisions.find(tenant=tenant, gate=gate, limit=limit)
    if as_json:
        print_json(found)
    else:
        print_decisions(found)


@app.command("trend")
def trend(
    metric: Annotated[str, typer.Argument(metavar="METRIC")],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Its name.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many runs.")] = 50,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a metric over runs and commits, the oldest first."""
    with clean_errors():
        from ..assembly.baselines import trend as trend_of
        from ..assembly.gate import open_shelf
        from ..config import load_settings
        from .gate_display import print_trend

        with open_shelf(load_settings(config)) as shelf:
            found = trend_of(shelf, metric, dataset, tenant=tenant, limit=limit)
    if as_json:
        print_json(found)
    else:
        print_trend(found)


@app.command("watch")
def watch(
    name: Annotated[str, typer.Argument(metavar="BASELINE")],
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A stored run.")],
    alert: Annotated[bool, typer.Option("--alert", help="Tell the receivers of the alerts about a drop.")] = False,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold a run against a promoted baseline: ends with 1 when a metric fell beyond its margin."""
    with clean_errors():
        from ..config import load_settings
        from .gate_work import watched

        found, failures = asyncio.run(watched(load_settings(config), tenant, name, run_id, alert))
    if as_json:
        print_json({"drops": found, "not_told": failures})
    elif not found:
        say("nothing fell beyond its margin")
    else:
        rows = [[each.metric, f"{each.promoted:.4g}", f"{each.value:.4g}", f"{each.margin:.4g}"] for each in found]
        print_table(("metric", "baseline", "run", "margin"), rows)
    for failure in failures:
        say(f"warning: a receiver was not told: {failure}")
    if found:
        raise typer.Exit(1)
