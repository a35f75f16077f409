"""Scores one by one, each with its way to the trace: the worst, the latest, those with a comment."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, manage, words
from ..viewing.components import Mood, link
from ..viewing.view import View

_ORDERS = {"worst": "Worst first", "newest": "Latest first"}
_MOST = 24
_COMMENT_CHARS = 2000
put_on = manage.put_on
Score = Mapping[str, Any]


def show(view: View, narrowed: Mapping[str, Any]) -> None:
    components.heading("One by one", "each leads to what was judged")
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        order = address.choose("Order", "order", list(_ORDERS), "worst", format_func=_ORDERS.__getitem__,
                               label_visibility="collapsed")  # fmt: skip
        commented = address.switch("With a comment", "commented")
    found = view.get("/api/scores/judged", **narrowed, order=order, commented=commented or None, limit=_MOST)
    if found is None:
        return
    if not found["scores"]:
        what_next = (
            "Show those without a comment too." if commented else "Look at a longer window, or take a filter back."
        )
        components.empty("Nothing here", what_next)
        return
    shown = "".join(_word(view, each) for each in found["scores"])
    st.html(f'<div class="lab-words" role="list" aria-label="Scores">{shown}</div>')


def _word(view: View, score: Score) -> str:
    value, mood = _valued(score)
    comment = f"<p>{words.html(score['comment'], _COMMENT_CHARS)}</p>" if score["comment"] else ""
    at_s = score["created_at_ms"] / 1000
    by = score["source_id"] or {"human": "a person", "judge": "a judge", "code": "code"}[score["source"]]
    beside = [by, score["model"], score["release"] and f"release {score['release']}", _whose(view, score)]
    said = "".join(f"<span>{words.html(each)}</span>" for each in beside if each)
    what = components.tag(mood, value) if value else ""
    return (
        f'<div class="lab-word {mood}" role="listitem" data-score="{words.html(score["id"])}">{comment}'
        f'<div class="by"><b>{words.html(score["name"])}</b>{what}{said}'
        f'<span title="{words.html(figures.moment(at_s, view.zone))}">'
        f"{words.html(figures.moment(at_s, view.zone, now_s=view.now_s))}</span>{_way(score)}</div></div>"
    )


def _valued(score: Score) -> tuple[str, Mood]:
    """What was said, and whether that is good or bad, where that can be known."""
    value, label = score["value"], score["label"]
    beside = f" ({label})" if label else ""
    if isinstance(value, bool):
        return ("thumb up" if value else "thumb down") + beside, "good" if value else "bad"
    if value is None:
        return label or "", "neutral"
    return f"{value:.4g}{beside}", "neutral"


def _whose(view: View, score: Score) -> str:
    return score["tenant"] if view.reader.tenant is None and not view.tenant else ""


def _way(score: Score) -> str:
    if score["trace_id"]:
        to, name = link("traces", trace=score["trace_id"], tenant=score["tenant"]), "trace"
    else:
        to, name = link("traces", session=score["session"], tenant=score["tenant"]), "session"
    return f'<a href="{words.html(to, 1000)}" target="_self">{name}</a>'
