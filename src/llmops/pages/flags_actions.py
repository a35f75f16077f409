"""Switching a flag and changing what share gets which variant: dialogs. Rules are changed in the flag's file."""

from typing import Any

import streamlit as st

from ..viewing import manage, words
from ..viewing.manage import Done
from ..viewing.source import Answer
from ..viewing.view import View
from .releases_words import whose


def _put(view: View, stored: dict[str, Any], change: dict[str, Any], reason: str) -> Answer:
    """The flag as the reader saw it, with the change; refused if it is another by now."""
    more = {**whose(view, stored["tenant"]), **({"reason": reason} if reason else {})}
    body = {name: value for name, value in {**stored["flag"], **change}.items() if value is not None}
    return view.send("PUT", f"/api/flags/{stored['key']}", body, revision=stored["revision"], **more)


def _switch(view: View, stored: dict[str, Any]) -> None:
    flag = stored["flag"]
    on = not flag.get("enabled", True)
    will = "its rules and shares decide again" if on else f"everybody gets the default, {words.html(flag['default'])}"
    manage.confirm(
        view,
        "Switch a flag on" if on else "Switch a flag off",
        [f"<b>{words.html(stored['key'], 100)}</b>: {will}.", "Gateways follow within a second."],
        button="Switch on" if on else "Switch off",
        send=lambda why: _put(view, stored, {"enabled": on}, why),
        done=lambda answer: Done("Switched on" if on else "Switched off", f"{stored['key']}."),
    )


def _shares(view: View, stored: dict[str, Any]) -> None:
    flag = stored["flag"]
    split = flag.get("split") or {flag["default"]: 100}
    total = sum(split.values()) or 1

    @st.dialog("Change the shares")
    def opened() -> None:
        st.html(
            f'<div class="lab-what"><b>{words.html(stored["key"], 100)}</b>: who is asked about and fits no rule gets '
            "a variant by these weights. Who is in a share stays in it as the share grows.</div>"
        )
        with st.form("flag-shares", border=False):
            weights = {
                name: st.number_input(
                    words.markdown(name),
                    min_value=0.0,
                    max_value=1e6,
                    value=round(split.get(name, 0) / total * 100, 6),
                    key=f"flag-share-{name}",
                    format="%g",
                )
                for name in list(flag["variants"])[:20]
            }
            reason = st.text_input("Why (for the audit trail)", key="flag-why", max_chars=500, autocomplete="off")
            go, back = manage.buttons("Change")
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if sum(weights.values()) <= 0:
            manage.complain("Give one of them more than nothing.")
            return
        answer = _put(view, stored, {"split": {**split, **weights}}, reason.strip())
        if answer.problem is not None:
            manage.complain(answer.problem.message)
            return
        manage.finish(Done("Changed the shares", f"of {stored['key']}."))

    opened()


DIALOGS = {"flag-switch": _switch, "flag-split": _shares}
