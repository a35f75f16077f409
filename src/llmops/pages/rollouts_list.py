"""Running rollouts as cards, and all of them in a list, the newest first."""

import streamlit as st

from ..viewing import address, components, registry, words
from ..viewing.components import Cell
from ..viewing.view import View
from .releases_words import owner_of, when
from .rollouts_words import OPEN, Rollout, here, kind_of, percent, state_of

_LIMIT = 100


def rollouts(view: View) -> None:
    name, before = address.read("name"), address.read("before")
    whose = {"tenant": view.tenant} if view.tenant else {}
    found = view.get("/api/rollouts", **whose, name=name, limit=_LIMIT, **({"before": before} if before else {}))
    if found is None:
        return
    rows = found["rollouts"]
    if not rows:
        components.empty(
            "No rollout is like that" if name else "There have been no rollouts yet",
            "A rollout gives a new release a small share of the traffic, and more as the evidence allows:",
            "llmops rollout start plan.yaml",
        )
        return
    running = [each for each in rows if each["status"] in OPEN]
    if running:
        components.heading("Under way", "shares of the traffic now")
        st.html(f'<div class="lab-lives">{"".join(_card(view, each) for each in running[:60])}</div>')
    components.heading("Rollouts" + (f" of {name}" if name else ""), "the newest first")
    components.table(
        ["rollout", "state", "name", "kind", "share", "candidate", "instead of", "begun", "whose", "what it says"],
        [_row(view, each) for each in rows],
        numbers=("share",),
        caption="Rollouts",
    )
    if found["next"] or before:
        with st.container(horizontal=True):
            st.button("The newest", disabled=not before, on_click=address.write, args=("before", None))
            st.button("Older", disabled=not found["next"], on_click=address.write, args=("before", found["next"]))


def _card(view: View, each: Rollout) -> str:
    mood, said = state_of(each["status"])
    split = registry.shares({"candidate": each["share"], "stable": 1 - each["share"]})
    how = (
        f"step {each['step'] + 1} of {len(each['steps'])}: "
        f"{percent(each['share'])} gets <code>{words.html(each['candidate'])}</code>"
    )
    if each["kind"] == "shadow":
        split = registry.shares({"stable": 1.0})
        how = f"{percent(each['share'])} of the calls mirrored to <code>{words.html(each['candidate'])}</code>"
    if each["arms"]:
        split = registry.shares({arm["release"]: arm["share"] for arm in each["arms"]})
        how = f"{len(each['arms'])} arms" + (
            f", best: <code>{words.html(each['winner'])}</code>" if each["winner"] else ""
        )
    return (
        f'<a class="lab-live" href="{words.html(here(view, each["id"]), 1000)}" target="_self" '
        f'data-rollout="{words.html(each["id"])}"><b>{words.html(each["name"], 100)}</b>'
        f"<span>{words.html(kind_of(each['kind']))}, {how}</span>{split}"
        f"<span>{components.tag(mood, said)} {words.html(each['saying'], 160)}</span></a>"
    )


def _row(view: View, each: Rollout) -> list[Cell | str]:
    mood, said = state_of(each["status"])
    began = when(view, each["created_at"])
    return [
        Cell(each["id"], to=here(view, each["id"])),
        Cell(said, mood=mood),
        Cell(words.plain(each["name"], 40), to=here(view, name=each["name"])),
        kind_of(each["kind"]),
        percent(each["share"]),
        Cell(each["candidate"], to=components.link("releases", release=each["candidate"], of=each["tenant"])),
        Cell(each["stable"], to=components.link("releases", release=each["stable"], of=each["tenant"])),
        began._replace(title=f"{began.title}, by {words.plain(each['created_by'], 60)}"),
        Cell(words.plain(owner_of(each["tenant"]), 30)),
        Cell(words.plain(each["saying"], 50), title=each["saying"]),
    ]
