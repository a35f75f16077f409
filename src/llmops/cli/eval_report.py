"""``llmops eval report``, ``export`` and ``drift``: what came of runs and of live calls, for people and other tools."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .eval import FolderOption, RunArgument, app
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..evals.drift.exchange import DriftReport
    from ..evals.reports.run_view import RunView

__all__ = ["app"]  # the group, with these commands in it

_FOLDER = Path("runs/evals")
Form = Literal["terminal", "markdown", "html", "junit", "json"]
AgainstOption = Annotated[str | None, typer.Option("--against", metavar="RUN", help="The baseline: compare with it.")]
StoredFlag = Annotated[bool, typer.Option("--stored", help="From the database: figures alone, no texts and slices.")]
TextsFlag = Annotated[
    bool, typer.Option("--texts", help="Show what was asked and answered in cells that failed; needs the folder.")
]


@app.command("report")
def report(
    run_id: RunArgument,
    against: AgainstOption = None,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = "terminal",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else stdout.")
    ] = None,
    texts: TextsFlag = False,
    stored: StoredFlag = False,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a run's report: its figures, and with --against what is better and worse than in another run."""
    with clean_errors():
        from ..errors import ConfigError
        from ..evals.reports.report import Report
        from ..evals.reports.writing import write

        see = _viewer(folder, config, stored=stored, texts=texts)
        made = Report(see(run_id), see(against) if against is not None else None)
        written = write(made, "json" if as_json else form)
        if output is None:
            sys.stdout.write(written)
            return
        try:
            output.write_text(written, encoding="utf-8", errors="replace")
        except OSError as exc:
            raise ConfigError([f"{output}: {exc.strerror or exc}"], source="--output") from exc
    say(f"wrote {output}")


@app.command("export")
def export(
    run_id: RunArgument,
    to: Annotated[Literal["mlflow"], typer.Option("--to", help="Which tool.")],
    url: Annotated[str, typer.Option(envvar="MLFLOW_TRACKING_URI", help="The server, e.g. http://127.0.0.1:5000.")],
    experiment: Annotated[str | None, typer.Option(help="Default: as the dataset is called.")] = None,
    token_env: Annotated[str | None, typer.Option(metavar="NAME", help="The variable with a bearer token.")] = None,
    against: AgainstOption = None,
    texts: TextsFlag = False,
    stored: StoredFlag = False,
    folder: FolderOption = _FOLDER,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a run to an MLflow server: versions as parameters, figures as metrics, the report as artifacts."""
    with clean_errors():
        from ..alert_settings import check_url
        from ..errors import ConfigError
        from ..evals.reports.mlflow import MlflowRuns
        from ..evals.reports.report import Report

        try:
            check_url(url)
        except ValueError as exc:
            raise ConfigError([str(exc)], source="--url") from exc
        see = _viewer(folder, config, stored=stored, texts=texts)
        made = Report(see(run_id), see(against) if against is not None else None)
        server = MlflowRuns(url, _credential(token_env))
        try:
            name = experiment or made.run.spec.dataset
            sent = server.send(made, name)
        finally:
            server.close()
    if as_json:
        print_json({"run_id": run_id, "to": to, "experiment": name, "id": sent})
    else:
        say(f"{run_id} is run {sent} of the experiment {name!r}")


@app.command("drift")
def drift(
    first: Annotated[str, typer.Option("--from", metavar="TIME", help="Begin of the window.")] = "now-24h",
    last: Annotated[str, typer.Option("--to", metavar="TIME", help="Its end.")] = "now",
    reference: Annotated[str, typer.Option(metavar="TIME", help="Begin of what it is compared with.")] = "now-8d",
    reference_to: Annotated[
        str | None, typer.Option("--reference-to", metavar="TIME", help="Its end; default: where the window begins.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only calls of this tenant.")] = None,
    model: Annotated[str | None, typer.Option(help="Only calls of this model.")] = None,
    release: Annotated[str | None, typer.Option(help="Only calls of this release.")] = None,
    least: Annotated[int, typer.Option("--min-calls", min=20, help="With fewer nothing is said.")] = 100,
    most: Annotated[int, typer.Option("--max-calls", min=100, max=20_000, help="Of each window.")] = 2000,
    embedding_model: Annotated[str | None, typer.Option(metavar="MODEL", help="Compare prompts by it too.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare live calls with those of before. Exit status 1 where something has shifted.

    Lengths, refusals, languages, topics; the last two need captured texts. A TIME is ISO 8601, seconds since 1970, or a
    time ago such as now-24h.
    """
    import asyncio
    import time

    with clean_errors():
        from ..assembly.drifting import look_once
        from ..config import load_settings
        from ..telemetry.rollups.window import window_of

        now_s = time.time()
        current = window_of(first, last, now_s)
        before = window_of(reference, reference_to if reference_to is not None else str(current.first), now_s)
        given = {"tenant": tenant, "model": model, "release": release}
        found = asyncio.run(
            look_once(
                load_settings(config),
                {name: value for name, value in given.items() if value is not None},
                (before.first, before.last),
                (current.first, current.last),
                least=least,
                most=most,
                embedding_model=embedding_model,
            )
        )
    if as_json:
        print_json(found)
    else:
        _print_drift(found)
    if found.is_shifted:
        raise typer.Exit(1)


def _print_drift(found: "DriftReport") -> None:
    for name, window in (("reference", found.reference), ("window", found.current)):
        say(f"{name}: {window.calls:,} calls, {window.looked_at:,} looked at, {window.with_texts:,} with texts")
    rows = []
    for each in found.findings:
        size = "-" if each.size is None else f"{each.size:.3f} ({each.measure})"
        p_value = "-" if each.p_value is None else f"{each.p_value:.2g}"
        state = each.note if each.size is None else "shifted" if each.is_shifted else "as before"
        rows.append([each.aspect, state, size, p_value, each.before, each.now])
    print_table(("aspect", "state", "size", "p", "before", "now"), rows)


def _credential(variable: str | None) -> dict[str, str]:
    import os

    from ..errors import ConfigError

    if variable is None:
        return {}
    token = os.environ.get(variable)
    if not token:
        raise ConfigError([f"{variable!r}: the variable is not set"], source="--token-env")
    return {"Authorization": f"Bearer {token}"}


def _viewer(folder: Path, config: Path | None, *, stored: bool, texts: bool) -> "Callable[[str], RunView]":
    """What finds a run."""

    def of_folder(run_id: str) -> "RunView":
        from ..evals.journal import Journal
        from ..evals.reports.run_view import view_of_folder

        return view_of_folder(Journal.read(folder, run_id), texts=texts)

    def of_database(run_id: str) -> "RunView":
        from ..assembly.evals import open_stored
        from ..config import load_settings
        from ..errors import NotFound
        from ..evals.reports.run_view import view_of_stored

        with open_stored(load_settings(config)) as (runs, results):
            found = runs.get(run_id)
            if found is None:
                raise NotFound(f"the database has no run {run_id!r}; `llmops eval list --stored` names those that are")
            return view_of_stored(found, results.of(run_id))

    return of_database if stored else of_folder
