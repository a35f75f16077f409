"""Changing things from a page: a button asks, a dialog says what will happen, the gateway decides, a line says what it
did and how to take it back.

::

    def render(view):
        view.title("Keys")
        manage.said(view)                                   # the line; nothing where nothing was done
        if st.button("Revoke …"): manage.ask("revoke", key)
        manage.dialogs(view, {"revoke": _revoke})           # last

    def _revoke(view, key):
        manage.confirm(view, "Revoke a key", ["It ends for good."], button="Revoke", word=key["name"],
                       send=lambda why: view.send("DELETE", f"/api/keys/{key['id']}", reason=why),
                       done=lambda answer: Done("Revoked", key["name"]))

A dialog is opened by a run of the whole page, never by a panel: the panels refresh behind it and it stays. Every change
is sent with the reader's own key; what the gateway refuses is said in its words.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import streamlit as st

from . import words
from .source import Answer, Problem
from .view import View

_PENDING, _DONE = "llmops-pending", "llmops-done"
_LONGEST_NAME = 80
Dialog = Callable[[View, Any], None]


class Undo(NamedTuple):
    """What takes a change back, and what is said then."""

    method: str
    path: str
    body: Any
    said: str


class Done(NamedTuple):
    """What was done to what; ``what`` may be anybody's text."""

    title: str
    what: str = ""
    undo: Undo | None = None
    is_bad: bool = False


@cache
def _sheet() -> str:
    return Path(__file__).with_name("manage.css").read_text(encoding="utf-8")


def put_on() -> None:
    """The style of all this; once a page."""
    st.html(f"<style>{_sheet()}</style>")


def ask(name: str, about: Any = None) -> NoReturn:
    """Open that dialog of the page."""
    st.session_state[_PENDING] = (name, about)
    st.rerun(scope="app")


def dialogs(view: View, known: Mapping[str, Dialog]) -> None:
    """Open what was asked for, if this reader may change anything."""
    name, about = st.session_state.pop(_PENDING, (None, None))
    if name in known and view.may_change:
        known[name](view, about)


def finish(done: Done) -> NoReturn:
    """Close the dialog and say what was done."""
    st.session_state[_DONE] = done
    st.rerun(scope="app")


def said(view: View) -> None:
    """The line about the last change, until it is dismissed."""
    done: Done | None = st.session_state.get(_DONE)
    if done is None:
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"lab-said-{'bad' if done.is_bad else 'good'}"
    ):
        st.html(
            f'<div class="lab-said" role="{"alert" if done.is_bad else "status"}"><b>{words.html(done.title)}</b> '
            f"{words.html(done.what, 300)}</div>",
            width="stretch",
        )
        if done.undo is not None and view.may_change and st.button("Undo", key="manage-undo", icon=":material/undo:"):
            answer = view.send(done.undo.method, done.undo.path, done.undo.body, reason="undone on the dashboard")
            finish(Done(done.undo.said) if answer.problem is None else refused(answer.problem))
        if st.button("Dismiss", key="manage-dismiss", type="tertiary"):
            del st.session_state[_DONE]
            st.rerun(scope="app")


def refused(problem: Problem) -> Done:
    return Done("Nothing was changed:", problem.message, is_bad=True)


def confirm(
    view: View,
    title: str,
    what: Sequence[str],
    *,
    button: str,
    send: Callable[[str], Answer],
    done: Callable[[Any], Done],
    word: str | None = None,
    word_label: str = "Type its name to confirm",
) -> None:
    """A dialog over one change. ``what`` says what will happen, in sentences that are markup of ours already (with
    `words.html` around what is foreign); ``word`` has to be typed. The reason goes into the audit trail."""

    @st.dialog(title)
    def opened() -> None:
        st.html(f'<div class="lab-what"><ul>{"".join(f"<li>{each}</li>" for each in what)}</ul></div>')
        with st.form("manage-confirm", border=False):
            typed = st.text_input(word_label, key="manage-word", autocomplete="off") if word is not None else None
            reason = st.text_input("Why (for the audit trail)", key="manage-why", max_chars=500, autocomplete="off")
            go, back = buttons(button)
        if back:
            st.rerun(scope="app")
        if go and word is not None and (typed or "").strip() != word.strip():
            complain("That is not it. Nothing was changed.")
        elif go:
            answer = send((reason or "").strip())
            if answer.problem is None:
                finish(done(answer.value))
            complain(answer.problem.message or "The gateway refuses this.")

    opened()


def buttons(button: str) -> tuple[bool, bool]:
    """Of a form in a dialog: do it, or don't."""
    with st.container(horizontal=True, gap="small"):
        go = st.form_submit_button(button, type="primary", key="manage-go")
        back = st.form_submit_button("Cancel", key="manage-back")
    return go, back


def complain(message: str) -> None:
    """Say in a dialog why it does not go on."""
    st.html(f'<div class="lab-refused" role="alert">{words.html(message, 400)}</div>')


def word_of(name: str, thing_id: str) -> str:
    """What a person types to confirm: the name, or the id where the name cannot be typed."""
    typable = name.isprintable() and 0 < len(name.strip()) <= _LONGEST_NAME and words.plain(name) == name
    return name if typable else thing_id


def row(key: str, markup: str, actions: Sequence[tuple[str, str]] = (), *, mood: str = "plain") -> str | None:
    """A row of a list with its buttons (``name``, ``label``); the one that was pressed. ``markup`` is ours."""
    pressed = None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"lab-row-{mood}-{key}"):
        st.html(markup, width="stretch")
        for name, label in actions:
            if st.button(label, key=f"{name}-{key}"):
                pressed = name
    return pressed


def about(pairs: Mapping[str, str]) -> str:
    """Markup of names and values in columns; values may be anybody's."""
    return (
        '<div class="lab-about">'
        + "".join(f"<div><span>{words.html(name)}</span>{words.html(value)}</div>" for name, value in pairs.items())
        + "</div>"
    )


def use(of: str, amount: str, share: float | None) -> str:
    """Markup of how much of something is used, as words and as a bar."""
    bar = ""
    if share is not None:
        mood = "bad" if share >= 1 else "warn" if share >= 0.8 else ""
        width = max(0.0, min(1.0, share)) * 100
        bar = f'<div class="track"><div class="fill {mood}" style="width:{width:.1f}%"></div></div>'
    said = f'<span class="of">{words.html(of)}</span><span><b>{words.html(amount)}</b></span>'
    return f'<div class="lab-use">{said}{bar}</div>'
