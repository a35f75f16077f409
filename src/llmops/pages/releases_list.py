"""What is live under each released name, and the releases, the newest first."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, words
from ..viewing.components import Cell
from ..viewing.view import View
from .releases_words import Release, here, owner_of, when

_LIMIT = 50


def render(view: View) -> None:
    view.live(lambda: _releases(view))


def _releases(view: View) -> None:
    name = address.read("name")
    before = address.read("before", valid=lambda given: given.isdecimal() and 0 < len(given) < 18 and int(given) > 0)
    asked = {"tenant": view.tenant} if view.tenant else {}
    found = view.get("/api/releases", **asked, name=name, before_ms=before, limit=_LIMIT)
    if found is None:
        return
    live = [each for each in found["live"] if not name or each["name"] == name]
    if not found["releases"] and not (name or before):
        components.empty(
            "There are no releases yet",
            "A release bundles a model, a prompt's version, parameters and tools under a name of yours that clients "
            "ask for. Write one down and make it live:",
            'llmops release create bot.yaml --reason "the first"',
        )
        return
    if live:
        components.heading("Live now", "what clients get who ask for the name")
        st.html(f'<div class="lab-lives">{"".join(_live(view, each) for each in live[:60])}</div>')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        components.heading("Releases" + (f" of {name}" if name else ""), "the newest first")
        if name:
            st.button("All names", on_click=address.write, args=("name", None), key="releases-all")
    if not found["releases"]:
        components.empty("No release is like that", "Look at all names, or go back to the newest.")
    else:
        _table(view, found["releases"])
    if found["next"] or before:
        with st.container(horizontal=True, gap="small"):
            st.button("Newest", disabled=not before, on_click=address.write, args=("before", None))
            older = str(found["next"]) if found["next"] else None
            st.button("Older", disabled=not older, on_click=address.write, args=("before", older))


def _live(view: View, each: Mapping[str, Any]) -> str:
    since = when(view, each["since"])
    to = here(view, each["release_id"], each["tenant"])
    return (
        f'<a class="lab-live" href="{words.html(to, 1000)}" target="_self" data-live="{words.html(each["name"])}">'
        f"<b>{words.html(each['name'], 100)}</b><code>{words.html(each['release_id'])}</code>"
        f'<span><span class="mark" style="display:inline">● live</span> since {words.html(since.text)}, '
        f"by {words.html(each['by'], 60)} · {words.html(owner_of(each['tenant']), 40)}</span></a>"
    )


def _table(view: View, releases: list[Release]) -> None:
    rows: list[list[Cell | str]] = []
    for each in releases:
        parent = each["parent"]
        rows.append(
            [
                Cell(each["id"], to=here(view, each["id"], each["tenant"])),
                Cell("live", mood="good") if each["live"] else Cell(""),
                Cell(words.plain(each["name"], 40), to=here(view, name=each["name"]), title=each["name"]),
                Cell(words.plain(each["model"], 40), title=each["model"]),
                Cell(words.plain(each["prompt"] or "", 50), title=each["prompt"] or ""),
                when(view, each["created_at"]),
                Cell(words.plain(each["created_by"], 30), title=each["created_by"]),
                Cell(words.plain(each["reason"], 60), title=each["reason"]),
                Cell(words.plain(owner_of(each["tenant"]), 30)),
                Cell("changes", to=here(view, each["id"], each["tenant"], other=parent)) if parent else Cell(""),
            ]
        )
    columns = ["release", "", "name", "model", "prompt", "made", "by", "why", "whose", ""]
    components.table(columns, rows, caption="Releases")
