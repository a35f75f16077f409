"""What ``llmops rollout`` prints of a shadow: the copies that it would make, and those that it has made."""

from collections.abc import Callable
from typing import Any

import typer

from .output import print_table, say


def print_expected_copies(told: dict[str, Any], time_of: Callable[[float | None], str]) -> None:
    """Of a plan."""
    copies = told["mirrored"]
    usd = "unknown" if copies["usd"] is None else f"${copies['usd']:,.4g}"
    row = [f"{step['percent']:g} %" for step in told["steps"]]
    row += [f"{copies['calls']:,}", usd, f"${copies['budget_usd']}", time_of(copies["seconds"])]
    print_table(["of the calls", "copies", "cost about", "budget", "time"], [row])
    units = max(step["units"] for step in told["steps"])
    if units:
        say(f"a proof in every critical guard needs about {units:,} copies")
    say(f"{told['calls_per_hour']:,.1f} calls an hour in the last day, at the cost of the live release's")


def print_copies(told: dict[str, Any]) -> None:
    """Of one that has begun."""
    copies = told["mirrored"]
    typer.echo(f"\n{told['share']:.4g} of the calls are mirrored; now: {told['saying']}\n")
    print_table(
        ["mirrored", "skipped", "refused by a budget", "spent", "left"],
        [
            [
                f"{copies['copies']:,}",
                f"{copies['skipped']:,}",
                f"{copies['refused']:,}",
                f"${copies['spent_usd']}",
                f"${copies['remaining_usd']} of ${copies['budget_usd']}",
            ]
        ],
    )
