"""Adding and removing limits and budgets: forms that the gateway checks, and what a removal means."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import manage, words
from ..viewing.manage import Done, Undo
from ..viewing.view import View
from .keys_rules import BOUNDS, described, scope

_PER = ("tenant", "key", "user", "model", "ip")
_WINDOWS = {"month": "a month", "week": "a week", "day": "a day", "total": "in all"}
_SETTINGS = ("name", "per", "where", *BOUNDS, "burst", "shadow", "usd", "window", "hard")


def _add_budget(view: View, _about: Any) -> None:
    @st.dialog("New budget")
    def opened() -> None:
        with st.form("budget-form", border=False):
            left, right = st.columns(2)
            usd = left.text_input("US dollars", key="rule-usd", placeholder="100", autocomplete="off")
            window = right.selectbox("For", list(_WINDOWS), format_func=_WINDOWS.__getitem__, key="rule-window")
            hard = st.toggle("Refuse calls that do not fit (402)", value=True, key="rule-hard")
            wanted = _for_whom(view)
            go, back = manage.buttons("Add budget")
        if back:
            st.rerun(scope="app")
        if go:
            _send(
                view,
                "budget",
                {"usd": usd.strip().lstrip("$").replace(",", ""), "window": window, "hard": hard, **wanted},
            )

    opened()


def _add_limit(view: View, _about: Any) -> None:
    @st.dialog("New limit")
    def opened() -> None:
        with st.form("limit-form", border=False):
            left, right = st.columns(2)
            amount = left.text_input("At most", key="rule-amount", placeholder="60", autocomplete="off")
            bound = right.selectbox("Of", list(BOUNDS), index=1, format_func=BOUNDS.__getitem__, key="rule-bound")
            shadow = st.toggle("Only measure: refuse nothing", key="rule-shadow")
            wanted = _for_whom(view)
            go, back = manage.buttons("Add limit")
        if back:
            st.rerun(scope="app")
        if go:
            _send(view, "limit", {bound: amount.strip().replace(",", ""), "shadow": shadow, **wanted})

    opened()


def _for_whom(view: View) -> dict[str, Any]:
    per = st.multiselect("A count for each", _PER, key="rule-per", placeholder="One count for all")
    left, right = st.columns(2)
    where: dict[str, str] = {}
    if view.reader.tenant is None:
        tenants = ["", *(each["id"] for each in view.ask("/api/tenants").value or ())]
        at = tenants.index(view.tenant) if view.tenant in tenants else 0
        tenant = left.selectbox("Only of the tenant", tenants, index=at, key="rule-tenant",
                                format_func=lambda each: words.plain(each) or "Every tenant")  # fmt: skip
        where |= {"tenant": tenant} if tenant else {}
    model = right.text_input("Only of the model", key="rule-model", placeholder="every; * matches", max_chars=200)
    where |= {"model": model.strip()} if model.strip() else {}
    name = st.text_input(
        "Name", key="rule-name", max_chars=80, placeholder="shown to whoever it refuses", autocomplete="off"
    )
    reason = st.text_input("Why (for the audit trail)", key="rule-why", max_chars=500, autocomplete="off")
    return {"per": per, "where": where, "name": name.strip(), "reason": reason.strip()}


def _send(view: View, kind: str, values: dict[str, Any]) -> None:
    reason = values.pop("reason")
    answer = view.send("POST", f"/api/{kind}s", values, reason=reason)
    if answer.problem is not None:
        manage.complain(answer.problem.message)
        return
    rule = answer.value
    undo = Undo("DELETE", f"/api/{kind}s/{rule['id']}", None, f"The {kind} is removed again.")
    manage.finish(Done(f"Added the {kind}", f"{rule['name'] or described(rule)}, {scope(rule)}.", undo))


def _remove(view: View, rule: Mapping[str, Any]) -> None:
    kind = rule["kind"]
    settings = {name: rule[name] for name in _SETTINGS if rule.get(name) is not None}
    undo = Undo("POST", f"/api/{kind}s", settings, f"The {kind} is there again; it counts anew.")
    manage.confirm(
        view,
        f"Remove a {kind}",
        [
            f"<b>{words.html(rule['name'] or kind)}</b>: {words.html(f'{described(rule)}, {scope(rule)}', 300)}.",
            "Calls that it would have refused go through, within a second.",
            "It can be undone, but its counts begin anew.",
        ],
        button="Remove",
        send=lambda why: view.send("DELETE", f"/api/{kind}s/{rule['id']}", reason=why),
        done=lambda _answer: Done(f"Removed the {kind}", f"{rule['name'] or described(rule)}.", undo),
    )


DIALOGS = {"budget-add": _add_budget, "limit-add": _add_limit, "rule-remove": _remove}
