"""Making, rotating and revoking a key: dialogs. A secret is shown once, here, and kept nowhere."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from ..viewing import manage, words
from ..viewing.manage import Done
from ..viewing.view import View

_GRACES = {"The gateway's default": None, "None: at once": 0, "1 hour": 3600, "1 day": 86_400, "7 days": 604_800}
_LIVES = {"Never": None, "30 days": 30, "90 days": 90, "1 year": 365}
_OPERATIONS = ("chat", "responses", "messages", "embeddings", "count_tokens")
_RANKS = ("viewer", "editor", "admin")
_NEW = "keys-new-secret"


def _create(view: View, _about: Any) -> None:
    st.session_state.pop(_NEW, None)

    @st.dialog("New key", on_dismiss=_forget)
    def opened() -> None:
        if _NEW in st.session_state:
            _secret(
                st.session_state[_NEW], "This is the new key. It is shown only now: keep it where secrets are kept."
            )
            return
        wanted = _form(view)
        if wanted is None:
            return
        reason = wanted.pop("reason")
        answer = view.send("POST", "/api/keys", wanted, reason=reason)
        if answer.problem is not None:
            manage.complain(answer.problem.message)
            return
        st.session_state[_NEW] = (answer.value, Done("Created the key", f"{answer.value['name']}."))
        st.rerun(scope="fragment")

    opened()


def _form(view: View) -> dict[str, Any] | None:
    """What was asked for, once it was."""
    tenants = [each["id"] for each in view.ask("/api/tenants").value or ()] or [view.reader.tenant or "default"]
    allowed = ["caller", *_RANKS[: _RANKS.index(view.reader.role) + 1]]
    with st.form("key-create", border=False):
        name = st.text_input(
            "What it is for", key="new-key-name", max_chars=200, placeholder="checkout service", autocomplete="off"
        )
        left, right = st.columns(2)
        tenant = left.selectbox(
            "Tenant", tenants, index=_at(tenants, view.tenant), format_func=words.plain, key="new-key-tenant"
        )
        role = right.selectbox(
            "Role", allowed, key="new-key-role", help="A caller makes calls; the others see and change this dashboard."
        )
        models = st.text_input("Models", key="new-key-models", placeholder="all; or gpt-4o, claude-*", max_chars=2000)
        operations = st.multiselect("Operations", _OPERATIONS, key="new-key-operations", placeholder="All")
        life = st.selectbox("Expires", list(_LIVES), key="new-key-life")
        reason = st.text_input("Why (for the audit trail)", key="new-key-why", max_chars=500, autocomplete="off")
        go, back = manage.buttons("Create key")
    if back:
        st.rerun(scope="app")
    if not go:
        return None
    if not name.strip():
        manage.complain("Say what the key is for: it is what people will know it by.")
        return None
    days = _LIVES[life]
    expires = (datetime.now(UTC) + timedelta(days=days)).isoformat() if days is not None else None
    return {
        "name": name.strip(),
        "tenant": tenant,
        "role": role,
        "operations": operations,
        "models": [each.strip() for each in models.split(",") if each.strip()],
        "expires_at": expires,
        "reason": reason.strip(),
    }


def _rotate(view: View, key: Mapping[str, Any]) -> None:
    st.session_state.pop(_NEW, None)

    @st.dialog("Rotate a key", on_dismiss=_forget)
    def opened() -> None:
        if _NEW in st.session_state:
            _secret(
                st.session_state[_NEW], "This is the new secret. It is shown only now: keep it where secrets are kept."
            )
            return
        st.html(
            f'<div class="lab-what"><b>{words.html(key["name"], 200)}</b> of {words.html(key["tenant"])} gets a new '
            "secret. <ul><li>Name, role, models and counts stay.</li><li>The old secret works until the time below is "
            "over; then whoever still uses it is refused.</li><li>This cannot be undone.</li></ul></div>"
        )
        with st.form("key-rotate-form", border=False):
            grace = st.selectbox("The old secret works for", list(_GRACES), key="rotate-grace")
            typed = st.text_input(_word_label(key), key="rotate-word", autocomplete="off")
            reason = st.text_input("Why (for the audit trail)", key="rotate-why", max_chars=500, autocomplete="off")
            go, back = manage.buttons("Rotate")
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if typed.strip() != manage.word_of(key["name"], key["id"]).strip():
            manage.complain("That is not it. Nothing was changed.")
            return
        answer = view.send(
            "POST", f"/api/keys/{key['id']}/rotate", {"grace_seconds": _GRACES[grace]}, reason=reason.strip()
        )
        if answer.problem is not None:
            manage.complain(answer.problem.message)
            return
        st.session_state[_NEW] = (answer.value, Done("Rotated", f"{answer.value['name']}."))
        st.rerun(scope="fragment")

    opened()


def _secret(made: tuple[dict[str, Any], Done], note: str) -> None:
    key, done = made
    st.html(f'<div class="lab-what">{words.html(note)}</div>')
    st.code(key["key"], language=None, wrap_lines=True)
    facts = {"Name": key["name"], "Tenant": key["tenant"], "Role": key["role"], "Expires": key["expires_at"] or "never"}
    st.html(manage.about(facts))
    if st.button("I have kept it", type="primary", key="key-kept"):
        _forget()
        manage.finish(done)


def _revoke(view: View, key: Mapping[str, Any]) -> None:
    word = manage.word_of(key["name"], key["id"])
    manage.confirm(
        view,
        "Revoke a key",
        [
            f"<b>{words.html(key['name'], 200)}</b> of {words.html(key['tenant'])} ends for good, within a second.",
            "Whoever still uses it is refused (401). Calls under way go to their end.",
            "It cannot be undone; what it spent stays in the figures.",
        ],
        button="Revoke",
        word=word,
        word_label=_word_label(key),
        send=lambda why: view.send("DELETE", f"/api/keys/{key['id']}", reason=why),
        done=lambda answer: Done("Revoked", f"{answer['name']}: whoever uses it is refused from now on."),
    )


def _word_label(key: Mapping[str, Any]) -> str:
    word = manage.word_of(key["name"], key["id"])
    return f"Type {'its name' if word == key['name'] else 'its id'}, {words.markdown(word, 80)}, to confirm"


def _forget() -> None:
    st.session_state.pop(_NEW, None)


def _at(names: list[str], name: str) -> int:
    return names.index(name) if name in names else 0


DIALOGS = {"key-create": _create, "key-rotate": _rotate, "key-revoke": _revoke}
