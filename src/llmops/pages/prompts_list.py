"""Prompts of a folder, a page at a time, and what a search finds in all folders."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, judging, registry, words
from ..viewing.components import Cell
from ..viewing.view import View
from .prompts_words import here, when

_LIMIT = 50


def render(view: View) -> None:
    search = address.text(
        "Search", "search", placeholder="Search in names", label_visibility="collapsed", width=320, autocomplete="off"
    )
    folder = "" if search else address.read("folder")
    if folder:
        parts = folder.split("/")
        steps: list[tuple[str, str | None]] = [("All prompts", here(view))]
        steps += [(part, here(view, folder="/".join(parts[: at + 1]))) for at, part in enumerate(parts[:-1][:9])]
        judging.crumbs([*steps, (parts[-1], None)])
    view.live(lambda: _prompts(view, folder, search))


def _prompts(view: View, folder: str, search: str) -> None:
    after = address.read("after")
    found = view.get(
        "/api/prompts",
        **({"tenant": view.tenant} if view.tenant else {}),
        folder=folder,
        search=search,
        after=after,
        limit=_LIMIT,
    )
    if found is None:
        return
    if found["folders"]:
        registry.folders([(each.rsplit("/", 1)[-1], here(view, folder=each)) for each in found["folders"]])
    if found["prompts"]:
        _table(view, found["prompts"], whole=bool(search))
    elif not found["folders"]:
        _nothing(is_all=not (search or folder or after))
    if found["next"] or after:
        with st.container(horizontal=True, gap="small"):
            st.button("From the beginning", disabled=not after, on_click=address.write, args=("after", None))
            st.button("More", disabled=not found["next"], on_click=address.write, args=("after", found["next"]))


def _table(view: View, prompts: Sequence[dict[str, Any]], *, whole: bool) -> None:
    is_of_all = view.reader.tenant is None
    own = {each["name"] for each in prompts if not each["is_shared"]}
    rows: list[list[Cell | str]] = []
    for each in prompts:
        name = each["name"]
        hidden = each["is_shared"] and name in own and not is_of_all
        shown = name if whole else name.rsplit("/", 1)[-1]
        to = None if hidden else here(view, name, each["tenant"])
        row: list[Cell | str] = [
            Cell(words.plain(shown, 60), to=to, title="your own of this name goes before it" if hidden else name),
            each["kind"],
            Cell("", beside=registry.chips(each["labels"]), title=_said(each["labels"])),
            f"{each['versions']:,}",
            when(view, each["updated_at_ms"]),
            Cell("", beside=registry.chips(each["tags"][:6], main=""), title=", ".join(each["tags"])),
        ]
        rows.append([*row, "shared" if each["is_shared"] else words.plain(each["tenant"], 40) if is_of_all else "own"])
    columns = ["prompt", "kind", "labels", "versions", "changed", "tags", "whose"]
    components.table(columns, rows, numbers=("versions",), caption="Prompts")


def _said(labels: dict[str, int]) -> str:
    return ", ".join(f"{name}: version {number}" for name, number in labels.items())


def _nothing(*, is_all: bool) -> None:
    if is_all:
        components.empty(
            "There are no prompts yet",
            "A prompt is a file under prompts/, reviewed in git, and a version here once it is pushed:",
            'llmops prompts push --label production -m "the first"',
        )
    else:
        components.empty("Nothing is here", "Take the search off, or go back to all prompts.")
