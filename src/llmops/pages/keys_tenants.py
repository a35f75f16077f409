"""Tenants: how many keys they have and what they spend; made, disabled and enabled by an administrator."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import components, figures, manage, words
from ..viewing.components import link
from ..viewing.manage import Done, Undo
from ..viewing.view import View


def show(view: View) -> None:
    if _may_change(view) and st.button("New tenant", type="primary", icon=":material/add:", key="tenant-new"):
        manage.ask("tenant-create")
    view.live(lambda: _list(view))


def _list(view: View) -> None:
    tenants = view.get("/api/tenants")
    if tenants is None:
        return
    tenants = [each for each in tenants if view.tenant in ("", each["id"])]
    components.heading("Tenants", f"{len(tenants)}, the dearest first; spend in {view.window.said(view.zone)}")
    if not tenants:
        components.empty(
            "There are no tenants yet", "The first key makes one. Or make one yourself:", "llmops tenants create acme"
        )
        return
    spend = view.ask("/api/overview", **view.params, by="tenant").value or {"rows": []}
    spent = {row["tenant"]: row for row in spend["rows"]}
    keys = view.ask("/api/keys", tenant=view.tenant).value or []
    in_force: dict[str, int] = {}
    for key in keys:
        in_force[key["tenant"]] = in_force.get(key["tenant"], 0) + (key["state"] == "active")
    for tenant in sorted(tenants, key=lambda each: (-_nanousd(spent, each), each["id"])):
        actions = []
        if _may_change(view):
            actions = [("enable", "Enable")] if tenant["disabled"] else [("disable", "Disable …")]
        mood = "warn" if tenant["disabled"] else "plain"
        pressed = manage.row(f"tenant-{tenant['id']}", _markup(tenant, spent, in_force), actions, mood=mood)
        if pressed == "disable":
            manage.ask("tenant-disable", tenant)
        elif pressed == "enable":
            manage.finish(_enabled(view, tenant))


def _markup(tenant: Mapping[str, Any], spent: Mapping[str, Any], in_force: Mapping[str, int]) -> str:
    calls = spent.get(tenant["id"], {}).get("calls", 0)
    number = in_force.get(tenant["id"], 0)
    state = components.tag("warn", "disabled: its keys are refused") if tenant["disabled"] else ""
    to = words.html(link("keys", tenant=tenant["id"]), 400)
    longer = f"{tenant['name']} · " if tenant["name"] != tenant["id"] else ""
    return (
        f'<div class="lab-row" data-tenant="{words.html(tenant["id"])}"><div class="name">'
        f'<a href="{to}" target="_self">{words.html(tenant["id"])}</a>{state}</div>'
        f'<div class="figure"><b>{words.html(figures.money(_nanousd(spent, tenant)))}</b>'
        f"<span>{words.html(figures.count(calls))} calls</span></div>"
        f'<div class="what">{words.html(longer)}{number} {"key" if number == 1 else "keys"} in force</div></div>'
    )


def _enabled(view: View, tenant: Mapping[str, Any]) -> Done:
    path = f"/api/tenants/{tenant['id']}"
    answer = view.send("PATCH", path, {"disabled": False})
    if answer.problem is not None:
        return manage.refused(answer.problem)
    undo = Undo("PATCH", path, {"disabled": True}, f"The tenant {tenant['id']} is disabled again.")
    return Done("Enabled", f"{tenant['id']}: its keys work again.", undo)


def _disable(view: View, tenant: Mapping[str, Any]) -> None:
    path = f"/api/tenants/{tenant['id']}"
    undo = Undo("PATCH", path, {"disabled": False}, f"The tenant {tenant['id']} is enabled again.")
    manage.confirm(
        view,
        "Disable a tenant",
        [
            f"All keys of <b>{words.html(tenant['id'])}</b> are refused, within a second, also on this dashboard.",
            "Calls under way go to their end. Nothing is removed.",
            "It can be undone: its keys then work as before.",
        ],
        button="Disable",
        word=tenant["id"],
        word_label=f"Type {words.markdown(tenant['id'], 64)} to confirm",
        send=lambda why: view.send("PATCH", path, {"disabled": True}, reason=why),
        done=lambda _answer: Done("Disabled", f"{tenant['id']}: its keys are refused.", undo),
    )


def _create(view: View, _about: Any) -> None:
    @st.dialog("New tenant")
    def opened() -> None:
        with st.form("tenant-create-form", border=False):
            tenant = st.text_input("Id", key="tenant-id", max_chars=64, placeholder="acme", autocomplete="off",
                                   help="Lower case letters, digits, - and _. It cannot be changed.")  # fmt: skip
            name = st.text_input("Name", key="tenant-name", max_chars=200, placeholder="the same", autocomplete="off")
            go, back = manage.buttons("Create tenant")
        if back:
            st.rerun(scope="app")
        if go:
            body = {"id": tenant.strip(), **({"name": name.strip()} if name.strip() else {})}
            answer = view.send("POST", "/api/tenants", body)
            if answer.problem is None:
                manage.finish(Done("Created the tenant", f"{answer.value['id']}. Give it a key next."))
            manage.complain(answer.problem.message)

    opened()


def _nanousd(spent: Mapping[str, Any], tenant: Mapping[str, Any]) -> int:
    return int(spent.get(tenant["id"], {}).get("nanousd") or 0)


def _may_change(view: View) -> bool:
    return view.may_change and view.reader.role == "admin"


DIALOGS = {"tenant-create": _create, "tenant-disable": _disable}
