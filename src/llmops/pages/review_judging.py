"""Judging: one item, its answers as buttons with keys of their own, a comment, passing over, taking back.

Each press is one request; what the gateway refuses (somebody was quicker) is said, and the next item comes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import components, judging, words
from ..viewing.view import View
from . import review, review_items

_SAID = "llmops-review-said"
_MOST_BUTTONS, _MOST_KEYS = 12, 9
Found = Mapping[str, Any]


def render(view: View, path: str, queue: Found, who: str, *, settles: bool) -> None:
    taken = view.send("POST", f"{path}/next", {"reviewer": who, "disputed": settles}, **review.owner(view))
    if taken.problem is not None:
        view.show(taken.problem)
        return
    st.html(judging.progress(taken.value["progress"]))
    if said := st.session_state.pop(_SAID, None):
        components.strip([components.Trouble("warn", "Not kept", said)], "")
    placed = taken.value["item"]
    if placed is None:
        _none_left(view, path, who, taken.value["progress"], settles=settles)
        return
    _Work(view, path, queue["question"], who, placed, settles).draw(queue)


def _none_left(view: View, path: str, who: str, progress: Found, *, settles: bool) -> None:
    if settles:
        components.empty("There is nothing to settle", "Disputes come here when answers to an item differ; those that "
                         "you have answered yourself are for somebody else.")  # fmt: skip
    elif progress["items"]:
        components.empty("All done", "Nothing waits for you in this queue. Thank you.")
    else:
        components.empty("The queue is empty", "Put outputs of a run into it, or recorded traces:",
                         "llmops review add QUEUE --run RUN")  # fmt: skip
    st.button("Undo my last", shortcut="U", key="review-undo", on_click=_undo, args=(view, path, who))


class _Work:
    """An item in front of a reviewer."""

    def __init__(self, view: View, path: str, question: Found, who: str, placed: Found, settles: bool) -> None:
        self._view = view
        self._path = path
        self._question = question
        self._who = who
        self._placed = placed
        self._settles = settles
        self._comment = f"review-comment-{placed['id']}"

    def draw(self, queue: Found) -> None:
        item, asking = st.columns([3, 2], gap="medium")
        with item:
            review_items.shown(self._view, self._placed)
            if self._settles:
                review_items.marks(self._view, queue, self._placed)
        with asking, st.container(border=True, gap="small"):
            judging.question(self._question["name"], self._question.get("instructions", ""))
            self._answers()
            if self._question["kind"] != "text":
                st.text_area(
                    "Comment", key=self._comment, max_chars=10_000, height=90, placeholder="Why, if it is not plain"
                )
            with st.container(horizontal=True, gap="small"):
                st.button("Skip", shortcut="S", key="review-skip", on_click=self._skip,
                          help="Somebody else gets it; you do not, again.")  # fmt: skip
                st.button("Undo", shortcut="U", key="review-undo", on_click=_undo,
                          args=(self._view, self._path, self._who), help="Take your last answer back.")  # fmt: skip
            judging.keys([("1", "to 9 answer"), ("S", "skip"), ("U", "undo")])

    def _answers(self) -> None:
        question = self._question
        if question["kind"] == "text":
            st.text_area("Answer", key=self._comment, max_chars=10_000, height=160)
            st.button("Answer", type="primary", shortcut="Ctrl+Enter", key="review-text", on_click=self._say)
            return
        choices = _choices(question)
        if len(choices) > _MOST_BUTTONS and question["kind"] == "scale":
            low, high = question.get("low", 1), question.get("high", 5)
            st.number_input(f"From {low} to {high}", low, high, key=f"review-number-{self._placed['id']}")
            st.button("Answer", type="primary", shortcut="Ctrl+Enter", key="review-number", on_click=self._count)
            return
        with st.container(horizontal=question["kind"] == "scale", gap="small"):
            for number, choice in enumerate(choices):
                is_scale = question["kind"] == "scale"
                key = (
                    str(choice)
                    if is_scale and 0 <= int(choice) <= 9
                    else str(number + 1)
                    if number < _MOST_KEYS
                    else None
                )
                st.button(words.markdown(choice, 80), shortcut=key, key=f"review-answer-{number}",
                          width="content" if is_scale else "stretch",
                          on_click=self._answer, args=(choice,))  # fmt: skip

    def _answer(self, answer: str | int, comment: str | None = None) -> None:
        said = comment if comment is not None else (st.session_state.get(self._comment) or "").strip()
        body = {"answer": answer, "reviewer": self._who, **({"comment": said} if said else {})}
        self._send(f"items/{self._placed['id']}/answer", body)

    def _say(self) -> None:
        text = (st.session_state.get(self._comment) or "").strip()
        if text:
            self._send(f"items/{self._placed['id']}/answer", {"answer": text, "reviewer": self._who})

    def _count(self) -> None:
        self._answer(int(st.session_state[f"review-number-{self._placed['id']}"]))

    def _skip(self) -> None:
        self._send(f"items/{self._placed['id']}/skip", {"reviewer": self._who})

    def _send(self, what: str, body: Found) -> None:
        found = self._view.send("POST", f"{self._path}/{what}", body, **review.owner(self._view))
        if found.problem is not None:
            st.session_state[_SAID] = found.problem.message


def _undo(view: View, path: str, who: str) -> None:
    found = view.send("POST", f"{path}/undo", {"reviewer": who}, **review.owner(view))
    if found.problem is not None:
        st.session_state[_SAID] = found.problem.message
    elif found.value["item"] is None:
        st.session_state[_SAID] = "there is nothing of yours to take back"


def _choices(question: Found) -> Sequence[str | int]:
    if question["kind"] == "choices":
        found: Sequence[str] = question["choices"]
        return found
    return range(question.get("low", 1), question.get("high", 5) + 1)
