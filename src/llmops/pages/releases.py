"""Releases: what is live under each released name, all of them, and with ``release=`` in the address one's card.

``of=`` is the tenant whose it is, where an administrator looks at one that is not shared. Everything is asked from
``/api/releases``.
"""

from ..viewing import address, judging, manage, registry
from ..viewing.view import View
from . import releases_actions, releases_card, releases_diff, releases_list
from .releases_words import here


def render(view: View) -> None:
    registry.wear()
    view.title("Releases", "bundles of model, prompt, parameters and tools; one is live under each name")
    manage.said(view)
    release, other = address.read("release"), address.read("other")
    if not release:
        releases_list.render(view)
    elif other:
        judging.crumbs(
            [("All releases", here(view)), (release, here(view, release)), (f"what differs from {other}", None)]
        )
        releases_diff.render(view, release, other)
    else:
        judging.crumbs([("All releases", here(view)), (release, None)])
        releases_card.render(view, release)
    manage.dialogs(view, releases_actions.DIALOGS)
