"""The playground: fill in the variables, look at what becomes of the prompt, or run one or two versions of it through
the gateway and watch the answers come in side by side.

A run is a call like any other: made with a key for calls, limited, recorded, paid. Where the gateway asks for keys the
reader's own is for looking (viewer, editor, admin), so one of the role caller is asked for; it is kept in this page's
session and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, manage, registry, words
from ..viewing.view import View
from . import prompts_fields, prompts_run
from .prompts_words import Asked, owner

_KEY = "play-key"
_NONE = "none"


def render(view: View, asked: Asked) -> None:
    options = asked.options(address.read("version"), address.read("second"))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        first = address.select("Version", "version", options, asked.standard, format_func=asked.said, width=280)
        second = address.select(
            "Beside it",
            "second",
            [_NONE, *options],
            _NONE,
            format_func=lambda option: "nothing" if option == _NONE else asked.said(option),
            width=280,
        )
    versions = []
    for option in [first] if second in (_NONE, first) else [first, second]:
        found = view.get("/api/prompts/version", **owner(view), name=asked.name, version=option)
        if found is None:
            return
        versions.append(found)
    key = _key_for_calls(view)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        pressed, given, message, model = _form(view, versions, key)
    with right:
        if pressed == "preview" and given is not None:
            _preview(view, asked, versions, given)
        elif pressed == "run" and given is not None and key is not None and model:
            bodies = [_body(asked, version, given, message, model) for version in versions]
            prompts_run.run(view, key or None, bodies, [f"version {each['number']}" for each in versions])
        elif not prompts_run.last(view, asked.name, [each["number"] for each in versions]):
            components.empty(
                "Nothing has been run yet",
                "Fill in the variables. Preview shows what becomes of the prompt and costs nothing; "
                "Run asks the model.",
            )


def _form(
    view: View, versions: Sequence[Mapping[str, Any]], key: str | None
) -> tuple[str, dict[str, Any] | None, str, str]:
    """What was pressed, the values (None: they are wrong), the user's message, the model."""
    models = _models(view, key)
    with st.form("play", border=False):
        typed = prompts_fields.fields(versions)
        if any(each["engine"] != "plain" and not prompts_fields.variables_of(each) for each in versions):
            typed["*"] = ("object", st.text_area("Variables, as JSON", key="play-json", height=100))
        message = st.text_area(
            "The user says", key="play-message", height=80, max_chars=20_000,
            placeholder="behind the prompt's own messages; may be empty",
        )  # fmt: skip
        model = ""
        if models:
            config = versions[0]["config"].get("model")
            at = models.index(config) if config in models else 0
            model = st.selectbox("Model", models, index=at, key="play-model", format_func=words.plain)
        with st.container(horizontal=True, gap="small"):
            run = st.form_submit_button(
                "Run", type="primary", icon=":material/play_arrow:", key="play-run", disabled=not models
            )
            preview = st.form_submit_button("Preview", icon=":material/visibility:", key="play-preview")
    pressed = "run" if run else "preview" if preview else ""
    given = prompts_fields.values(typed) if pressed else None
    if given is not None and "*" in given:
        given = {**given.pop("*"), **given}
    return pressed, given, message, model


def _key_for_calls(view: View) -> str | None:
    """ "" where none is needed, None where there is none yet."""
    if view.feed.kind != "gateway":
        st.html('<p class="lab-keys">The gateway is not running, so nothing can be run now.</p>')
        return None
    if not view.reader.needs_key:
        return ""
    st.html(
        f'<p class="lab-keys">You look with a key of the role {words.html(view.reader.role)}, which makes no calls. To '
        "run a prompt give a key of the role caller: the calls are its own, and it is kept until you close this "
        "page.</p>"
    )
    given = st.text_input(
        "Key for calls", type="password", key=_KEY, max_chars=4000, width=380, label_visibility="collapsed",
        placeholder="Key for calls: sk-…", autocomplete="off",
    )  # fmt: skip
    return given.strip() or None


def _models(view: View, key: str | None) -> list[str]:
    """What this key may ask for."""
    if key is None:
        return []
    found = view.feed.gateway.ask("/v1/models", key=key or None)
    if found.problem is not None:
        manage.complain(found.problem.message)
        return []
    return [each["id"] for each in found.value["data"] if "*" not in each["id"]]


def _body(
    asked: Asked, version: Mapping[str, Any], given: Mapping[str, Any], message: str, model: str
) -> dict[str, Any]:
    variables = prompts_fields.of_version(given, version)
    return {
        "model": model,
        "prompt": {"name": asked.name, "version": version["number"], "variables": variables},
        "messages": [{"role": "user", "content": message}] if message.strip() else [],
    }


def _preview(view: View, asked: Asked, versions: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> None:
    prompts_run.forget()
    for version, column in zip(versions, st.columns(len(versions), gap="small"), strict=True):
        body = {
            "name": asked.name,
            "version": version["number"],
            "variables": prompts_fields.of_version(given, version),
        }
        with column:
            components.heading(f"Version {version['number']}", "what the model would be asked")
            answer = view.send("POST", "/api/prompts/render", body, **owner(view))
            if answer.problem is not None:
                manage.complain(answer.problem.message)
                continue
            found = answer.value
            registry.turns([{"role": "", "content": found["text"]}] if found["text"] is not None else found["messages"])
