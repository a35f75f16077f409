"""``llmops reconcile``: prove that the request log, the calls in the database and their sums by day say the same."""

from typing import TYPE_CHECKING, Annotated

import typer

from .output import ConfigOption, JsonFlag, print_json, print_table, say
from .usage import catch_up, opened, progress_bar

if TYPE_CHECKING:
    from ..spend.usage.reconciliation import Reconciliation


def reconcile(
    repair: Annotated[
        bool, typer.Option("--repair", help="Store what is missing or different, from the log, and sum up anew.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare every line of the log with the database, and its sums with its calls. Status 1: they differ."""
    import msgspec

    with opened(config) as directory:
        catch_up(directory)
        if repair:
            with progress_bar("repairing") as progress:
                mended = directory.repair(progress)
            say(f"{mended.different_calls} calls were not the same in the database; all sums are made anew")
        with progress_bar("comparing") as progress:
            found = directory.reconcile(progress)
    if as_json:
        print_json({"equal": found.equal, **msgspec.to_builtins(found)})
    else:
        _print(found)
    raise typer.Exit(0 if found.equal else 1)


def _print(found: "Reconciliation") -> None:
    from ..spend.rule import usd

    places = (("log", found.log), ("calls", found.calls), ("usage_days", found.usage_days))
    print_table(
        ["place", "calls", "tokens", "usd"],
        [[name, f"{used.calls:,}", f"{used.tokens:,}", usd(used.nanousd)] for name, used in places],
    )
    say(
        f"{found.log_lines:,} lines on disk, {found.repeated_lines:,} of them repeated, "
        f"{found.unreadable_lines:,} unreadable; calls of files that are gone are in the database only"
    )
    if found.call_differences:
        print_table(["request_id", "difference"], [[each.request_id, each.what] for each in found.call_differences])
        say(f"{found.different_calls:,} calls differ; the first {len(found.call_differences)} are listed")
    if found.day_differences:
        print_table(
            ["day", "tenant", "between", "calls", "tokens", "usd"],
            [
                [
                    each.day,
                    each.tenant,
                    each.places,
                    f"{each.first.calls:,} / {each.second.calls:,}",
                    f"{each.first.tokens:,} / {each.second.tokens:,}",
                    f"{usd(each.first.nanousd)} / {usd(each.second.nanousd)}",
                ]
                for each in found.day_differences
            ],
        )
    if found.counter_differences:
        print_table(
            ["rule", "stored", "counted"],
            [[each.rule, f"{each.stored:,}", f"{each.counted:,}"] for each in found.counter_differences],
        )
    say("equal" if found.equal else "NOT equal; `llmops reconcile --repair` mends the database from the log")
