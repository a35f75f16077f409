"""The audit trail: who changed what, when, and why, as ``/api/audit`` says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from ..viewing import address, components, figures
from ..viewing.components import Cell, link
from ..viewing.view import View

_ABOUT = {
    "": "Everything",
    "key.*": "Keys",
    "tenant.*": "Tenants",
    "limit.*": "Limits",
    "budget.*": "Budgets",
    "silence.*": "Silences",
    "cache.*": "Cache",
}
_PAGE = 100
_ENDING = frozenset({"revoke", "remove", "disable", "clear", "rotate"})
"""What somebody may miss afterwards."""
_PARTS = {"key": "keys", "tenant": "tenants", "limit": "limits", "budget": "limits"}
Entry = Mapping[str, Any]


def render(view: View) -> None:
    view.title("Audit", f"who changed what in {view.window.said(view.zone)}, and why")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        action = address.select("About", "about", list(_ABOUT), format_func=_ABOUT.__getitem__,
                                label_visibility="collapsed", width=150)  # fmt: skip
        object_id = address.text("Object", "object", placeholder="Id of what was changed", width=230,
                                 label_visibility="collapsed", icon=":material/search:")  # fmt: skip
        who = address.text("Who", "who", placeholder="Id of the key that did it", width=230,
                           label_visibility="collapsed", icon=":material/person:")  # fmt: skip
    before = address.read("before", valid=lambda given: given.isdecimal() and len(given) < 19)
    view.live(lambda: _entries(view, action, object_id, who, before))


def _entries(view: View, action: str, object_id: str, who: str, before: str) -> None:
    first_s, last_s = view.window.bounds(view.now_s)
    found = view.get(
        "/api/audit",
        from_=_iso(first_s),
        to=_iso(last_s),
        tenant=view.tenant,
        action=action,
        object=object_id,
        key_id=who,
        before=before,
        limit=_PAGE,
    )
    if found is None:
        return
    entries = found["entries"]
    if not entries:
        components.empty(
            "Nothing was changed in this window" if not (action or object_id or who) else "No entry fits these filters",
            "Keys, tenants, limits, budgets, silences and the cache leave an entry when they are changed. All of it:",
            "llmops audit",
        )
        return
    components.heading(
        "Entries", f"{len(entries)}, the latest first" + ("; older ones follow" if found["next"] else "")
    )
    components.table(
        ["when", "who", "role", "did", "object", "tenant", "change", "why"],
        [_row(view, each) for each in entries],
        caption="Audit trail",
    )
    with st.container(horizontal=True, gap="small"):
        if before and st.button("Latest", key="audit-latest", icon=":material/first_page:"):
            address.write("before", None)
            st.rerun(scope="app")
        if found["next"] and st.button("Older", key="audit-older", icon=":material/chevron_right:"):
            address.write("before", str(found["next"]))
            st.rerun(scope="app")


def _row(view: View, entry: Entry) -> list[Cell | str]:
    at_s = datetime.fromisoformat(entry["at"]).timestamp()
    actor, change = entry["actor"], changed(entry)
    kind, _, verb = entry["action"].partition(".")
    to = link("keys", key=entry["object"]) if kind == "key" else None
    to = link("keys", part=_PARTS[kind]) if to is None and kind in _PARTS else to
    name = ((entry["after"] or {}).get("name") or (entry["before"] or {}).get("name")) if kind == "key" else None
    return [
        Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone)),
        Cell(
            actor["name"],
            title=actor["key_id"] or "",
            to=link("audit", who=actor["key_id"]) if actor["key_id"] else None,
        ),
        actor["role"],
        Cell(f"{kind} {verb}", mood="warn" if verb in _ENDING else "neutral"),
        Cell(str(name or entry["object"]), to=to, title=entry["object"]),
        entry["tenant"] or "",
        Cell(change, title=change),
        Cell(entry["reason"] or "", title=entry["reason"] or ""),
    ]


def changed(entry: Entry) -> str:
    """Before and after, in as few words as they need."""
    before, after = entry["before"] or {}, entry["after"] or {}
    if before and after:
        return ", ".join(
            f"{name}: {_said(before.get(name))} → {_said(after[name])}"
            for name in after
            if name not in before or before[name] != after[name]
        )
    return ", ".join(
        f"{name} {_said(value)}" for name, value in (after or before).items() if value not in ([], {}, "", False)
    )


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return (
        {True: "yes", False: "no", None: figures.NOTHING}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
