"""What one version says: its text or messages, its variables, its defaults for a call; and what people say of it."""

from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, manage, registry, words
from ..viewing.components import Cell
from ..viewing.judging import About
from ..viewing.manage import Done
from ..viewing.view import View
from .prompts_words import Asked, may_change, owner, when, whose


def render(view: View, asked: Asked) -> None:
    wanted = address.read("version")
    options = asked.options(wanted)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        option = address.select(
            "Version", "version", options, asked.standard, format_func=asked.said, width=300,
            label_visibility="collapsed",
        )  # fmt: skip
    found = view.get("/api/prompts/version", **owner(view), name=asked.name, version=option)
    if found is None:
        return
    _facts(view, found)
    if found["kind"] == "chat":
        registry.turns(found["messages"])
    else:
        registry.turns([{"role": "", "content": found["text"]}])
    if found["variables"]:
        _variables(found["variables"])
    if found["config"] or found["resolved"]:
        _rest(found)
    view.live(lambda: _comments(view, asked, found["number"]))


def _facts(view: View, found: dict[str, Any]) -> None:
    made = when(view, found["created_at_ms"])
    items = [
        About("version", str(found["number"])),
        About("made", made.text, title=made.title),
        About("by", words.plain(found["author"], 60)),
        About("engine", found["engine"]),
        About("digest", found["digest"][:12], title=found["digest"]),
    ]
    if found["labels"]:
        items.append(About("labels", ", ".join(found["labels"])))
    if found["comment"]:
        items.append(About("why", words.plain(found["comment"], 200), title=found["comment"]))
    items += [About("includes", f"{name} as {pin}") for name, pin in list(found["pins"].items())[:8]]
    judging.about(items)


def _variables(variables: dict[str, dict[str, Any]]) -> None:
    components.heading("Variables", "checked at every call")
    rows: list[list[Cell | str]] = []
    for name, each in list(variables.items())[:200]:
        bounds = []
        if each.get("enum") is not None:
            bounds.append("one of " + ", ".join(str(value) for value in each["enum"]))
        if each.get("max_length") is not None:
            bounds.append(f"at most {each['max_length']:,} characters")
        default = each.get("default")
        needed = each.get("required", True) and default is None
        rows.append(
            [
                Cell(words.plain(name, 60), title=name),
                each.get("type", "any"),
                "needed" if needed else "optional",
                Cell(figures.NOTHING if default is None else words.plain(judging.text_of(default), 60)),
                Cell(words.plain("; ".join(bounds), 80), title="; ".join(bounds)),
                Cell(words.plain(each.get("description") or "", 80), title=each.get("description") or ""),
            ]
        )
    components.table(["variable", "type", "", "default", "bounds", "what it is"], rows, caption="Variables")


def _rest(found: dict[str, Any]) -> None:
    quotes = []
    if found["config"]:
        quotes.append(judging.Quote("defaults of the call, and what else it says", judging.text_of(found["config"])))
    if found["resolved"]:
        resolved = found["resolved"]
        texts = resolved.get("text") or judging.text_of(resolved.get("messages") or [])
        quotes.append(judging.Quote("with what it includes", texts))
    judging.texts(quotes, two=len(quotes) > 1)


def _comments(view: View, asked: Asked, number: int) -> None:
    components.heading("Comments", f"on version {number}")
    found = view.get("/api/prompts/comments", **owner(view), name=asked.name, version=number)
    if found is None:
        return
    if found["comments"]:
        shown = "".join(_comment(view, each) for each in found["comments"])
        st.html(f'<div class="lab-words" data-comments="{len(found["comments"])}">{shown}</div>')
    else:
        st.html('<p class="lab-keys">Nobody has said anything of this version.</p>')
    if may_change(view, asked) and st.button("Comment", icon=":material/add_comment:", key="prompt-comment"):
        manage.ask("prompt-comment", (asked, number))


def _comment(view: View, each: dict[str, Any]) -> str:
    at = when(view, each["at_ms"])
    return (
        f'<article class="lab-word"><p>{words.html(each["text"], 2000)}</p><div class="by">'
        f"<b>{words.html(each['author'], 60)}</b><span>{words.html(at.text)}</span></div></article>"
    )


def _say(view: View, about: tuple[Asked, int]) -> None:
    asked, number = about

    @st.dialog("Comment on a version")
    def opened() -> None:
        st.html(f'<div class="lab-what"><b>{words.html(asked.name)}</b>, version {number}</div>')
        with st.form("prompt-say", border=False):
            text = st.text_area("What you say of it", key="prompt-said", max_chars=2000, height=140)
            go, back = manage.buttons("Comment")
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if not text.strip():
            manage.complain("Say something, or cancel.")
            return
        body = {"name": asked.name, "version": number, "text": text.strip()}
        answer = view.send("POST", "/api/prompts/comments", body, **whose(view, asked))
        if answer.problem is not None:
            manage.complain(answer.problem.message)
            return
        manage.finish(Done("Said it", f"of {asked.name}, version {number}."))

    opened()


DIALOGS = {"prompt-comment": _say}
