"""The keys: found by name, role, state and use; one of them whole, with what can be done to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, manage, words
from ..viewing.components import Cell, Mood, link
from ..viewing.view import View
from .keys_attention import seconds_of

_EVERY = "every"
ROLES = ("caller", "viewer", "editor", "admin")
_STATES = {_EVERY: "Every state", "active": "In force", "expired": "Expired", "revoked": "Revoked"}
_USES = {"": "Used or not", "lately": "Used in 30 days", "never": "Never used"}
_MOODS: dict[str, Mood] = {"active": "good", "expired": "warn", "revoked": "neutral"}
_MOST_ROWS = 200
_LATELY_DAYS = 30
Key = Mapping[str, Any]


def show(view: View) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        text = address.text("Find a key", "q", placeholder="Name, id, tenant or model", width=260,
                            label_visibility="collapsed", icon=":material/search:")  # fmt: skip
        role = address.select("Role", "role", ["", *ROLES], format_func=lambda each: each.capitalize() or "Every role",
                              label_visibility="collapsed", width=140)  # fmt: skip
        state = address.select("State", "state", list(_STATES), "active", format_func=_STATES.__getitem__,
                               label_visibility="collapsed", width=140)  # fmt: skip
        use = address.select("Use", "used", list(_USES), format_func=_USES.__getitem__,
                             label_visibility="collapsed", width=170)  # fmt: skip
        if view.may_change and st.button("New key", type="primary", icon=":material/add:", key="keys-new"):
            manage.ask("key-create")
    chosen = address.read("key", valid=lambda given: len(given) <= 40)
    if chosen:
        view.live(lambda: _panel(view, chosen))
    view.live(lambda: _table(view, text.lower(), role, state, use, chosen))


def expect_spend(view: View) -> None:
    """It takes a while: to be asked for early."""
    view.expect("/api/usage", **_spend_asked(view))


def spend_by_key(view: View) -> dict[str, dict[str, Any]]:
    """What each key's calls cost and how many they were, over the days (UTC) that the window touches."""
    found = view.ask("/api/usage", **_spend_asked(view))
    return {row["key"]: row for row in (found.value or {"rows": ()})["rows"] if row["key"]}


def _spend_asked(view: View) -> dict[str, Any]:
    first_s, last_s = view.window.bounds(view.now_s)
    first, last = (datetime.fromtimestamp(at, UTC).date().isoformat() for at in (first_s, last_s))
    return {"by": "key", "from_": first, "to": last, "tenant": view.tenant}


def _table(view: View, text: str, role: str, state: str, use: str, chosen: str) -> None:
    keys = view.get("/api/keys", tenant=view.tenant)
    if keys is None:
        return
    if not keys:
        components.empty(
            "There are no keys yet",
            "Whoever reaches this machine's loopback address is its administrator. The first key ends that:",
            "llmops keys create NAME --role admin",
        )
        return
    spend = spend_by_key(view)
    found = [key for key in keys if _fits(key, view, text, role, state, use)]
    found.sort(key=lambda key: (-_spent(spend, key), key["state"] != "active", key["name"].lower()))
    components.heading("API keys", f"{len(found)} of {len(keys)}, the dearest first; spend of whole days (UTC)")
    if not found:
        components.empty("No key fits these filters", "Take a filter back, or look at every state.")
        return
    most = max(_spent(spend, key) for key in found) or 1
    components.table(
        ["key", "tenant", "role", "state", "last used", "calls", "spend", "models", "operations", "expires"],
        [_row(view, key, spend, most, chosen) for key in found[:_MOST_ROWS]],
        numbers=("calls", "spend"),
        caption="API keys",
    )
    if len(found) > _MOST_ROWS:
        components.empty(f"{len(found) - _MOST_ROWS} more keys are not shown", "Narrow them by name or tenant.")


def _row(view: View, key: Key, spend: Mapping[str, Any], most: int, chosen: str) -> list[Cell | str]:
    spent = _spent(spend, key)
    calls = spend.get(key["id"], {}).get("calls", 0)
    mark = "▸ " if key["id"] == chosen else ""
    return [
        Cell(mark + key["name"], to=_to(view, key), title=key["id"]),
        key["tenant"],
        key["role"],
        Cell("in force" if key["state"] == "active" else key["state"], mood=_MOODS.get(key["state"], "neutral")),
        Cell(last_used(key, view.now_s), title=key["last_used_on"] or ""),
        Cell(figures.count(calls), title=figures.exact(calls)),
        Cell(figures.money(spent), title=figures.exact_money(spent), share=spent / most),
        Cell(_several(key["models"]), title=", ".join(key["models"])),
        Cell(_several(key["operations"]), title=", ".join(key["operations"])),
        Cell(expiry(key, view), title=key["expires_at"] or ""),
    ]


def _panel(view: View, key_id: str) -> None:
    """One key whole."""
    keys = view.ask("/api/keys", tenant=view.tenant).value or ()
    key = next((each for each in keys if each["id"] == key_id), None)
    if key is None:
        components.empty("There is no such key", "It may be another tenant's, or the link is old.")
        return
    spent = spend_by_key(view).get(key_id, {})
    with st.container(key="lab-panel-key", gap="small"):
        state = components.tag(
            _MOODS.get(key["state"], "neutral"), "in force" if key["state"] == "active" else key["state"]
        )
        st.html(
            f'<div class="lab-panel-name">{words.html(key["name"], 200)} {state}'
            f"<code>{words.html(key['id'])}</code></div>"
        )
        st.html(
            manage.about(
                {
                    "Tenant": key["tenant"],
                    "Role": key["role"],
                    "Models": ", ".join(key["models"]) or "all",
                    "Operations": ", ".join(key["operations"]) or "all",
                    "Last used": last_used(key, view.now_s),
                    "Calls, spend": f"{figures.count(spent.get('calls', 0))}, {figures.money(spent.get('nanousd', 0))}",
                    "Created": _day(key["created_at"], view),
                    "Expires": expiry(key, view),
                    "Time of a call": figures.seconds(key["timeout_seconds"])
                    if key["timeout_seconds"]
                    else "the gateway's",
                    **_past(key, view),
                }
            )
        )
        with st.container(horizontal=True, gap="small"):
            if view.may_change and key["state"] == "active":
                if st.button("Rotate …", key="key-rotate", icon=":material/autorenew:"):
                    manage.ask("key-rotate", key)
                if st.button("Revoke …", key="key-revoke", icon=":material/block:"):
                    manage.ask("key-revoke", key)
            if st.button("Close", key="key-close", type="tertiary"):
                address.write("key", None)
                st.rerun(scope="app")


def _past(key: Key, view: View) -> dict[str, str]:
    found = {}
    if key["revoked_at"]:
        found["Revoked"] = _day(key["revoked_at"], view)
    until_s = seconds_of(key["previous_secret_until"])
    if until_s is not None and until_s > view.now_s:
        found["Old secret works for"] = figures.seconds(until_s - view.now_s)
    return found


def _fits(key: Key, view: View, text: str, role: str, state: str, use: str) -> bool:
    if (role and key["role"] != role) or state not in (_EVERY, key["state"]):
        return False
    if use and (_days_ago(key, view.now_s) is None) != (use == "never"):
        return False
    if use == "lately" and (_days_ago(key, view.now_s) or 0) > _LATELY_DAYS:
        return False
    return not text or any(text in each.lower() for each in (key["name"], key["id"], key["tenant"], *key["models"]))


def _spent(spend: Mapping[str, Any], key: Key) -> int:
    return int(spend.get(key["id"], {}).get("nanousd", 0))


def _days_ago(key: Key, now_s: float) -> int | None:
    if key["last_used_on"] is None:
        return None
    return max(0, (datetime.fromtimestamp(now_s, UTC).date() - date.fromisoformat(key["last_used_on"])).days)


def last_used(key: Key, now_s: float) -> str:
    """The trail of use has days (UTC), so no more is said."""
    if key["role"] != "caller":
        return "makes no calls"
    days = _days_ago(key, now_s)
    return "never" if days is None else "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"


def expiry(key: Key, view: View) -> str:
    at_s = seconds_of(key["expires_at"])
    if at_s is None:
        return "never"
    left_s = at_s - view.now_s
    return f"in {figures.seconds(left_s)}" if left_s > 0 else f"{figures.seconds(-left_s)} ago"


def _day(moment: str, view: View) -> str:
    at_s = seconds_of(moment)
    return figures.NOTHING if at_s is None else f"{datetime.fromtimestamp(at_s, view.zone):%d %b %Y %H:%M}"


def _several(names: Sequence[str]) -> str:
    return "all" if not names else names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _to(view: View, key: Key) -> str:
    """The same page with this key opened; filters stay."""
    kept = {name: value for name, value in st.query_params.to_dict().items() if name != "key"}
    return link("keys", **{**kept, "key": key["id"]})
