"""The figures at the head of the costs page, each against the window before where that is known, with its course."""

from collections.abc import Sequence

from ..viewing import figures
from ..viewing.change import change
from ..viewing.components import Card
from .costs_query import Row

_AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"


def cards(now: Row, before: Row | None, steps: Sequence[Row]) -> list[Card]:
    """``steps`` are the sums of each step of time."""
    saved, spent = now["saved_nanousd"], now["nanousd"]
    was = f"before: {figures.money(before['nanousd'])}" if before else "whole days, UTC"
    unpriced = now["unpriced_calls"]
    per_1k = _per(now, "tokens", 1000)
    return [
        Card("spent", "Spent", figures.money(spent), figures.exact_money(spent),
             change(spent, before["nanousd"], "down") if before else None, was, [step["nanousd"] for step in steps]),
        Card("per_call", "Cost per call", figures.money(_per(now, "calls", 1)), "",
             change(_per(now, "calls", 1), _per(before, "calls", 1), "down") if before else None,
             f"of {figures.count(now['calls'] - unpriced)} priced calls", [_per(step, "calls", 1) for step in steps]),
        Card("per_1k", "Cost per 1,000 tokens",
             f"{_AT_LEAST} {figures.money(per_1k)}" if unpriced and per_1k else figures.money(per_1k), "",
             change(per_1k, _per(before, "tokens", 1000), "down") if before and not unpriced else None,
             f"of {figures.count(now['tokens'])} tokens" + (", also unpriced ones" if unpriced else ""),
             [_per(step, "tokens", 1000) for step in steps]),
        Card("saved", "Saved by the cache", figures.money(saved), figures.exact_money(saved),
             change(saved, before["saved_nanousd"], "up") if before else None,
             f"{figures.share(saved / (saved + spent))} less" if saved else "no kept answer served a call",
             [step["saved_nanousd"] for step in steps]),
    ]  # fmt: skip


def _per(of: Row | None, unit: str, many: int) -> float | None:
    """Money for so many of them. Calls are those with a price; tokens of the others are not told apart."""
    if of is None:
        return None
    count = of["calls"] - of["unpriced_calls"] if unit == "calls" else of[unit]
    return of["nanousd"] / count * many if count else None
