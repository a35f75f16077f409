"""Bars that stand for a share of something (budgets, objectives), small facts, and crumbs back to what is wider.

As in `components`, every value that is not a constant of this package goes through `words.html`. A state is a sign, a
word and a colour; a bar that is overdrawn is hatched as well.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from . import words
from .components import Mood, tag

_THEN, _OFF = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", "\N{MULTIPLICATION SIGN}"


class Gauge(NamedTuple):
    """A bullet chart: ``share`` of the whole is filled, a ``mark`` stands where it should be by now."""

    name: str
    of: str
    amount: str
    beside: str
    share: float
    mood: Mood
    state: str
    mark: float | None = None
    left: str = ""
    right: str = ""
    steps: Sequence["Step"] = ()


class Step(NamedTuple):
    """A burn rate of one window."""

    label: str
    text: str
    title: str
    mood: Mood = "neutral"


class Fact(NamedTuple):
    """A present figure; ``name`` is what tests find it by."""

    name: str
    label: str
    value: str
    note: str = ""
    mood: Mood = "neutral"
    title: str = ""


class Crumb(NamedTuple):
    """``to``: the page without what stands behind it; ``off``: without itself."""

    kind: str
    value: str
    to: str
    off: str = ""


@cache
def _sheet() -> str:
    return Path(__file__).with_name("gauges.css").read_text(encoding="utf-8")


def put_on() -> None:
    """Dress the page; once, before anything of this file."""
    st.html(f"<style>{_sheet()}</style>")


def gauges(items: Iterable[Gauge], label: str) -> None:
    """Side by side, as many as there is room for."""
    st.html(f'<div class="lab-gauges" role="list" aria-label="{words.html(label)}">{"".join(map(_gauge, items))}</div>')


def facts(items: Iterable[Fact]) -> None:
    st.html(f'<div class="lab-facts">{"".join(map(_fact, items))}</div>')


def crumbs(items: Sequence[Crumb], first: str, first_to: str) -> None:
    """The way from everything to what is shown; each crumb leads back to itself, its cross takes it out."""
    parts = [f'<a href="{words.html(first_to, 2000)}" target="_self">{words.html(first)}</a>']
    for item in items:
        value = f'<span class="kind">{words.html(item.kind)}</span><b>{words.html(item.value, 60)}</b>'
        parts.append(
            f'<span aria-hidden="true">{_THEN}</span><a href="{words.html(item.to, 2000)}" target="_self">{value}</a>'
            f'<a class="off" href="{words.html(item.off, 2000)}" target="_self" '
            f'aria-label="no longer narrowed to {words.html(item.kind)} {words.html(item.value, 60)}">{_OFF}</a>'
        )
    st.html(f'<nav class="lab-crumbs" aria-label="Narrowed to">{"".join(parts)}</nav>')


def _gauge(item: Gauge) -> str:
    filled = max(0.0, min(1.0, item.share)) * 100
    mark = "" if item.mark is None else f'<s style="left:{max(0.0, min(1.0, item.mark)) * 100:.1f}%"></s>'
    steps = f'<div class="lab-burn">{"".join(map(_step, item.steps))}</div>' if item.steps else ""
    said = words.html(f"{item.name}: {item.amount} {item.beside}, {item.state}")
    return (
        f'<div class="lab-gauge" role="listitem" data-gauge="{words.html(item.name)}" title="{said}">'
        f'<div class="top"><span class="name">{words.html(item.name)}</span>{tag(item.mood, item.state)}</div>'
        f'<div class="of">{words.html(item.of)}</div>'
        f'<div class="amount">{words.html(item.amount)} <span>{words.html(item.beside)}</span></div>'
        f'<div class="lab-bullet {item.mood}" role="img" aria-label="{said}">'
        f'<i style="width:{filled:.1f}%"></i>{mark}</div>'
        f'<div class="foot"><span>{words.html(item.left)}</span><span>{words.html(item.right)}</span></div>'
        f"{steps}</div>"
    )


def _step(item: Step) -> str:
    return (
        f'<div title="{words.html(item.title, 300)}"><b class="{item.mood}">{words.html(item.text)}</b>'
        f"{words.html(item.label)}</div>"
    )


def _fact(item: Fact) -> str:
    return (
        f'<div class="lab-fact {item.mood}" data-fact="{words.html(item.name)}" title="{words.html(item.title, 300)}">'
        f'<div class="lab-label">{words.html(item.label)}</div><b>{words.html(item.value)}</b>'
        f'<div class="lab-note">{words.html(item.note)}</div></div>'
    )
