"""Scores of a trace, and a form to add one, for whoever has a key of its tenant and a gateway to send it to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, components, figures, words
from ..viewing.components import Cell
from ..viewing.view import View

_LIMIT = 50
_THUMBS = {"up": ":material/thumb_up: good", "down": ":material/thumb_down: bad"}
Item = Mapping[str, Any]


def scores(view: View, trace_id: str) -> None:
    found = view.ask("/api/scores", trace_id=trace_id, tenant=view.tenant, limit=_LIMIT)
    if found.problem is not None:
        return  # the trace above says what is wrong
    given = found.value["scores"]
    components.heading("Scores", f"{len(given)}{' or more' if found.value['next'] else ''}" if given else "none yet")
    if given:
        components.table(
            ["when", "name", "value", "label", "comment", "of", "by", "who"],
            [_row(view, each) for each in given],
            numbers=("value",),
            caption="Scores",
        )
    if view.feed.kind == "gateway":
        with st.popover("Add a score", icon=":material/rate_review:"):
            _form(view, trace_id)


def _row(view: View, score: Item) -> list[Cell | str]:
    value = score["value"]
    shown = {True: "good", False: "bad"}[value] if isinstance(value, bool) else figures.count(value)
    at_s = score["created_at_ms"] / 1000
    return [
        Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone)),
        words.plain(score["name"], 40),
        Cell(shown, mood=("good" if value else "bad") if isinstance(value, bool) else "neutral"),
        score["label"] or "",
        Cell(words.plain(score["comment"] or "", 80), title=score["comment"] or ""),
        "a span" if score["span_id"] else "the trace",
        score["source"],
        score["source_id"] or "",
    ]


def _form(view: View, trace_id: str) -> None:
    with st.form("score", clear_on_submit=True, border=False):
        name = st.text_input("What is judged", "helpful", max_chars=100)
        thumb = st.segmented_control("Thumb", list(_THUMBS), format_func=_THUMBS.__getitem__)
        value = st.text_input("or a number", placeholder="such as 0.8", max_chars=40)
        comment = st.text_area("Comment", max_chars=10_000, height=90)
        span = address.read("span")
        of_span = st.checkbox("Only of the picked span", disabled=not span)
        if not st.form_submit_button("Add it", type="primary"):
            return
    number = _number(value)
    if value.strip() and number is None:
        st.error(f"{words.markdown(repr(value), 60)} is no number; 0.8 would be one")
        return
    judged = thumb == "up" if thumb else number
    if judged is None and not comment.strip():
        st.error("Give a thumb, a number or a comment")
        return
    body = {"trace_id": trace_id, "name": name.strip(), "value": judged, "comment": comment.strip() or None}
    body |= {"source": "human", "source_id": view.reader.name or None, "tenant": _tenant(view, trace_id)}
    if of_span and span:
        body["span_id"] = span
    sent = view.send("POST", "/api/scores", {each: what for each, what in body.items() if what is not None})
    if sent.problem is not None:
        st.error(words.markdown(sent.problem.message, 300))
        return
    st.toast("The score is kept")
    st.rerun(scope="fragment")


def _tenant(view: View, trace_id: str) -> str | None:
    """An administrator judges for the tenant whose the trace is."""
    if view.reader.tenant is not None:
        return None
    found = view.ask(f"/api/traces/{quote(trace_id, safe='')}", limit=1, tenant=view.tenant)
    tenants = found.value["tenants"] if found.problem is None else []
    return tenants[0] if tenants and tenants[0] else None


def _number(value: str) -> float | None:
    try:
        return float(value.strip().replace(",", "."))
    except ValueError:
        return None
