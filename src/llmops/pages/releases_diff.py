"""What differs between two releases, field by field."""

from ..viewing import components
from ..viewing.view import View
from .releases_card import changes
from .releases_words import seer


def render(view: View, release: str, other: str) -> None:
    """From ``other`` to ``release``."""
    found = view.get(f"/api/releases/{other}/diff", **seer(view), other=release)
    if found is None:
        return
    components.heading("What differs", f"from {found['before']} to {found['after']}")
    if not found["changes"]:
        components.empty("Nothing differs", "It is the same bundle.")
        return
    changes(found["changes"], "Differences")
