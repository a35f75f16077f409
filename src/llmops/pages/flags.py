"""Flags: who gets which variant, by which rules and shares; switching them and changing shares, by dialog.

Everything is asked from ``/api/flags``. A change names the revision that the reader saw, so that of two who change one
flag the second is told.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, judging, manage, registry, words
from ..viewing.view import View
from . import flags_actions
from .releases_words import may_change, owner_of, when

_MOST_RULES, _PAGE = 12, 50
Stored = Mapping[str, Any]


def render(view: View) -> None:
    registry.wear()
    view.title("Flags", "values that are given out by rules and by sticky chance, changed without a deploy")
    manage.said(view)
    search = address.text(
        "Search", "search", placeholder="Search in keys", label_visibility="collapsed", width=320, autocomplete="off"
    )
    view.live(lambda: _flags(view, search))
    manage.dialogs(view, flags_actions.DIALOGS)


def _flags(view: View, search: str) -> None:
    found = view.get("/api/flags", **({"tenant": view.tenant} if view.tenant else {}))
    if found is None:
        return
    if not found:
        components.empty(
            "There are no flags yet",
            "A flag gives each caller one of several values, and is changed while everything runs:",
            'llmops flags set new-search --percent 10 --reason "try it"',
        )
        return
    wanted = [each for each in found if search.lower() in each["key"].lower()]
    if not wanted:
        components.empty("No flag is like that", "Take the search off.")
    first = int(address.read("at", "0", valid=lambda given: given.isdecimal() and len(given) < 6))
    for stored in wanted[first : first + _PAGE]:
        _flag(view, stored)
    if first or len(wanted) > first + _PAGE:
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Earlier", disabled=not first, on_click=address.write, args=("at", str(max(0, first - _PAGE)), "0")
            )
            st.button("Later", disabled=first + _PAGE >= len(wanted), on_click=address.write,
                      args=("at", str(first + _PAGE)))  # fmt: skip


def _flag(view: View, stored: Stored) -> None:
    flag = stored["flag"]
    enabled = flag.get("enabled", True)
    actions = []
    if may_change(view, stored["tenant"]):
        actions = [("flag-switch", "Switch off" if enabled else "Switch on")]
        if len(flag["variants"]) > 1:
            actions.append(("flag-split", "Shares"))
    key = f"{stored['tenant'] or ''}-{stored['key']}"
    pressed = manage.row(key, _markup(view, stored, enabled), actions)
    if pressed:
        manage.ask(pressed, stored)


def _markup(view: View, stored: Stored, enabled: bool) -> str:
    flag, at = stored["flag"], when(view, stored["changed_at"])
    state = components.tag("good", "on") if enabled else components.tag("warn", "off: the default for everybody")
    shown = [
        f'<div class="name">{words.html(stored["key"], 100)}{state}'
        f'<span class="lab-chip quiet">{words.html(flag.get("kind", "boolean"))}</span>'
        f'<span class="lab-chip quiet">{words.html(owner_of(stored["tenant"]), 40)}</span></div>'
    ]
    if flag.get("description"):
        shown.append(f'<div class="what">{words.html(flag["description"], 300)}</div>')
    rules = flag.get("rules", [])
    if rules:
        listed = "".join(f"<li>{_rule(each)}</li>" for each in rules[:_MOST_RULES])
        more = f"<li>and {len(rules) - _MOST_RULES} more</li>" if len(rules) > _MOST_RULES else ""
        shown.append(f"<ol>{listed}{more}</ol>")
    split = flag.get("split")
    if split:
        by = flag.get("by", "targetingKey")
        shown.append(
            f'<div class="what">{"everybody else" if rules else "everybody"}: {_said(split)}, '
            f"shared out by {words.html(by, 60)}</div>{registry.shares(split)}"
        )
    else:
        shown.append(
            f'<div class="what">{"everybody else" if rules else "everybody"}: {words.html(flag["default"])}</div>'
        )
    variants = ", ".join(f"{name} = {judging.text_of(value)}" for name, value in flag["variants"].items())
    shown.append(
        f'<div class="what" title="{words.html(variants, 400)}">{words.html(variants, 160)} · revision '
        f"{stored['revision']}, {words.html(at.text)}, by {words.html(stored['changed_by'], 60)}</div>"
    )
    return f'<div class="lab-flag" data-flag="{words.html(stored["key"])}">{"".join(shown)}</div>'


def _rule(rule: Mapping[str, Any]) -> str:
    given = words.html(rule["serve"]) if rule.get("serve") is not None else _said(rule["split"])
    name = f"<b>{words.html(rule['name'], 60)}</b>: " if rule.get("name") else ""
    return f"{name}<code>{words.html(said(rule['when']), 300)}</code> → {given}"


def _said(split: Mapping[str, float]) -> str:
    total = sum(split.values()) or 1
    return ", ".join(f"{words.html(name)} {weight / total * 100:.3g} %" for name, weight in split.items())


def said(condition: Any) -> str:
    """A condition in one line; foreign text as it is."""
    if not isinstance(condition, dict):
        return str(condition)
    for kind, between in (("all", " and "), ("any", " or ")):
        if isinstance(condition.get(kind), list):
            return between.join(_in_brackets(each) for each in condition[kind])
    if "not" in condition:
        return f"not {_in_brackets(condition['not'])}"
    rest = [(name, value) for name, value in condition.items() if name != "attribute"]
    name, value = rest[0] if rest else ("", "")
    return f"{condition.get('attribute')} {name.replace('_', ' ')} {judging.text_of(value).replace(chr(10), ' ')}"


def _in_brackets(condition: Any) -> str:
    shown = said(condition)
    return f"({shown})" if isinstance(condition, dict) and {"all", "any"} & condition.keys() else shown
