"""Where a prompt's labels are and have been, and moving them: with the version that the reader saw, so that of two who
move one at the same time the second is told."""

from typing import Any

import streamlit as st

from ..viewing import components, manage, words
from ..viewing.components import Cell
from ..viewing.manage import Done, Undo
from ..viewing.view import View
from .prompts_words import Asked, here, may_change, owner, when, who, whose

_PATH = "/api/prompts/labels"


def render(view: View, asked: Asked) -> None:
    view.live(lambda: _labels(view, asked))


def _labels(view: View, asked: Asked) -> None:
    found = view.get(_PATH, **owner(view), name=asked.name)
    if found is None:
        return
    allowed = may_change(view, asked)
    if not found["labels"]:
        components.empty(
            "No label points to a version yet",
            "Calls that name no version ask for production:",
            f"llmops prompts label {asked.name} production {asked.versions[0]['number']}",
        )
    actions = [("move", "Move"), ("back", "Move back"), ("drop", "Take away")] if allowed else []
    for each in found["labels"]:
        at = when(view, each["moved_at_ms"])
        label, number = each["label"], each["number"]
        moved = [move for move in found["moves"] if move["label"] == label]
        offered = [action for action in actions if action[0] != "back" or (moved and moved[0]["before"])]
        main = " main" if label == "production" else ""
        pressed = manage.row(
            f"label-{label}",
            f'<div class="lab-row" data-label="{words.html(label)}" data-version="{number}"><div class="name">'
            f'<span class="lab-chip{main}">{words.html(label)}</span>'
            f'<a href="{words.html(here(view, asked.name, version=number), 1000)}" target="_self">version {number}</a>'
            f'</div><div class="what">since {words.html(at.text)}, by {words.html(each["moved_by"], 60)}</div></div>',
            offered,
        )
        if pressed:
            manage.ask(f"label-{pressed}", (asked, label, number))
    if allowed and st.button("New label", icon=":material/new_label:", key="label-new"):
        manage.ask("label-move", (asked, "", 0))
    if asked.is_shared and not allowed and view.may_change:
        st.html('<p class="lab-keys">This prompt is shared: an administrator moves its labels.</p>')
    if found["moves"]:
        components.heading("Moves", "the latest first")
        rows = [_move(view, each) for each in found["moves"]]
        components.table(["when", "label", "from", "to", "who", "why"], rows, caption="Moves")


def _move(view: View, each: dict[str, Any]) -> list[Cell | str]:
    to = "taken away" if each["number"] is None else str(each["number"])
    return [
        when(view, each["at_ms"]),
        Cell(words.plain(each["label"], 40)),
        "new" if each["before"] is None else str(each["before"]),
        Cell(f"{to} (back)" if each["is_rollback"] else to),
        who(each["who"]),
        Cell(words.plain(each["reason"], 80), title=each["reason"]),
    ]


def _move_to(view: View, about: tuple[Asked, str, int]) -> None:
    asked, label, held = about

    @st.dialog("Move a label" if label else "New label")
    def opened() -> None:
        where = f"is at version {held}" if held else "is nowhere yet"
        st.html(
            f'<div class="lab-what"><b>{words.html(label or "A label")}</b> of {words.html(asked.name)} '
            f"{where}.<ul><li>Calls that ask for it follow within a second, on all gateways.</li></ul></div>"
        )
        numbers = [str(each["number"]) for each in asked.versions]
        with st.form("label-form", border=False):
            name = label or st.text_input("Label", key="label-name", max_chars=36, placeholder="staging",
                                          autocomplete="off").strip()  # fmt: skip
            version = st.selectbox("To version", numbers, key="label-to", format_func=asked.said)
            reason = st.text_input("Why (for the audit trail)", key="label-why", max_chars=500, autocomplete="off")
            go, back = manage.buttons("Move it" if label else "Make it")
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if not name:
            manage.complain("Give the label a name, such as staging.")
            return
        body = {"name": asked.name, "label": name, "version": int(version), "expected": held, "reason": reason.strip()}
        answer = view.send("PUT", _PATH, {key: each for key, each in body.items() if each != ""}, **whose(view, asked))
        if answer.problem is not None:
            manage.complain(answer.problem.message)
            return
        manage.finish(Done("Moved the label", f"{name} is at version {version} now.", _undo(view, asked, name, held)))

    opened()


def _undo(view: View, asked: Asked, label: str, before: int) -> Undo | None:
    """An undo says nothing beside its body, so an administrator, who has to say for whom, gets none."""
    if not before or whose(view, asked):
        return None
    return Undo(
        "PUT", _PATH, {"name": asked.name, "label": label, "version": before}, f"{label} is at version {before} again."
    )


def _back(view: View, about: tuple[Asked, str, int]) -> None:
    asked, label, held = about
    manage.confirm(
        view,
        "Move a label back",
        [
            f"<b>{words.html(label)}</b> of {words.html(asked.name)} goes from version {held} to where it was before.",
            "Calls follow within a second, on all gateways.",
        ],
        button="Move back",
        send=lambda why: view.send(
            "POST",
            "/api/prompts/rollback",
            {"name": asked.name, "label": label, **({"reason": why} if why else {})},
            **whose(view, asked),
        ),
        done=lambda answer: Done("Moved back", f"{label} is at version {answer['version']} again."),
    )


def _drop(view: View, about: tuple[Asked, str, int]) -> None:
    asked, label, held = about
    manage.confirm(
        view,
        "Take a label away",
        [
            f"<b>{words.html(label)}</b> of {words.html(asked.name)}, at version {held}, is no more.",
            "Calls that ask for it get their fallback, or 404.",
        ],
        button="Take away",
        word=label,
        word_label=f"Type {words.markdown(label)} to confirm",
        send=lambda why: view.send(
            "DELETE", _PATH, None, name=asked.name, label=label, reason=why, **whose(view, asked)
        ),
        done=lambda answer: Done("Took the label away", f"{label} was at version {answer['before']}."),
    )


DIALOGS = {"label-move": _move_to, "label-back": _back, "label-drop": _drop}
