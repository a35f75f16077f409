"""Fields for a prompt's variables: one of the right kind for each, with its default; what was typed as values.

Values are the reader's own and stay in this page's session. What cannot be read as JSON is a complaint, not a guess.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from ..viewing import judging, manage, words

_NAME = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_MOST = 40
_MOST_CHARS = 20_000
Version = Mapping[str, Any]


def variables_of(version: Version) -> dict[str, dict[str, Any]]:
    """Those that a version declares, or else those that a plain one uses; and its placeholders."""
    content = version["resolved"] or version
    found: dict[str, dict[str, Any]] = dict(content.get("variables") or version["variables"])
    messages = content.get("messages") or version.get("messages") or []
    if not found and version["engine"] == "plain":
        texts = [content.get("text") or version.get("text") or "", *(each.get("content") or "" for each in messages)]
        found = {name: {} for text in texts for name in _NAME.findall(text)}
    for each in messages:
        if each.get("placeholder"):
            found[each["placeholder"]] = {"type": "list", "required": False}
    return found


def fields(versions: Iterable[Version]) -> dict[str, tuple[str, Any]]:
    """Draw a field for each variable of these versions; type and what was typed, by name."""
    declared: dict[str, dict[str, Any]] = {}
    for version in versions:
        for name, each in variables_of(version).items():
            declared.setdefault(name, each)
    found: dict[str, tuple[str, Any]] = {}
    for name, each in list(declared.items())[:_MOST]:
        found[name] = (each.get("type", "any"), _field(name, each))
    if len(declared) > _MOST:
        st.caption(f"{len(declared) - _MOST} more variables have no field here; they keep their defaults.")
    return found


def _field(name: str, declared: Mapping[str, Any]) -> Any:
    label, default, kind = words.markdown(name, 60), declared.get("default"), declared.get("type", "any")
    key, about = f"play-var-{name}", declared.get("description")
    more: dict[str, Any] = {"key": key, "help": words.markdown(about, 300) if about else None}
    if declared.get("enum"):
        options = [judging.text_of(each) for each in declared["enum"]]
        at = options.index(judging.text_of(default)) if default in declared["enum"] else 0
        return declared["enum"][options.index(st.selectbox(label, options, index=at, format_func=words.plain, **more))]
    if kind == "boolean":
        return st.toggle(label, value=bool(default), **more)
    if kind in ("integer", "number"):
        step = 1 if kind == "integer" else None
        value = None if default is None else int(default) if kind == "integer" else float(default)
        return st.number_input(label, value=value, step=step, **more)
    text = "" if default is None else judging.text_of(default)
    hint = "" if len(text) <= _MOST_CHARS else f"its default has {len(text):,} characters"
    if kind in ("list", "object"):
        hint = hint or ("[] as JSON" if kind == "list" else "{} as JSON")
    shown = "" if len(text) > _MOST_CHARS else text
    return st.text_area(label, value=shown, height=68, placeholder=hint, max_chars=_MOST_CHARS, **more)


def values(typed: Mapping[str, tuple[str, Any]]) -> dict[str, Any] | None:
    """What was typed, without what was left empty; None after a complaint."""
    found: dict[str, Any] = {}
    for name, (kind, value) in typed.items():
        if value is None or value == "":
            continue
        if kind in ("list", "object"):
            try:
                value = json.loads(value)
            except ValueError as exc:
                manage.complain(f"{name}: is no JSON: {exc}")
                return None
        found[name] = value
    return found


def of_version(given: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """The values that this version knows; a template whose variables nobody knows gets them all."""
    known = variables_of(version)
    if not known and version["engine"] != "plain":
        return dict(given)
    return {name: value for name, value in given.items() if name in known}
