"""Feedback: what people, judges and code say of the answers, over time and one by one, worst first.

Figures are those of ``/api/scores/course``, ``/spread`` and ``/judged``. Comments are anybody's text: shown as text.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, words
from ..viewing.view import View
from . import feedback_charts, feedback_words

_SOURCES = {"": "Every source", "human": "People", "judge": "Judges", "code": "Code"}
_MOST_RELEASES = 50
_TYPE_WIDTH_PX = 170


def render(view: View) -> None:
    view.title("Feedback", f"what people, judges and code said in {view.window.said(view.zone)}")
    feedback_words.put_on()
    narrowed = _filters(view)
    view.live(lambda: feedback_charts.show(view, narrowed))
    view.live(lambda: feedback_words.show(view, narrowed))


def _filters(view: View) -> dict[str, Any]:
    """What all panels are narrowed to, as the routes take it."""
    for kind in ("model", "release"):
        view.expect("/api/overview", **view.params, by=kind)
    course = view.ask("/api/scores/course", **view.params).value or {"series": []}
    names = list(dict.fromkeys(each["name"] for each in course["series"]))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        name = _among(names, "Name", "name", "Every name")
        source = address.select("Source", "source", list(_SOURCES), format_func=_SOURCES.__getitem__,
                                label_visibility="collapsed", width=_TYPE_WIDTH_PX)  # fmt: skip
        model = _among(_known(view, "model"), "Model", "model", "Every model")
        release = _among(_known(view, "release"), "Release", "release", "Every release")
    found: Mapping[str, Any] = {"name": name, "source": source, "model": model, "release": release}
    return {**view.params, **found}


def _among(known: list[str], label: str, name: str, every: str) -> str:
    """One of those that there are, or the one in the address, which may have none in this window."""
    wanted = address.read(name)
    if not known and not wanted:
        return ""
    options = list(dict.fromkeys(["", *known, *([wanted] if wanted else [])]))
    return address.select(label, name, options, format_func=lambda each: words.plain(each, 40) or every,
                          label_visibility="collapsed", width=_TYPE_WIDTH_PX + 30)  # fmt: skip


def _known(view: View, kind: str) -> list[str]:
    rows = (view.ask("/api/overview", **view.params, by=kind).value or {"rows": ()})["rows"]
    return [row[kind] for row in rows if row[kind]][:_MOST_RELEASES]
