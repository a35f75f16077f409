"""What the pages of prompts, releases, rollouts and flags are made of beside `components`: labels, templates with their
variables marked, differences line by line, answers as they come in, folders.

Markup of ours, in which every value goes through `words.html`; nothing is said by colour alone. Texts are cut at
`TEXT_CHARS` and say so.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from . import judging, manage, words

TEXT_CHARS = 20_000
_MOST_LINES, _LINE_CHARS, _COMPARED_CHARS = 2_000, 2_000, 400
_MOST_MESSAGES = 100
_VARIABLE = re.compile(r"\{\{[^{}]{1,200}\}\}")
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
MAIN = "production"


class Answered(NamedTuple):
    """An answer, whole or so far. ``figures`` are names with what is shown of them."""

    title: str
    text: str = ""
    note: str = ""
    problem: str = ""
    is_writing: bool = False
    figures: Sequence[tuple[str, str]] = ()


@cache
def _sheet() -> str:
    return Path(__file__).with_name("registry.css").read_text(encoding="utf-8")


def wear() -> None:
    """Put on the style of these pages, of what changes things and of judging; takes no room."""
    manage.put_on()
    judging.wear()
    st.html(f"<style>{_sheet()}</style>")


def chips(names: Iterable[str], *, main: str = MAIN) -> str:
    """Markup of labels."""
    shown = "".join(
        f'<span class="lab-chip{" main" if name == main else ""}">{words.html(name, 40)}</span>' for name in names
    )
    return f'<span class="lab-chips">{shown}</span>' if shown else ""


def folders(items: Sequence[tuple[str, str]]) -> None:
    """Names with where they lead."""
    shown = "".join(f'<a href="{words.html(to, 2000)}" target="_self">{words.html(name)}</a>' for name, to in items)
    st.html(f'<nav class="lab-folders" aria-label="Folders">{shown}</nav>')


def template(text: str) -> str:
    """Markup of a template: variables and what is included are marked."""
    escaped = words.html(text, TEXT_CHARS)

    def marked(found: re.Match[str]) -> str:
        kind = ' class="include"' if found[0].startswith("{{&gt;") else ""
        return f"<mark{kind}>{found[0]}</mark>"

    return _VARIABLE.sub(marked, escaped)


def turns(messages: Sequence[Mapping[str, Any]]) -> None:
    """Messages of a chat, or of what became of a prompt; a placeholder is a hole."""
    shown = "".join(map(_turn, messages[:_MOST_MESSAGES]))
    more = len(messages) - _MOST_MESSAGES
    rest = f'<p class="lab-keys">and {more:,} more</p>' if more > 0 else ""
    st.html(f'<div class="lab-said-by">{shown}{rest}</div>')


def _turn(message: Mapping[str, Any]) -> str:
    if message.get("placeholder"):
        return (
            f'<article class="lab-turn hole"><h3><b>{words.html(message["placeholder"])}</b></h3>'
            "<pre>a list of messages of this name goes here</pre></article>"
        )
    role, content = str(message.get("role") or ""), judging.text_of(message.get("content") or "")
    kind = role if role in ("user", "assistant", "system", "developer") else ""
    return (
        f'<article class="lab-turn {kind}"><h3><b>{words.html(role or "text")}</b>'
        f'<span>{len(content):,} characters</span></h3><pre tabindex="0">{template(content)}</pre></article>'
    )


def diff(unified: str, caption: str) -> None:
    """A unified difference, line by line, with the changed words of a line that was rewritten."""
    lines = unified.splitlines()
    body = [line for line in lines if not line.startswith(("--- ", "+++ "))]
    shown: list[str] = []
    at = 0
    before = after = 1
    while at < len(body) and len(shown) < _MOST_LINES:
        line = body[at]
        hunk = _HUNK.match(line)
        if hunk:
            before, after = int(hunk[1]), int(hunk[2])
            shown.append(_line("jump", "", "", "", f"line {before:,}"))
        elif line.startswith("-"):
            gone = _run(body, at, "-")
            come = _run(body, at + len(gone), "+")
            shown += _rewritten(gone, come, before, after)
            before, after, at = before + len(gone), after + len(come), at + len(gone) + len(come) - 1
        elif line.startswith("+"):
            shown.append(_line("add", "", str(after), "+", words.html(line[1:], _LINE_CHARS)))
            after += 1
        else:
            shown.append(_line("", str(before), str(after), "", words.html(line[1:], _LINE_CHARS)))
            before, after = before + 1, after + 1
        at += 1
    if at < len(body):
        shown.append(_line("jump", "", "", "", f"and {len(body) - at:,} more lines"))
    st.html(
        f'<div class="lab-diff" tabindex="0" role="region" aria-label="{words.html(caption)}">{"".join(shown)}</div>'
    )


def _run(lines: Sequence[str], at: int, sign: str) -> list[str]:
    found = []
    for line in lines[at:]:
        if not line.startswith(sign):
            break
        found.append(line[1:])
    return found


def _rewritten(gone: Sequence[str], come: Sequence[str], before: int, after: int) -> list[str]:
    pairs = [_compared(*pair) for pair in zip(gone, come, strict=False)]
    old = [each[0] for each in pairs] + [words.html(each, _LINE_CHARS) for each in gone[len(pairs) :]]
    new = [each[1] for each in pairs] + [words.html(each, _LINE_CHARS) for each in come[len(pairs) :]]
    return [
        *(_line("gone", str(before + number), "", "\N{MINUS SIGN}", each) for number, each in enumerate(old)),
        *(_line("add", "", str(after + number), "+", each) for number, each in enumerate(new)),
    ]


def _compared(old: str, new: str) -> tuple[str, str]:
    """Both lines' markup, with what differs marked where enough of them is alike."""
    if max(len(old), len(new)) > _COMPARED_CHARS:
        return words.html(old, _LINE_CHARS), words.html(new, _LINE_CHARS)
    first, second = (re.findall(r"\w+|\s+|.", text) for text in (old, new))
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if matcher.ratio() < 0.4:
        return words.html(old, _LINE_CHARS), words.html(new, _LINE_CHARS)
    left, right = "", ""
    for kind, begin, end, start, stop in matcher.get_opcodes():
        was, now = (words.html("".join(part), _LINE_CHARS) for part in (first[begin:end], second[start:stop]))
        left += was if kind == "equal" else f"<del>{was}</del>" if was else ""
        right += now if kind == "equal" else f"<ins>{now}</ins>" if now else ""
    return left, right


def _line(kind: str, before: str, after: str, sign: str, markup: str) -> str:
    return f'<div class="{kind}"><i>{before}</i><i>{after}</i><b>{sign}</b><span>{markup}</span></div>'


def answer(found: Answered) -> str:
    """Markup of an answer: the text as it is, never as markdown."""
    writes = ' class="writes"' if found.is_writing else ""
    shown = f'<pre tabindex="0"{writes}>{words.html(found.text, TEXT_CHARS)}</pre>'
    if found.problem and not found.text:
        shown = ""
    problem = f'<p role="alert">✕ {words.html(found.problem, 600)}</p>' if found.problem else ""
    pairs = "".join(
        f'<div><dt>{words.html(name)}</dt><dd data-figure="{words.html(name)}">{words.html(value)}</dd></div>'
        for name, value in found.figures
    )
    return (
        f'<article class="lab-answer{" bad" if found.problem else ""}"><h3>{words.html(found.title)}'
        f"<small>{words.html(found.note)}</small></h3>{shown}{problem}{f'<dl>{pairs}</dl>' if pairs else ''}</article>"
    )


def shares(parts: Mapping[str, float]) -> str:
    """Markup of a split: widths by weight, names in the tooltip."""
    total = sum(parts.values()) or 1.0
    said = ", ".join(f"{name} {weight / total * 100:g} %" for name, weight in parts.items())
    bars = "".join(f'<i style="width:{weight / total * 100:.2f}%"></i>' for weight in parts.values() if weight)
    return f'<div class="lab-shares" role="img" aria-label="{words.html(said)}" title="{words.html(said)}">{bars}</div>'
