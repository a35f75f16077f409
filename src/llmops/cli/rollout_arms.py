"""What ``llmops rollout`` prints of an experiment: what it would need, and how its arms stand."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from .output import print_table, say

ARM = "arm:"


def print_expected(told: dict[str, Any], time_of: Callable[[float | None], str]) -> None:
    found = told["experiment"]
    row = [f"{found['arms']}", f"{found['lead']:g}", f"{found['margin']:g}", f"{found['units']:,}"]
    print_table(["arms", "a lead of", "margin", "units in all", "time"], [[*row, time_of(found["seconds"])]])
    say(f"{told['calls_per_hour']:,.1f} calls an hour in the last day; arms that differ more are told apart sooner")


def print_arms(told: dict[str, Any], drawn: Callable[[list[float], float], str]) -> None:
    """The arms with their releases, shares and evidence; ``drawn`` makes a line of numbers up to a threshold."""
    latest = {each["guard"]: each for each in told["guards"]}
    rows = []
    for each in told["arms"]:
        mark = latest.get(f"{ARM}{each['arm']}")
        course = [mark["share"] for mark in told["evidence"] if mark["guard"] == f"{ARM}{each['arm']}"]
        rows.append(
            [
                each["arm"],
                each["release"],
                f"{each['share']:.2%}",
                drawn(course, 1.001),
                mark["verdict"].lower() if mark is not None else "-",
                *_figures(mark),
            ]
        )
    typer.echo(f"\n{told['saying']}\n")
    print_table(["arm", "release", "share", "share over time", "it", "units", "mean", "log e"], rows)


def _figures(mark: dict[str, Any] | None) -> Sequence[str]:
    if mark is None:
        return "-", "-", "-"
    mean = f"{mark['estimate']:.4g}" if mark["estimate"] is not None else "?"
    return (
        f"{mark['candidate_n']:,}",
        f"{mean} [{mark['lower']:.4g}, {mark['upper']:.4g}]",
        f"{mark['log_e']:.2f} of {mark['log_threshold']:.2f}",
    )
