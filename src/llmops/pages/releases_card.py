"""A release's card: what it is, whether it may take traffic and what the gate said, its figures, evals, rollouts, moves
and parents."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, manage, words
from ..viewing.components import Card, Cell, link
from ..viewing.judging import About, Quote
from ..viewing.view import View
from .releases_words import VERDICTS, here, may_change, owner_of, seer, trace_link, when

_WINDOWS = {"24h": "Figures of 24 hours", "7d": "Figures of 7 days", "30d": "Figures of 30 days"}
_PARTS = ("parameters", "forced", "tools", "retrieval", "guardrails", "drop_caches")
_SAID = {
    "parameters": "parameters, where the request says nothing",
    "forced": "forced, whatever the request says",
    "drop_caches": "kept answers that are let go when it goes live",
}
Found = Mapping[str, Any]


def render(view: View, release: str) -> None:
    window = address.select(
        "Figures", "of_last", list(_WINDOWS), "24h", width=220, format_func=_WINDOWS.__getitem__,
        label_visibility="collapsed",
    )  # fmt: skip
    view.live(lambda: _card(view, release, window))


def _card(view: View, release: str, window: str) -> None:
    found = view.get(f"/api/releases/{release}", **seer(view), window=window)
    if found is None:
        return
    _head(view, found)
    _figures(view, found)
    _gate(view, found)
    components.heading("What it is", "the same bundle has the same id, wherever it is made")
    _bundle(view, found)
    _changed(view, found)
    if found["evals"]:
        _evals(view, found)
    if found["rollouts"]:
        _rollouts(view, found)
    if found["moves"]:
        _moves(view, found)


def _head(view: View, found: Found) -> None:
    made = when(view, found["created_at"])
    state = components.tag("good", "live") if found["live"] else components.tag("neutral", "not live")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<div class="lab-panel-name" data-release="{words.html(found["id"])}">{words.html(found["name"], 100)} '
            f"<code>{words.html(found['id'])}</code>{state}</div>",
            width="stretch",
        )
        if may_change(view, found["tenant"]):
            if not found["live"]:
                pressed = st.button(
                    "Make live", type="primary", key="release-live", disabled=not found["may_take_traffic"]
                )
                if pressed:
                    manage.ask("release-live", found)
            elif any(move["after"] == found["id"] and move["before"] for move in found["moves"]) and st.button(
                "Roll back", key="release-back"
            ):
                manage.ask("release-back", found)
    items = [
        About("whose", owner_of(found["tenant"])),
        About("made", made.text, title=made.title),
        About("by", words.plain(found["created_by"], 60)),
    ]
    if found["reason"]:
        items.append(About("why", words.plain(found["reason"], 200), title=found["reason"]))
    items.append(About("calls", "traces of this release", to=trace_link(view, found["id"])))
    judging.about(items)


def _figures(view: View, found: Found) -> None:
    totals = found["figures"]
    if totals is None:
        components.empty("No figures", "The gateway does not know how calls of this release went.")
        return
    latency = totals["latency_ms"]
    components.cards(
        [
            Card("calls", "Calls", figures.count(totals["calls"]), figures.exact(totals["calls"])),
            Card("success", "Answered", figures.share(totals["success_rate"]), note=f"{totals['errors']:,} errors"),
            Card("latency", "Latency, middle", figures.milliseconds(latency["p50"]),
                 note=f"p95 {figures.milliseconds(latency['p95'])}"),
            Card("cost", "Cost", figures.money(totals["nanousd"]), figures.exact_money(totals["nanousd"]),
                 note=_per_call(totals)),
        ]
    )  # fmt: skip


def _per_call(totals: Found) -> str:
    return f"{figures.money(totals['nanousd'] / totals['calls'])} a call" if totals["calls"] else ""


def _gate(view: View, found: Found) -> None:
    gate = found["gate"]
    verdict = gate["verdict"]
    if verdict is None and not gate["required"]:
        return
    if found["may_take_traffic"]:
        said = "It may take traffic." + ("" if gate["required"] else " It does not require the gate.")
    elif verdict == "BLOCK":
        said = "It takes no traffic: the gate's last verdict on it is BLOCK."
    else:
        said = "It takes no traffic before the gate has passed it."
    mood = VERDICTS.get(verdict or "", "warn")
    st.html(
        f'<section class="lab-verdict plain {mood}" data-verdict="{words.html(verdict or "none")}"><div>'
        f"<h3>{words.html(verdict or 'no verdict yet')}</h3><p>{said}</p></div></section>"
    )
    if found["verdicts"]:
        rows: list[list[Cell | str]] = [
            [
                Cell(each["verdict"], mood=VERDICTS.get(each["verdict"], "warn")),
                when(view, each["at"]),
                Cell(words.plain(each["by"], 40)),
                Cell(words.plain(", ".join(each["run_ids"]), 60), title=", ".join(each["run_ids"]),
                     to=link("evals", run=each["run_ids"][0], tenant=view.tenant) if each["run_ids"] else None),
                Cell(words.plain(each["reason"], 80), title=each["reason"]),
            ]
            for each in found["verdicts"][:20]
        ]  # fmt: skip
        components.table(["verdict", "when", "by", "runs", "why"], rows, caption="Verdicts")


def _bundle(view: View, found: Found) -> None:
    bundle = found["bundle"]
    items = [About("asked for as", found["name"]), About("model", found["model"])]
    pin = bundle.get("prompt")
    if pin:
        to = link("prompts", name=pin["name"], version=pin["version"], tenant=view.tenant, of=_prompt_of(view, found))
        items.append(About("prompt", found["prompt"], to=to))
    judging.about(items)
    quotes = [Quote(_SAID.get(part, part), judging.text_of(bundle[part])) for part in _PARTS if bundle.get(part)]
    if quotes:
        judging.texts(quotes, two=len(quotes) > 1)


def _prompt_of(view: View, found: Found) -> str | None:
    return None if view.reader.tenant else found["tenant"] or "*"


def _changed(view: View, found: Found) -> None:
    line = found["lineage"]
    if not line:
        return
    components.heading("Lineage", "from the parents to this release")
    shown = "".join(
        f'<a href="{words.html(here(view, each["id"], found["tenant"]), 1000)}" target="_self" '
        f'title="{words.html(each["model"])} {words.html(each["prompt"] or "")}">{words.html(each["id"])}</a> →'
        for each in reversed(line[:6])
    )
    first = "… → " if len(line) > 6 else ""
    st.html(f'<div class="lab-line">{first}{shown}<em>{words.html(found["id"])}</em></div>')
    if found["changed_from_parent"]:
        changes(found["changed_from_parent"], "Changed from the parent")


def changes(found: list[Found], caption: str) -> None:
    """Fields with what they were and are."""
    rows: list[list[Cell | str]] = []
    for each in found:
        before, after = (
            "" if each[end] is None else judging.text_of(each[end]).replace("\n", " ") for end in ("before", "after")
        )
        rows.append(
            [
                Cell(words.plain(each["field"], 60), title=each["field"]),
                Cell(words.plain(before or "not there", 90), title=before),
                Cell(words.plain(after or "not there", 90), title=after),
            ]
        )
    components.table(["what", "before", "after"], rows, caption=caption)


def _evals(view: View, found: Found) -> None:
    components.heading("Evals", "runs on this release")
    rows: list[list[Cell | str]] = []
    for each in found["evals"][:20]:
        told = [
            f"{metric['name']} {metric['mean']:.3g}" for metric in each["metrics"] if metric.get("mean") is not None
        ]
        rows.append(
            [
                Cell(words.plain(each["run_id"], 40), to=link("evals", run=each["run_id"], tenant=view.tenant)),
                Cell(each["state"], mood="good" if each["state"] == "complete" else "warn"),
                Cell(words.plain(f"{each['dataset']}@{each['dataset_version'][:8]}", 50)),
                Cell(words.plain(", ".join(told), 100), title=", ".join(told)),
                Cell(figures.money(each["cost_nanousd"]), title=figures.exact_money(each["cost_nanousd"])),
            ]
        )
    components.table(["run", "state", "dataset", "what came out", "cost"], rows, numbers=("cost",), caption="Evals")


def _rollouts(view: View, found: Found) -> None:
    components.heading("Rollouts", "that this release was part of")
    rows: list[list[Cell | str]] = [
        [
            Cell(each["id"], to=link("rollouts", rollout=each["id"], tenant=view.tenant)),
            "candidate" if each["candidate"] == found["id"] else "stable",
            each["status"].replace("_", " "),
            f"{each['share'] * 100:g} %",
            when(view, each["created_at"]),
            Cell(words.plain(each["saying"], 80), title=each["saying"]),
        ]
        for each in found["rollouts"][:20]
    ]
    components.table(["rollout", "as", "state", "share", "begun", "what it says"], rows, numbers=("share",),
                     caption="Rollouts")  # fmt: skip


def _moves(view: View, found: Found) -> None:
    components.heading("When it was live", "moves of the name to it and away from it")
    rows: list[list[Cell | str]] = []
    for each in found["moves"][:50]:
        came = each["after"] == found["id"]
        other = each["before"] if came else each["after"]
        rows.append(
            [
                when(view, each["at"]),
                Cell("went live", mood="good") if came else Cell("replaced", mood="neutral"),
                Cell(other or "", to=here(view, other, found["tenant"]) if other else None),
                each["change"],
                Cell(words.plain(each["by"], 40)),
                Cell(words.plain(each["reason"], 80), title=each["reason"]),
            ]
        )
    components.table(["when", "what", "other release", "by means of", "who", "why"], rows, caption="Moves")
