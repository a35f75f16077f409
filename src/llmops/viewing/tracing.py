"""What pages of traces are made of beside `components`: facts, chips, the field of dots, messages, attributes.

Markup of ours, in which every value goes through `words.html`. Long texts stand folded in a ``<details>``; what is
longer still is cut, and says so: the whole is in the trace's JSON.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st

from . import words

Role = Literal["system", "user", "assistant", "tool", "other"]
_FIRST_CHARS, _MOST_CHARS = 700, 20_000
_VALUE_CHARS = 160
_MOST_ENTRIES = 200
_MANY = 3
_WORDS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool", "other": "Said"}


class Fact(NamedTuple):
    """A figure of one thing. ``name`` is what tests find it by."""

    name: str
    label: str
    value: str
    exact: str = ""
    note: str = ""
    is_bad: bool = False


class Chip(NamedTuple):
    """A small link; ``sign`` at its end says what it does, such as ✕ or →."""

    label: str
    value: str
    to: str | None
    sign: str = "→"


class Dot(NamedTuple):
    """A point of the field, which leads to ``to``."""

    at_s: float
    value: float
    to: str
    title: str
    is_bad: bool = False


class Said(NamedTuple):
    role: str
    text: str


def wear() -> None:
    """Put on the style of these pages; takes no room."""
    st.html(f"<style>{_sheet()}</style>")


def facts(items: Iterable[Fact]) -> None:
    st.html(f'<div class="lab-facts">{"".join(map(_fact, items))}</div>')


def chips(items: Iterable[Chip], what: str, *, wide: bool = False) -> None:
    """Links side by side; ``what`` they are together, for who does not see them."""
    shown = "".join(map(_chip, items))
    st.html(f'<nav class="lab-chips{" wide" if wide else ""}" aria-label="{words.html(what)}">{shown}</nav>')


def dots(
    items: Sequence[Dot], what: str, said: Callable[[float], str], when: Callable[[float], str], *, about: str
) -> None:
    """Values over time, the values on a scale of powers of ten."""
    if not items:
        return
    first, last = min(each.at_s for each in items), max(each.at_s for each in items)
    low = math.log10(max(min(each.value for each in items), 1e-3)) - 0.12
    high = math.log10(max(max(each.value for each in items), 1e-3)) + 0.12
    marks = [power for power in range(math.ceil(low), math.floor(high) + 1)]
    lines = "".join(
        f'<span class="y" style="bottom:{_part(power, low, high):.2f}%">{words.html(said(10.0**power))}</span>'
        for power in marks[:: max(1, len(marks) // 4)]
    )
    drawn = "".join(
        f'<a class="{"bad" if each.is_bad else ""}" href="{words.html(each.to, 2000)}" target="_self" '
        f'title="{words.html(each.title, 300)}" aria-label="{words.html(each.title, 300)}" '
        f'style="left:{_part(each.at_s, first, last):.2f}%;'
        f'bottom:{_part(math.log10(max(each.value, 1e-3)), low, high):.2f}%"></a>'
        for each in items
    )
    ends = f'<span class="x first" style="left:0">{words.html(when(first))}</span>'
    if last > first:
        ends += f'<span class="x last" style="left:100%">{words.html(when(last))}</span>'
    st.html(
        f'<div class="lab-dots" role="group" aria-label="{words.html(what)}" title="{words.html(about)}">'
        f'<div class="field">{lines}{drawn}{ends}</div></div>'
    )


def messages(items: Sequence[Said], last: int = 2) -> None:
    """What was said, a block each; all but the ``last`` ones folded, where there are many."""
    earlier = len(items) - last
    if earlier < _MANY:
        st.html(says(items))
        return
    st.html(
        f'<details class="lab-earlier"><summary>{earlier:,} earlier messages</summary>{says(items[:earlier])}</details>'
        f"{says(items[earlier:])}"
    )


def says(items: Iterable[Said]) -> str:
    """The same as markup, to be part of some."""
    return f'<div class="lab-says">{"".join(map(_say, items))}</div>'


def folded(groups: Mapping[str, Mapping[str, Any]], opened: str = "") -> None:
    """Groups of names and values, each folded but the one ``opened``; empty ones are left out."""
    shown = "".join(
        f"<details{' open' if name == opened else ''}><summary>{words.html(name)} <i>{len(pairs):,}</i></summary>"
        f"{_pairs(pairs)}</details>"
        for name, pairs in groups.items()
        if pairs
    )
    if shown:
        st.html(f'<div class="lab-attributes">{shown}</div>')


def text(value: str, first_chars: int = _FIRST_CHARS) -> str:
    """Markup of a text: its beginning, and all of it where the reader asks for it."""
    if len(value) <= first_chars:
        return f'<div class="lab-text">{words.html(value, first_chars)}</div>'
    return (
        f'<div class="lab-text">{words.html(value[:first_chars], first_chars)}…</div>'
        f"<details><summary>Show all {len(value):,} characters</summary>"
        f'<div class="lab-text">{words.html(value, _MOST_CHARS)}</div></details>'
    )


def _fact(item: Fact) -> str:
    return (
        f'<div class="lab-fact{" bad" if item.is_bad else ""}" data-figure="{words.html(item.name)}" '
        f'data-exact="{words.html(item.exact)}" title="{words.html(item.exact)}"><span>{words.html(item.label)}</span>'
        f"<b>{words.html(item.value)}</b><small>{words.html(item.note)}</small></div>"
    )


def _chip(item: Chip) -> str:
    inner = f"<i>{words.html(item.label)}</i><em>{words.html(item.value, 140)}</em>"
    if item.to is None:
        return f"<span>{inner}</span>"
    return (
        f'<a href="{words.html(item.to, 2000)}" target="_self" title="{words.html(item.value, 300)}">'
        f"{inner}<b>{words.html(item.sign)}</b></a>"
    )


def _say(item: Said) -> str:
    role = item.role if item.role in _WORDS else "other"
    return f'<div class="lab-say {role}"><h4>{_WORDS[role]}</h4>{text(item.text)}</div>'


def _pairs(pairs: Mapping[str, Any]) -> str:
    shown = list(pairs.items())[:_MOST_ENTRIES]
    rows = "".join(f"<dt>{words.html(name)}</dt><dd>{text(_said(value), _VALUE_CHARS)}</dd>" for name, value in shown)
    more = len(pairs) - len(shown)
    left = f'<p class="lab-quiet">and {more:,} more, in the JSON</p>' if more else ""
    return f"<dl>{rows}</dl>{left}"


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _part(value: float, first: float, last: float) -> float:
    return (value - first) / (last - first) * 100 if last > first else 50.0


@cache
def _sheet() -> str:
    return Path(__file__).with_name("tracing.css").read_text(encoding="utf-8")
