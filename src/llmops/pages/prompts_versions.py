"""The versions of a prompt, the newest first, each with how it is used: calls, errors, latency, cost of some days."""

from typing import Any

import streamlit as st

from ..viewing import address, components, figures, registry, words
from ..viewing.components import Cell
from ..viewing.view import View
from .prompts_words import Asked, here, owner, when

_LIMIT = 20
_DAYS = {"1": "Used in 24 hours", "7": "Used in 7 days", "30": "Used in 30 days"}


def render(view: View, asked: Asked) -> None:
    days = address.select(
        "Used in", "days", list(_DAYS), "7", format_func=_DAYS.__getitem__, width=220, label_visibility="collapsed"
    )
    view.live(lambda: _versions(view, asked, days))


def _versions(view: View, asked: Asked, days: str) -> None:
    before = address.read("before", valid=lambda given: given.isdecimal() and 0 < len(given) < 10 and int(given) > 0)
    named = {**owner(view), "name": asked.name, "before": before, "limit": _LIMIT}
    found, used = view.get("/api/prompts/versions", **named), view.get("/api/prompts/usage", **named, days=days)
    if found is None or used is None:
        return
    uses = {each["number"]: each for each in used["versions"]}
    most = max((each["calls"] for each in uses.values()), default=0) or 1
    rows = [_row(view, asked, each, uses.get(each["number"]), most) for each in found["versions"]]
    columns = ["version", "labels", "made", "why", "calls", "errors", "latency", "cost", "last used", ""]
    numbers = ("calls", "errors", "latency", "cost")
    components.table(columns, rows, numbers=numbers, caption="Versions")
    if found["next"] or before:
        with st.container(horizontal=True, gap="small"):
            st.button("Newest", disabled=not before, on_click=address.write, args=("before", None))
            older = str(found["next"]) if found["next"] else None
            st.button("Older", disabled=not older, on_click=address.write, args=("before", older))


def _row(view: View, asked: Asked, each: dict[str, Any], use: dict[str, Any] | None, most: int) -> list[Cell | str]:
    number, made = each["number"], when(view, each["created_at_ms"])
    use = use or {"calls": 0, "errors": 0, "mean_latency_ms": None, "cost_nanousd": None, "last_at_ms": None}
    changes = here(view, asked.name, show="diff", before=number - 1, after=number) if number > 1 else None
    return [
        Cell(str(number), to=here(view, asked.name, version=number), title=each["digest"]),
        Cell("", beside=registry.chips(each["labels"])),
        made._replace(title=f"{made.title}, by {words.plain(each['author'], 60)}"),
        Cell(words.plain(each["comment"][:34]) + ("…" if len(each["comment"]) > 34 else ""), title=each["comment"]),
        Cell(figures.count(use["calls"]), share=use["calls"] / most if use["calls"] else None),
        Cell(f"{use['errors']:,}", mood="bad" if use["errors"] else "neutral"),
        Cell(figures.milliseconds(use["mean_latency_ms"]), title="mean"),
        Cell(figures.money(use["cost_nanousd"]), title=figures.exact_money(use["cost_nanousd"])),
        when(view, use["last_at_ms"]),
        Cell("changes", to=changes) if changes else Cell(""),
    ]
