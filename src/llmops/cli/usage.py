"""``llmops usage``: what was used and what it cost, by tenant, key, model, user, tag and day."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..spend.usage.directory import UsageDirectory
    from ..spend.usage.reconciliation import Progress
    from ..spend.usage.repository.sums import UsageFilter

_BAR = 24
_ENDS = ("expected", "low", "high")
_NUMBERS = ("calls", "errors", "prompt_tokens", "completion_tokens", "usd", "cached_calls", "saved_usd")


def usage(
    by: Annotated[
        str, typer.Option(help="tenant, key, model, user, tag:<name>, day; several with commas between them.")
    ] = "tenant",
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day, e.g. 2026-11-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only of this key, by its id.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only with this tag; repeatable.")] = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="What this month (UTC) will have cost, with an interval.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all rows as CSV; - is stdout.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show calls, tokens and money.

    Days are UTC. What the log holds and the database does not is brought there first.
    """
    from ..spend.usage.report import day_of, dimensions_of, show, show_used, tags_of, to_csv, total
    from ..spend.usage.repository.sums import UsageFilter

    with opened(config) as directory:
        dimensions = dimensions_of(by)
        wanted = UsageFilter(
            first=day_of(first, "from"),
            last=day_of(last, "to"),
            tenant=tenant,
            key=key,
            model=model,
            user=user,
            tags=tags_of(tag or []),
        )
        catch_up(directory)
        if forecast:
            _print_forecast(directory, wanted, as_json=as_json)
            return
        sums = directory.sums.sums(dimensions, wanted)
        rows, totals = show(sums, dimensions), show_used(total(sums))
        if csv is not None:
            _write_csv(csv, to_csv(sums, dimensions))
        if as_json:
            print_json({"by": dimensions, "from": first, "to": last, "rows": rows, "totals": totals})
        elif csv is None:
            _print(dimensions, rows, totals)


@contextmanager
def opened(config: Path | None) -> Iterator["UsageDirectory"]:
    """Usage of the configured database and log; errors end the command cleanly."""
    with clean_errors():
        from ..config import load_settings
        from ..opening import open_identity, open_log
        from ..spend.usage.directory import UsageDirectory

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            yield UsageDirectory(identity.database, open_log(settings).path, lambda: settings.traces.keeps_texts)
        finally:
            identity.close()


def catch_up(directory: "UsageDirectory") -> None:
    """Bring the database up to the log's end, and say so where that cannot be."""
    with progress_bar("reading the log") as progress:
        current = directory.catch_up(progress)
    if not current:
        say("the gateway that brings the log into the database is behind: the newest calls are not part of this")


@contextmanager
def progress_bar(what: str) -> Iterator["Progress"]:
    """A bar on stderr, on a terminal, that goes when it is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=None)

        def progress(done: int, all_: int) -> None:
            shown.update(task, completed=done, total=all_)

        yield progress


def _write_csv(file: Path, text: str) -> None:
    if str(file) == "-":
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as exc:
        say(f"error: {file}: cannot be written: {exc.strerror}")
        raise typer.Exit(1) from exc
    say(f"{file}: {len(text.splitlines()) - 1} rows")


def _print(dimensions: list[str], rows: list[dict[str, Any]], totals: dict[str, Any]) -> None:
    if not rows:
        say("nothing was used in that time")
        return
    unpriced = ["unpriced_calls"] if totals["unpriced_calls"] else []
    measure = "nanousd" if totals["nanousd"] else "tokens" if totals["tokens"] else "calls"
    largest = max(row[measure] for row in rows) or 1
    lines = [
        [
            *("" if row[name] is None else str(row[name]) for name in dimensions),
            *(_number(row[name]) for name in (*_NUMBERS, *unpriced)),
            "█" * round(_BAR * row[measure] / largest),
        ]
        for row in rows
    ]
    last = ["total", *[""] * (len(dimensions) - 1)] if dimensions else []
    if len(rows) > 1:
        lines.append([*last, *(_number(totals[name]) for name in (*_NUMBERS, *unpriced)), ""])
    print_table([*dimensions, *_NUMBERS, *unpriced, ""], lines)
    if unpriced:
        say(f"{totals['unpriced_calls']} calls are of models whose price is not known: give it under `prices`")


def _print_forecast(directory: "UsageDirectory", wanted: "UsageFilter", *, as_json: bool) -> None:
    import time

    from ..spend.usage.outlook import outlook

    found = outlook(directory.sums, wanted, time.time())
    if as_json:
        print_json(found)
        return
    ahead = found["forecast"]
    print_table(
        ["month", "spent_usd", "expected_usd", "low_usd", "high_usd"],
        [[found["month"], found["spent_usd"], *(ahead[f"{name}_usd"] if ahead else "" for name in _ENDS)]],
    )
    if ahead is None:
        days, needed = found["days_known"], found["days_needed"]
        say(f"a forecast needs {needed} whole days with calls before today; {days} are known")
    else:
        say(f"from {found['days_known']} days; between low and high with {found['confidence']:.0%} certainty")


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
