"""Where the time goes: which kinds of steps take the longest in all, and at most, as ``/api/steps`` says."""

from ..viewing import components, figures, words
from ..viewing.components import Cell
from ..viewing.view import View

_LIMIT = 40


def steps(view: View) -> None:
    components.heading("Where the time goes", "kinds of steps by the time they took in all, with that of steps in them")
    found = view.get("/api/steps", **view.params, limit=_LIMIT)
    if found is None:
        return
    items = found["items"]
    if not items:
        components.empty("No steps in this window", "Look at a longer one, or make some calls:", "llmops demo")
        return
    most_us = max(item["total_us"] for item in items) or 1
    slowest_us = max(item["max_us"] for item in items)
    components.table(
        ["step", "kind", "service", "in all", "times", "mean", "longest"],
        [
            [
                Cell(words.plain(item["name"], 60), title=item["name"]),
                item["step"],
                item["service"] or "",
                Cell(figures.milliseconds(item["total_us"] / 1000), share=item["total_us"] / most_us),
                figures.count(item["count"]),
                figures.milliseconds(item["mean_us"] / 1000),
                Cell(
                    ("◆ " if item["max_us"] == slowest_us else "") + figures.milliseconds(item["max_us"] / 1000),
                    title="the longest of all" if item["max_us"] == slowest_us else "",
                ),
            ]
            for item in items
        ],
        numbers=("in all", "times", "mean", "longest"),
        caption="Steps",
    )
