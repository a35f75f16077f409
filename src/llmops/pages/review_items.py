"""Items of a queue to look at: all of them in a list, one by one with N and P, and what people said of each.

Answers to an item that is still open are shown to nobody: whoever has seen them does not judge independently.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Cell, Mood, link
from ..viewing.judging import About, Quote
from ..viewing.view import View
from . import review

_LIMIT = 25
_STATES = {"": "All", "open": "Open", "disputed": "Disputed", "agreed": "Agreed", "settled": "Settled"}
_MOODS: dict[str, Mood] = {"open": "neutral", "disputed": "warn", "agreed": "good", "settled": "good"}
Found = Mapping[str, Any]


def render(view: View, path: str, queue: Found) -> None:
    st.html(judging.progress(queue["progress"]))
    place = address.read("place", valid=_is_place)
    if place:
        _one(view, path, queue, int(place))
    else:
        _list(view, path, queue)


def _is_place(given: str) -> bool:
    return given.isdecimal() and len(given) < 12


def _list(view: View, path: str, queue: Found) -> None:
    state = address.choose("State", "state", list(_STATES), "", format_func=_STATES.__getitem__, required=True,
                           label_visibility="collapsed")  # fmt: skip
    after = address.read("after", "0", valid=_is_place)
    found = view.get(f"{path}/items", **review.owner(view), state=state, after=after, limit=_LIMIT)
    if found is None:
        return
    if not found["items"]:
        components.empty(
            "No item is like that", "Look at all of them, or put some in:", "llmops review add QUEUE --run RUN"
        )
        return
    rows: list[list[Cell | str]] = []
    for placed in found["items"]:
        answers = [mark for mark in placed["marks"] if mark["state"] == "answered"]
        rows.append(
            [
                Cell(str(placed["place"]), to=_here(view, queue, place=placed["place"])),
                Cell(placed["state"], mood=_MOODS[placed["state"]]),
                Cell(_said(placed["agreed"]), title=_said(placed["agreed"])),
                f"{len(answers)} of {queue['reviewers']}",
                Cell(words.plain(judging.text_of(placed["item"]["input"]).replace("\n", " "), 70)),
                Cell(words.plain(judging.text_of(placed["item"]["output"]).replace("\n", " "), 70)),
            ]
        )
    components.table(["no.", "state", "stands", "answers", "input", "output"], rows, caption="Items")
    if found["next"] or after != "0":
        with st.container(horizontal=True, gap="small"):
            st.button("First", disabled=after == "0", on_click=address.write, args=("after", None))
            st.button("More", disabled=not found["next"], on_click=address.write, args=("after", str(found["next"])))


def _here(view: View, queue: Found, **more: object) -> str:
    return link("review", queue=queue["name"], do="look", of=address.read("of"), tenant=view.tenant, **more)


def _one(view: View, path: str, queue: Found, place: int) -> None:
    found = view.get(f"{path}/items", **review.owner(view), after=max(0, place - 1), limit=1)
    if found is None:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Previous", shortcut="P", key="review-previous", disabled=place <= 1,
                  on_click=address.write, args=("place", str(place - 1)))  # fmt: skip
        st.button("Next", shortcut="N", key="review-next", disabled=not found["next"],
                  on_click=address.write, args=("place", str(place + 1)))  # fmt: skip
        st.button("All items", key="review-list", on_click=address.write, args=("place", None))
        st.caption(f"{place:,} of {queue['progress']['items']:,}")
    if not found["items"]:
        components.empty("There is no such item", "Go back to all of them.")
        return
    placed = found["items"][0]
    st.html(f'<div class="lab-section">{components.tag(_MOODS[placed["state"]], placed["state"])}'
            f"<h2>{words.html(_said(placed['agreed']))}</h2></div>")  # fmt: skip
    shown(view, placed)
    if placed["state"] == "open":
        st.caption("What was said of it is shown when all its answers are there.")
    else:
        marks(view, queue, placed)


def shown(view: View, placed: Found) -> None:
    """What was asked and answered, and where it is from."""
    item = placed["item"]
    quotes = [
        Quote("Asked", judging.text_of(item["input"]), "in"),
        Quote("Answered", judging.text_of(item["output"]), "out"),
    ]
    if item.get("reference") is not None:
        quotes.append(Quote("Right would be", judging.text_of(item["reference"])))
    judging.texts(quotes)
    facts = [About(name, judging.text_of(value)) for name, value in item.get("metadata", {}).items()]
    if item.get("trace_id"):
        facts.append(About("trace", item["trace_id"], link("traces", trace=item["trace_id"], tenant=view.tenant)))
    if item.get("run_id"):
        to = link("evals", run=item["run_id"], case=item.get("case_id"), tenant=view.tenant)
        facts.append(About("run", item["run_id"], to))
    if facts:
        judging.about(facts)


def marks(view: View, queue: Found, placed: Found) -> None:
    """Who said what, with comments."""
    comments = _comments(view, queue, placed)
    rows: list[list[Cell | str]] = [
        [
            Cell(words.plain(mark["reviewer"], 40)),
            Cell(_said(mark["answer"]), title=_said(mark["answer"])),
            "settled it" if mark["settles"] else mark["state"],
            figures.moment(mark["at_ms"] / 1000, view.zone, now_s=view.now_s),
            Cell(
                words.plain(comments.get(mark["assessment_id"] or "", ""), 200),
                title=comments.get(mark["assessment_id"] or "", ""),
            ),
        ]
        for mark in placed["marks"]
        if mark["state"] != "leased"
    ]
    if rows:
        components.table(["reviewer", "answer", "", "when", "comment"], rows, caption="Answers")


def _comments(view: View, queue: Found, placed: Found) -> dict[str, str]:
    """By score: an answer's comment is part of its score."""
    trace_id = placed["item"].get("trace_id")
    where = {"trace_id": trace_id} if trace_id else {"session": f"review/{placed['id']}"}
    found = view.ask("/api/scores", **review.owner(view), **where, name=queue["question"]["name"]).value or {}
    rows = found.get("scores", ())
    return {each["id"]: each["comment"] for each in rows if each.get("comment")}


def _said(answer: Any) -> str:
    return "" if answer is None else words.plain(answer, 60)
