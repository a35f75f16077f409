"""``llmops gate``: may a candidate take the baseline's place?"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, say

if TYPE_CHECKING:
    from ..evals.gate.decision import Decision

app = typer.Typer(help="Decide whether a candidate may replace the baseline.", no_args_is_help=True)

UNUSABLE = 3
"""A gate that cannot be opened is an ERROR: no other status may be mistaken for a verdict."""
_FOLDER = Path("runs/evals")

PolicyArgument = Annotated[Path, typer.Argument(metavar="GATE.yaml", help="The policy: see the how-to.")]
FolderOption = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where runs lie.")]
NoStoreFlag = Annotated[bool, typer.Option("--no-store", help="Nothing in the database.")]
SummaryOption = Annotated[
    Path | None, typer.Option("--summary", metavar="FILE", help="Add the report in Markdown to this file.")
]
ReportOption = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the decision as JSON.")]
TenantOption = Annotated[str, typer.Option(help="Whose.")]


@app.command("plan")
def plan(
    file: PolicyArgument,
    baseline: Annotated[str | None, typer.Option(help="An earlier run, to measure how answers vary.")] = None,
    candidate: Annotated[str | None, typer.Option(help="And another one.")] = None,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a gate takes and what it can find: cases, power, looks, cells and money. Nothing is called."""
    with clean_errors():
        from ..config import load_settings
        from ..evals.gate.policy import read_policy
        from .gate_display import print_plan
        from .gate_work import planned

        found = asyncio.run(planned(read_policy(file), load_settings(config), folder, baseline, candidate))
    if as_json:
        print_json(found)
    else:
        print_plan(found)


@app.command("run")
def run(
    file: PolicyArgument,
    gate_id: Annotated[str | None, typer.Option("--id", help="An interrupted gate's goes on; one is made.")] = None,
    no_store: NoStoreFlag = False,
    summary: SummaryOption = None,
    report: ReportOption = None,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask both arms and decide. Ends with 0 PASS, 1 BLOCK, 2 INCONCLUSIVE, 3 ERROR."""
    with _fails_closed():
        from ..assembly.gate import run_gate
        from ..config import load_settings
        from ..evals.gate.decision import new_gate_id
        from ..evals.gate.policy import read_policy
        from .gate_display import live

        policy, settings, identity = read_policy(file), load_settings(config), gate_id or new_gate_id(time.time())
        with live(quiet=as_json) as show:
            work = run_gate(policy, settings, folder, identity, is_stored=not no_store, on_progress=show)
            decision = asyncio.run(work)
        _finish(decision, summary, report, as_json=as_json)


@app.command("check")
def check(
    file: PolicyArgument,
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The candidate's run.")],
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="RUN", help="By default the promoted baseline's run.")
    ] = None,
    no_store: NoStoreFlag = False,
    summary: SummaryOption = None,
    report: ReportOption = None,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Decide about two runs that are there. Nothing is called; ends as `run` does."""
    with _fails_closed():
        from ..assembly.gate import check_runs, open_shelf, record
        from ..config import load_settings
        from ..evals.gate.decision import new_gate_id
        from ..evals.gate.policy import read_policy

        policy, identity = read_policy(file), new_gate_id(time.time())
        with open_shelf(load_settings(config)) as shelf:
            decision = check_runs(policy, shelf, folder, (baseline, candidate), identity)
            if not no_store:
                decision = record(shelf, decision)
        _finish(decision, summary, report, as_json=as_json)


@app.command("aa")
def aa(
    file: PolicyArgument,
    candidate: Annotated[str, typer.Argument(metavar="RUN", help="A run with this dataset.")],
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="RUN", help="And the one it is paired with; else the promoted.")
    ] = None,
    gates: Annotated[int, typer.Option(min=100, max=100_000, help="How many gates are simulated.")] = 1000,
    cases: Annotated[int | None, typer.Option(min=2, help="Cases of each; by default as many as there are.")] = None,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Try the gate on your own data: how often it blocks wrongly, and how often it finds a loss of the margin."""
    with clean_errors():
        from ..config import load_settings
        from ..evals.gate.policy import read_policy
        from .gate_display import bar, print_simulated
        from .gate_work import simulated

        with bar(gates, quiet=as_json) as show:
            found = simulated(
                read_policy(file), load_settings(config), folder, (baseline, candidate), (gates, cases), show
            )
    if as_json:
        print_json(found)
    else:
        print_simulated(found)


def _finish(decision: "Decision", summary: Path | None, report: Path | None, *, as_json: bool) -> None:
    import msgspec

    from ..evals.gate.markdown import rendered

    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(rendered(decision) + "\n")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(msgspec.json.format(msgspec.json.encode(decision), indent=2) + b"\n")
    if as_json:
        print_json(decision)
    else:
        from .gate_display import print_decision

        print_decision(decision)
    raise typer.Exit(decision.exit_code)


@contextmanager
def _fails_closed() -> Iterator[None]:
    """Whatever goes wrong is status 3: neither 1 nor 2 may be taken for a verdict that was never made."""
    from ..errors import LLMOpsError

    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except LLMOpsError as exc:
        say(f"error: {exc}")
        raise typer.Exit(UNUSABLE) from exc
    except ModuleNotFoundError as exc:
        say(f"error: {exc.name!r} is missing: the gate needs the extra: pip install 'llmops-lab[evals]'")
        raise typer.Exit(UNUSABLE) from exc
    except Exception as exc:
        say(f"error: {type(exc).__name__}: {exc}")
        raise typer.Exit(UNUSABLE) from exc
