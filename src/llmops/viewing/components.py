"""What pages are made of beside Streamlit's widgets: cards, tables, the strip of troubles, empty states.

They return or write markup of ours. Every value that is not a constant of this package goes through `words.html`,
also numbers: it costs nothing, and leaves nothing to think about.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import quote, urlencode

import streamlit as st

from . import words
from .change import Change

Mood = Literal["good", "bad", "warn", "neutral"]
_SIGNS: dict[str, str] = {"good": "✓", "bad": "✕", "warn": "!", "neutral": "·"}
_WIDE, _HIGH = 120, 32
FIRST_PAGE = "overview"
"""It stands at ``/``."""


class Card(NamedTuple):
    """A figure. ``exact`` is its tooltip, ``values`` its course over the window, ``name`` what tests find it by."""

    name: str
    label: str
    value: str
    exact: str = ""
    change: Change | None = None
    note: str = ""
    values: Sequence[float | None] = ()


class Cell(NamedTuple):
    """A cell of a table. ``share`` of the largest draws a bar, ``to`` leads to an address of ours; ``beside`` is markup
    of ours that follows the text."""

    text: str
    to: str | None = None
    title: str = ""
    mood: Mood = "neutral"
    share: float | None = None
    beside: str = ""


class Trouble(NamedTuple):
    """An item of the strip. ``what`` may be foreign text."""

    mood: Mood
    title: str
    what: str = ""
    to: str | None = None


def link(page: str, **params: object) -> str:
    """The address of a page: ``link("traces", trace="…")``. Nothing else leads anywhere."""
    given = {name: str(value) for name, value in params.items() if value not in (None, "")}
    return f"/{quote(page) if page != FIRST_PAGE else ''}" + (f"?{urlencode(given)}" if given else "")


def heading(title: str, note: str = "") -> None:
    """Above a chart or a table."""
    st.html(f'<div class="lab-section"><h2>{words.html(title)}</h2><span>{words.html(note)}</span></div>')


def cards(items: Iterable[Card]) -> None:
    """Figures side by side, as many as there is room for."""
    st.html(f'<div class="lab-cards">{"".join(map(_card, items))}</div>')


def table(
    columns: Sequence[str], rows: Sequence[Sequence["Cell | str"]], *, numbers: Iterable[str] = (), caption: str = ""
) -> None:
    """A table of text. ``numbers`` are the columns that stand to the right; what is foreign needs no care here."""
    right = {number for number, column in enumerate(columns) if column in set(numbers)}
    head = "".join(
        f'<th scope="col"{_right(number in right)}>{words.html(name)}</th>' for number, name in enumerate(columns)
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, number in right) for number, cell in enumerate(row))}</tr>" for row in rows
    )
    st.html(
        f'<div class="lab-table" tabindex="0" role="region" aria-label="{words.html(caption or "table")}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def strip(items: Sequence[Trouble], fine: str) -> None:
    """What is wrong now, worst first; ``fine`` where nothing is."""
    order = {"bad": 0, "warn": 1, "neutral": 2, "good": 3}
    found = sorted(items, key=lambda item: order[item.mood]) or [Trouble("good", fine)]
    st.html(f'<div class="lab-strip" role="status">{"".join(map(_trouble, found))}</div>')


def tag(mood: Mood, text: str) -> str:
    """Markup of a state: its sign, its colour and its name."""
    return f'<span class="lab-tag {mood}">{_SIGNS[mood]} {words.html(text)}</span>'


def empty(title: str, what_next: str = "", command: str = "", *, bad: bool = False) -> None:
    """Where there is nothing: why, and what to do about it."""
    code = f"<br><code>{words.html(command, 600)}</code>" if command else ""
    st.html(
        f'<div class="lab-empty{" bad" if bad else ""}" role="note"><b>{words.html(title, 200)}</b>'
        f"{words.html(what_next, 400)}{code}</div>"
    )


def properties(pairs: Mapping[str, object]) -> None:
    """Names and values, one pair a line; values may be anybody's."""
    rows: list[list[Cell | str]] = [[name, Cell(str(value), title=str(value))] for name, value in pairs.items()]
    table(["", ""], rows)


def sparkline(values: Sequence[float | None]) -> str:
    """A course as a drawing; nothing where there are fewer than two values. Gaps stay gaps.

    It is the mask of a coloured box: Streamlit lets no drawing through, and so it has the colours of either mode.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return '<div class="lab-spark"></div>'
    low, high = min(0.0, *known), max(known)
    span, step = (high - low) or 1.0, _WIDE / (len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((number * step, _HIGH - 1 - (value - low) / span * (_HIGH - 2)))
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none">'
        f"{''.join(_path(run) for run in runs if run)}</svg>"
    )
    return f"""<div class="lab-spark" style="--lab-course:url('data:image/svg+xml,{quote(drawn)}')"></div>"""


def _path(run: Sequence[tuple[float, float]]) -> str:
    points = " L".join(f"{x:.1f} {y:.1f}" for x, y in run)
    if len(run) == 1:
        points += f" L{run[0][0] + 1.6:.1f} {run[0][1]:.1f}"
    first, last = run[0][0], run[-1][0]
    return (
        f'<path d="M{points} L{last:.1f} {_HIGH} L{first:.1f} {_HIGH} Z" opacity=".16"/>'
        f'<path d="M{points}" fill="none" stroke="#000" stroke-width="1.7" stroke-linejoin="round" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _card(card: Card) -> str:
    change = card.change
    shown = (
        f'<span class="lab-change {change.mood}">{words.html(change.text)}</span> ' if change and change.text else ""
    )
    shown += "· " if shown and card.note else ""
    return (
        f'<div class="lab-card" data-figure="{words.html(card.name)}" data-exact="{words.html(card.exact)}" '
        f'title="{words.html(card.exact)}"><div class="lab-label">{words.html(card.label)}</div>'
        f'<div class="lab-value">{words.html(card.value)}</div>'
        f'<div class="lab-note">{shown}{words.html(card.note)}</div>{sparkline(card.values)}</div>'
    )


def _cell(cell: Cell | str, right: bool) -> str:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    text = words.html(cell.text)
    if cell.mood != "neutral":
        text = tag(cell.mood, cell.text)
    if cell.to is not None:
        text = f'<a href="{words.html(cell.to, 1000)}" target="_self">{text}</a>'
    if cell.share is not None:
        text = f'<span class="bar" style="width:{max(0.0, min(1.0, cell.share)) * 3:.2f}rem"></span>{text}'
    title = f' title="{words.html(cell.title, 400)}"' if cell.title else ""
    return f"<td{_right(right)}{title}>{text}{cell.beside}</td>"


def _right(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _trouble(item: Trouble) -> str:
    what = f'<span class="what">{words.html(item.what)}</span>' if item.what else ""
    inner = f'<span class="lab-sign">{_SIGNS[item.mood]}</span><b>{words.html(item.title)}</b>{what}'
    if item.to is None:
        return f'<div class="item {item.mood}">{inner}</div>'
    return f'<a class="item {item.mood}" href="{words.html(item.to, 1000)}" target="_self">{inner}</a>'
