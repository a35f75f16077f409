"""Prompts: folders and a list; with ``name=`` in the address one of them: words, versions, labels, and trying it out.

``of=`` is whose it is, where an administrator looks at another tenant's (``*``: shared). Everything is asked from
``/api/prompts``; only what is tried out goes through the gateway as a call.
"""

from ..viewing import address, judging, manage, registry
from ..viewing.view import View
from . import prompts_diff, prompts_labels, prompts_list, prompts_play, prompts_text, prompts_versions
from .prompts_words import Asked, crumbs, here, owner

_SHOWN = {"text": "Text", "versions": "Versions", "diff": "Differences", "labels": "Labels", "play": "Playground"}


def render(view: View) -> None:
    registry.wear()
    name = address.read("name")
    view.title("Prompts", "named templates in versions that never change, and labels that move")
    manage.said(view)
    if not name:
        prompts_list.render(view)
        return
    judging.crumbs(crumbs(view, name))
    found = view.get("/api/prompts/versions", **owner(view), name=name, limit=50)
    if found is None:
        judging.crumbs([("All prompts", here(view))])
        return
    asked = Asked(name, found)
    shown = address.choose(
        "Show", "show", list(_SHOWN), "text", format_func=_SHOWN.__getitem__, label_visibility="collapsed"
    )
    pages = {
        "text": prompts_text,
        "versions": prompts_versions,
        "diff": prompts_diff,
        "labels": prompts_labels,
        "play": prompts_play,
    }
    pages[shown].render(view, asked)
    manage.dialogs(view, {**prompts_labels.DIALOGS, **prompts_text.DIALOGS})
