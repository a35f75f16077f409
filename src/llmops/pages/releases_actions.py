"""Making a release live and going back: dialogs that need a reason, and name what the reader saw to be live."""

from typing import Any

import streamlit as st

from ..viewing import manage, words
from ..viewing.manage import Done
from ..viewing.source import Answer
from ..viewing.view import View
from .releases_words import whose


def _live(view: View, found: dict[str, Any]) -> None:
    name, release = found["name"], found["id"]
    held = _live_now(view, found)
    _with_reason(
        "Make a release live",
        [
            f"Who asks for <b>{words.html(name, 100)}</b> gets <b>{words.html(release)}</b> "
            f"(now {words.html(held or 'nothing')}), within a second, on all gateways.",
            "It can be rolled back.",
        ],
        "Make live",
        lambda reason: view.send(
            "POST",
            f"/api/releases/{release}/live",
            {"reason": reason, **({"expected": held} if held else {})},
            **whose(view, found["tenant"]),
        ),
        Done("Made live", f"{release} answers for {name} now."),
    )


def _back(view: View, found: dict[str, Any]) -> None:
    name = found["name"]
    _with_reason(
        "Roll back",
        [
            f"<b>{words.html(name, 100)}</b> goes back to the release that was live before "
            f"<b>{words.html(found['id'])}</b>, within a second, on all gateways."
        ],
        "Roll back",
        lambda reason: view.send(
            "POST", "/api/releases/rollback", {"name": name, "reason": reason}, **whose(view, found["tenant"])
        ),
        Done("Rolled back", f"{name} has the release from before again."),
    )


def _live_now(view: View, found: dict[str, Any]) -> str | None:
    """What is live under this name of this owner, as the reader sees it now."""
    answer = view.ask("/api/releases", **whose(view, found["tenant"]), name=found["name"], limit=1)
    live = answer.value["live"] if answer.value else ()
    wanted = (found["name"], found["tenant"])
    return next((each["release_id"] for each in live if (each["name"], each["tenant"]) == wanted), None)


def _with_reason(title: str, what: list[str], button: str, send: Any, done: Done) -> None:
    @st.dialog(title)
    def opened() -> None:
        st.html(f'<div class="lab-what"><ul>{"".join(f"<li>{each}</li>" for each in what)}</ul></div>')
        with st.form("release-form", border=False):
            reason = st.text_input(
                "Why (needed, for the audit trail)", key="release-why", max_chars=1000, autocomplete="off"
            )
            go, back = manage.buttons(button)
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if not reason.strip():
            manage.complain("Say why: whoever looks at this later wants to know.")
            return
        answer: Answer = send(reason.strip())
        if answer.problem is None:
            manage.finish(done)
        manage.complain(answer.problem.message or "The gateway refuses this.")

    opened()


DIALOGS = {"release-live": _live, "release-back": _back}
