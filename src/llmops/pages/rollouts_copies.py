"""A shadow on its page: how much of the traffic is mirrored, what became of it, and the money."""

from ..viewing import components, figures
from ..viewing.components import Card
from .rollouts_words import Rollout, percent


def copies(found: Rollout) -> None:
    seen, step = found["mirrored"], found["plan"]["steps"][0]
    tried = seen["copies"] + seen["refused"] + seen["skipped"]
    skipped = figures.share(seen["skipped"] / tried) if tried else figures.NOTHING
    most = found["plan"]["max_at_once"]
    components.cards(
        [
            Card("share", "Calls mirrored", percent(found["share"]), note=f"planned: {percent(step['percent'] / 100)}"),
            Card("copies", "Copies made", figures.count(seen["copies"]), figures.exact(seen["copies"]),
                 note="their answers reach nobody"),
            Card("skipped", "Calls skipped", figures.count(seen["skipped"]), figures.exact(seen["skipped"]),
                 note=f"{skipped} of all; {most} at once in a process"),
            Card("spent", "Spent on copies", f"${seen['spent_usd']}", note=f"of ${seen['budget_usd']}"),
            Card("left", "Left of the budget", f"${seen['remaining_usd']}",
                 note=f"{figures.count(seen['refused'])} copies were refused"),
        ]
    )  # fmt: skip
