"""Gates on the terminal: progress, the decision, plans, simulations, lists."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .output import print_table, say

if TYPE_CHECKING:
    from ..evals.gate.decision import Decision
    from ..evals.gate.plan import GatePlan
    from ..evals.gate.running import GateProgress
    from ..evals.gate.simulation import Share, Simulated
    from ..evals.gate.verdict import Judged
    from ..evals.repository.runs import Point


@contextmanager
def live(*, quiet: bool) -> "Iterator[Callable[[GateProgress], None] | None]":
    """A bar on stderr while the block lasts; nothing where that is no terminal."""
    with _progress(quiet=quiet) as shown:
        if shown is None:
            yield None
            return
        task = shown.add_task("gate", total=None)

        def show(progress: "GateProgress") -> None:
            said = f"look {progress.look} of {progress.looks}, {usd(progress.cost_nanousd)}"
            shown.update(task, total=progress.total, completed=progress.done, description=said)

        yield show


@contextmanager
def bar(total: int, *, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """A plain bar of so many steps."""
    with _progress(quiet=quiet) as shown:
        if shown is None:
            yield None
            return
        task = shown.add_task("gates", total=total)
        yield lambda done: shown.update(task, completed=done)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    import sys

    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        yield shown


def print_decision(decision: "Decision") -> None:
    print_table(
        ("metric", "tier", "verdict", "baseline", "candidate", "gain", "bounds", "margin", "p (worse)", "cases"),
        [_row(each) for each in [*decision.metrics, *decision.slices]],
    )
    bad = [each for each in decision.must_pass if each.state != "kept"]
    if decision.must_pass:
        kept = len(decision.must_pass) - len(bad)
        say(f"must-pass cases: {kept:,} kept, {decision.quarantined:,} in quarantine, {len(bad):,} not kept in all")
        if bad:
            print_table(("case", "state", "why"), [[each.case_id, each.state, each.reason] for each in bad])
    for problem in decision.problems:
        say(f"problem: {problem}")
    for warning in decision.warnings:
        say(f"warning: {warning}")
    for name, arm in (("baseline", decision.baseline), ("candidate", decision.candidate)):
        if arm is not None:
            say(f"{name}: run {arm.run_id}, {arm.cells:,} cells, {arm.failed:,} failed, cost {usd(arm.cost_nanousd)}")
    if len(decision.looks) > 1:
        say(f"looks: {', '.join(f'{each.cases:,} cases {each.verdict.value}' for each in decision.looks)}")
    say(f"{decision.verdict.value}: {decision.reason}")


def _row(judged: "Judged") -> list[str]:
    found = judged.finding
    name = judged.metric if judged.slice is None else f"{judged.metric} ({judged.slice})"
    bounds = f"[{number(found.lower)}, {number(found.upper)}]"
    return [
        name,
        judged.tier,
        found.verdict.value if judged.counts else "-",
        number(judged.baseline_mean),
        number(judged.candidate_mean),
        number(found.estimate),
        bounds,
        number(found.margin),
        number(found.p_value),
        f"{found.n:,}",
    ]


def print_plan(plan: "GatePlan") -> None:
    say(f"{plan.gate}: {plan.dataset} ({plan.dataset_version}), {plan.cases:,} cases in {plan.clusters:,} units")
    columns = ("metric", "margin", "variance", "cases needed", "if none flips", "power: PASS", "BLOCK", "detectable")
    rows = [
        [
            each.metric,
            f"{each.margin:g}",
            f"{each.variance:.3g} ({each.source})",
            f"{each.needed:,}",
            f"{each.unchanged:,}" if each.unchanged is not None else "-",
            f"{each.power_to_pass:.0%}",
            f"{each.power_to_block:.0%}",
            f"{each.detectable:.3g}",
        ]
        for each in plan.sizes
    ]
    print_table(columns, rows)
    looks = [
        [str(place), f"{each.cases:,}", f"{each.cells:,}", _levels(each.levels)]
        for place, each in enumerate(plan.looks, 1)
    ]
    print_table(("look", "cases", "cells", "levels"), looks)
    say(f"at first {plan.at_first.cells:,} cells, about {usd(plan.at_first.nanousd)}, without judges")
    say(f"at most {plan.at_most.cells:,} cells, about {usd(plan.at_most.nanousd)}")
    for warning in plan.warnings:
        say(f"warning: {warning}")


def _levels(levels: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in levels.items())


def print_simulated(found: "Simulated") -> None:
    rows = [
        ["nothing changed", "BLOCK (false)", _share(found.false_block)],
        ["nothing changed", "PASS", _share(found.passes)],
        ["nothing changed", "INCONCLUSIVE", _share(found.undecided)],
    ]
    for name, loss in found.loss.items():
        rows.append([f"{name} worse by {loss:g}", "BLOCK", _share(found.blocks[name])])
        rows.append([f"{name} worse by {loss:g}", "PASS (false)", _share(found.false_pass[name])])
    say(f"{found.gates:,} simulated gates of {found.cases:,} cases")
    print_table(("truth", "verdict", "how often, 95 % interval"), rows)


def _share(share: "Share") -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"


def print_decisions(found: Sequence[dict[str, Any]]) -> None:
    if not found:
        say("no decisions")
        return
    rows = [
        [
            each["id"],
            each["verdict"],
            each["gate"],
            f"{each['dataset']}@{each['dataset_version']}",
            when(each["at_ms"]),
            each["reason"][:120],
        ]
        for each in found
    ]
    print_table(("decision", "verdict", "gate", "dataset", "when", "why"), rows)


def print_trend(points: "Sequence[Point]") -> None:
    if not points:
        say("no runs")
        return
    rows = [
        [
            each.run_id,
            when(each.started_at_ms),
            (each.code_revision or "-")[:20],
            each.dataset_version,
            number(each.figure.mean),
            f"[{number(each.figure.low)}, {number(each.figure.high)}]",
        ]
        for each in points
    ]
    print_table(("run", "when", "commit", "version", "mean", "95 % interval"), rows)


def when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def usd(nanousd: int | None) -> str:
    return "unknown" if nanousd is None else f"{nanousd / 1e9:,.4f} USD"
