"""``llmops eval``: run a dataset through a subject, judge what comes out, and look at runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .eval_scorers import scorers
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..evals.config import RunConfig
    from ..evals.repository.runs import RunRepository
    from ..evals.running import Run
    from ..settings import Settings

app = typer.Typer(help="Run evals: a dataset, a subject, scorers.", no_args_is_help=True)
app.command("scorers")(scorers)

_INTERRUPTED = 3
_FOLDER = Path("runs/evals")

FolderOption = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where runs lie.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE.yaml", help="Dataset, subject, scorers: see the how-to.")]
NoStoreFlag = Annotated[bool, typer.Option("--no-store", help="Leave it in its folder; nothing in the database.")]
EngineOption = Annotated[
    Literal["local", "ray"], typer.Option(help="Where cells are worked on: here, or on a Ray cluster.")
]
MaxUsdOption = Annotated[
    float | None, typer.Option(min=0, help="Ask before a run that may cost more, and stop one that is about to.")
]


@app.command("run")
def run(
    file: FileArgument,
    run_id: Annotated[str | None, typer.Option("--id", help="The run's id; one is made by default.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="How often each case is asked.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many cases.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="How many at a time.")] = None,
    max_usd: MaxUsdOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what it would take, and end.")] = False,
    no_store: NoStoreFlag = False,
    engine: EngineOption = "local",
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run an eval. Ctrl-C finishes the cells under way; `llmops eval resume` goes on.

    Ends with 0 when all cells have an answer, 1 when some have none, 3 when the run was interrupted.
    """
    with clean_errors():
        from .eval_work import begin

        settings, wanted = _read(file, config, repeats, limit, concurrency, max_usd)
        if only_plan:
            _print_plan(wanted, settings, as_json=as_json)
            return
        _confirm(wanted, settings, yes=yes)
        _finish(asyncio.run(begin(wanted, settings, folder, run_id, engine, no_store, as_json)), as_json)


@app.command("plan")
def plan(
    file: FileArgument,
    repeats: Annotated[int | None, typer.Option(min=1, help="How often each case is asked.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many cases.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a run would take: cells, tokens and money. Nothing is called."""
    with clean_errors():
        settings, wanted = _read(file, config, repeats, limit, None, None)
        _print_plan(wanted, settings, as_json=as_json)


@app.command("resume")
def resume(
    run_id: RunArgument,
    retry_failures: Annotated[bool, typer.Option(help="Ask again where there was no answer.")] = False,
    max_usd: MaxUsdOption = None,
    no_store: NoStoreFlag = False,
    engine: EngineOption = "local",
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a run that was interrupted: nothing that has an answer is asked again."""
    with clean_errors():
        from ..config import load_settings
        from .eval_work import go_on

        settings = load_settings(config)
        _finish(
            asyncio.run(go_on(settings, folder, run_id, engine, no_store, as_json, retry_failures, max_usd)), as_json
        )


@app.command("list")
def list_runs(
    folder: FolderOption = _FOLDER,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    stored: Annotated[bool, typer.Option("--stored", help="Those in the database.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant, with --stored.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List runs, the newest first."""
    with clean_errors():
        if stored:
            with _runs(config) as runs:
                found = [(each.spec, each.ending) for each in runs.find(tenant=tenant, limit=limit)]
        else:
            from ..evals.journal import journals

            found = [(each.spec, each.ending()) for each in journals(folder)[:limit]]
    if as_json:
        print_json(
            [
                {"run_id": spec.run_id, "state": ending.state, "reason": ending.reason, "spec": spec}
                for spec, ending in found
            ]
        )
        return
    if not found:
        say("no runs")
        return
    columns = ("run", "state", "dataset", "version", "subject", "repeats", "labels")
    rows = []
    for spec, ending in found:
        labels = ", ".join(f"{name}={value}" for name, value in spec.labels.items())
        state = ending.state if ending.reason is None else f"{ending.state} ({ending.reason})"
        subject = ", ".join(spec.subject.values())[:80]
        rows.append([spec.run_id, state, spec.dataset, spec.dataset_version, subject, str(spec.repeats), labels])
    print_table(columns, rows)


@app.command("show")
def show(
    run_id: RunArgument,
    cells: Annotated[bool, typer.Option(help="Each cell, with what was answered.")] = False,
    failed: Annotated[bool, typer.Option(help="Each cell that has no answer or did not pass.")] = False,
    folder: FolderOption = _FOLDER,
    as_json: JsonFlag = False,
) -> None:
    """Show a run: its figures, and with --cells or --failed what was answered."""
    with clean_errors():
        from ..evals.journal import Journal
        from ..evals.summary import Tally

        journal = Journal.read(folder, run_id)
        dataset = journal.dataset()
        tally = Tally(journal.spec.metrics, dataset.cases)
        shown = []
        for result in journal.results():
            tally.add(result)
            is_bad = result.output.error is not None or any(each.passed is False for each in result.scores)
            if cells or (failed and is_bad):
                shown.append(result)
        ending, summary = journal.ending(), tally.summary()
    total = len(dataset) * journal.spec.repeats
    if as_json:
        print_json({"spec": journal.spec, "ending": ending, "cells": total, "summary": summary, "results": shown})
        return
    from .eval_display import number, print_run

    print_run(journal.spec, ending.state, summary, total)
    if shown:
        names = [metric.name for metric in journal.spec.metrics]
        rows = [
            [each.case_id, str(each.repeat), *(number(each.value(name)) for name in names), _said(each.output)]
            for each in shown
        ]
        print_table(["case", "repeat", *names, "answer"], rows)


@app.command("rm")
def remove(
    run_id: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
) -> None:
    """Delete a run: its folder, and what the database has of it."""
    with clean_errors():
        from ..errors import NotFound
        from ..evals.journal import Journal

        if not yes:
            typer.confirm(f"Delete the run {run_id!r} with all its answers?", abort=True, err=True)
        with _runs(config) as runs:
            was_stored = runs.remove(run_id)
        try:
            Journal.read(folder, run_id).remove()
        except NotFound:
            if not was_stored:
                raise
    say(f"deleted {run_id}")


@contextmanager
def _runs(config: Path | None) -> "Iterator[RunRepository]":
    from ..assembly.evals import open_runs
    from ..config import load_settings

    with open_runs(load_settings(config)) as runs:
        yield runs


def _said(output: Any) -> str:
    if output.error is not None:
        return f"{output.error.code}: {output.error.message}"[:200]
    return str(output.text if output.text is not None else output.data)[:200]


def _read(
    file: Path,
    config: Path | None,
    repeats: int | None,
    limit: int | None,
    concurrency: int | None,
    max_usd: float | None,
) -> "tuple[Settings, RunConfig]":
    from ..config import load_settings
    from ..evals.config import read_config

    wanted = read_config(file)
    changes: dict[str, Any] = {"repeats": repeats, "concurrency": concurrency, "max_usd": max_usd}
    changes = {name: value for name, value in changes.items() if value is not None}
    if limit is not None:
        changes["dataset"] = wanted.dataset.model_copy(update={"limit": limit})
    return load_settings(config), wanted.model_copy(update=changes)


def _print_plan(wanted: "RunConfig", settings: "Settings", *, as_json: bool) -> None:
    from ..assembly.evals import plan as plan_of
    from ..evals.config import read_dataset
    from .eval_display import usd

    found = plan_of(wanted, read_dataset(wanted.dataset), settings)
    if as_json:
        print_json(found)
    else:
        say(
            f"{found.cells:,} cells, about {found.tokens_in:,} tokens in and {found.tokens_out:,} out: "
            f"{usd(found.cost_nanousd)}, without judges"
        )


def _confirm(wanted: "RunConfig", settings: "Settings", *, yes: bool) -> None:
    """Ask before a run that may cost more than it may, or nobody knows what."""
    from ..assembly.evals import plan as plan_of
    from ..evals.config import read_dataset
    from .eval_display import usd

    if wanted.max_usd is None or yes:
        return
    cost = plan_of(wanted, read_dataset(wanted.dataset), settings).cost_nanousd
    if cost is None or cost > wanted.max_usd * 1e9:
        say(f"the run will probably cost {usd(cost)}; it stops at {wanted.max_usd:g} USD")
        typer.confirm("Begin it?", abort=True, err=True)


def _finish(run: "Run", as_json: bool) -> None:
    from .eval_display import print_run

    if as_json:
        print_json({"spec": run.spec, "ending": run.ending, "summary": run.summary})
    else:
        print_run(run.spec, run.ending.state, run.summary, run.total)
    if run.store_failure is not None:
        say(f"warning: it is not in the database: {run.store_failure}; resume stores it")
    if run.ending.state != "complete":
        say(f"interrupted ({run.ending.reason}): llmops eval resume {run.spec.run_id}")
        raise typer.Exit(_INTERRUPTED)
    if run.summary.failed:
        raise typer.Exit(1)
