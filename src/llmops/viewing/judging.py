"""What the pages of evals and review are made of beside `components`: intervals, the verdict beside its margin, texts,
scores with their evidence, progress.

Markup of ours, in which every value goes through `words.html`. Texts are cut at `TEXT_CHARS` and say so; the whole is
in the run's folder. Nothing is said by colour alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from . import words
from .components import Mood, tag

TEXT_CHARS = 20_000
_CLAIM_CHARS, _MOST_CLAIMS = 600, 100
_GOOD, _BAD = ("supported", "yes", "useful", "true", "attributed"), ("contradicted", "no", "false", "useless")
_VERDICTS: dict[str, tuple[Mood, str]] = {
    "PASS": ("good", "✓"),
    "BLOCK": ("bad", "✕"),
    "INCONCLUSIVE": ("warn", "?"),
    "ERROR": ("bad", "!"),
}


class Quote(NamedTuple):
    """A text of somebody's. ``kind``: ``in``, ``out``, ``bad`` or ""; ``note`` and ``to`` stand in its head."""

    title: str
    text: str
    kind: str = ""
    note: str = ""
    to: str | None = None
    said: str = ""


class About(NamedTuple):
    name: str
    value: str
    to: str | None = None
    title: str = ""


def wear() -> None:
    """Put on the style of these pages; takes no room."""
    st.html(f"<style>{_sheet()}</style>")


@cache
def _sheet() -> str:
    return Path(__file__).with_name("judging.css").read_text(encoding="utf-8")


def interval(
    mean: float | None,
    low: float | None,
    high: float | None,
    axis: tuple[float, float],
    *,
    reference: float | None = None,
    wide: bool = False,
) -> str:
    """Markup of a figure's interval on an axis; "" for no figure. ``reference`` is a dashed line."""
    if mean is None or axis[1] <= axis[0]:
        return ""
    first, last = (_part(each if each is not None else mean, axis) for each in (low, high))
    line = f'<u style="left:{_part(reference, axis):.2f}%"></u>' if reference is not None else ""
    return (
        f'<span class="lab-ci{" wide" if wide else ""}" aria-hidden="true">{line}'
        f'<i style="left:{first:.2f}%;width:{last - first:.2f}%"></i>'
        f'<b style="left:{_part(mean, axis):.2f}%"></b></span>'
    )


def axis_of(figures: Iterable[Mapping[str, Any]], low: float | None, high: float | None) -> tuple[float, float]:
    """From ``low`` to ``high``, or around these figures where a metric has no bounds."""
    if low is not None and high is not None:
        return low, high
    ends = [each[end] for each in figures for end in ("low", "mean", "high") if each[end] is not None]
    if not ends:
        return 0.0, 1.0
    room = (max(ends) - min(ends)) * 0.08 or abs(max(ends)) * 0.1 or 1.0
    return min(ends) - room, max(ends) + room


def crumbs(steps: Sequence[tuple[str, str | None]]) -> None:
    """The way back: names, each with where it leads; the last is here."""
    shown = " <span>/</span> ".join(
        f'<a href="{words.html(to, 2000)}" target="_self">{words.html(name)}</a>'
        if to
        else f"<em>{words.html(name)}</em>"
        for name, to in steps
    )
    st.html(f'<nav class="lab-crumbs" aria-label="The way back">{shown}</nav>')


def about(items: Iterable[About]) -> None:
    """Names and values in a line."""

    def value(item: About) -> str:
        text = words.html(item.value)
        return f'<a href="{words.html(item.to, 2000)}" target="_self">{text}</a>' if item.to else text

    shown = "".join(
        f"<div><dt>{words.html(item.name)}</dt>"
        f'<dd title="{words.html(item.title or item.value, 400)}">{value(item)}</dd></div>'
        for item in items
    )
    st.html(f'<dl class="lab-about">{shown}</dl>')


def verdict(finding: Mapping[str, Any], shown: Any, note: str = "") -> None:
    """What the rule says, and the gain's interval against the margin; ``shown`` writes a gain."""
    mood, sign = _VERDICTS.get(finding["verdict"], ("warn", "?"))
    drawn = _against_margin(finding, shown)
    plain = "" if drawn else " plain"
    st.html(
        f'<section class="lab-verdict {mood}{plain}" data-verdict="{words.html(finding["verdict"])}" '
        'aria-label="Verdict">'
        f"<div><h3>{sign} {words.html(finding['verdict'])}</h3><p>{words.html(finding['reason'], 600)}</p>"
        f"<small>{words.html(note, 400)}</small></div>{drawn}</section>"
    )


def _against_margin(finding: Mapping[str, Any], shown: Any) -> str:
    estimate, margin = finding["estimate"], finding["margin"]
    if estimate is None:
        return ""
    low, high = finding["lower"], finding["upper"]
    known = [-margin, 0.0, estimate, *(end for end in (low, high) if end is not None)]
    room = (max(known) - min(known) or 1.0) * 0.14
    axis = min(known) - room, max(known) + room
    first = _part(low, axis) if low is not None else 0.0
    last = _part(high, axis) if high is not None else 100.0
    at, edge, zero = (_part(each, axis) for each in (estimate, -margin, 0.0))
    apart = abs(edge - zero) > 14
    said = f"gain {shown(estimate)}, from {shown(low)} to {shown(high)}; tolerable to {shown(-margin)}"
    return (
        f'<div class="lab-margin" role="img" aria-label="{words.html(said, 300)}" title="{words.html(said, 300)}">'
        f'<div class="zone" style="width:{edge:.2f}%"></div><div class="axis"></div>'
        f'<div class="zero" style="left:{zero:.2f}%"></div>'
        f'<div class="range" style="left:{first:.2f}%;width:{max(0.0, last - first):.2f}%"></div>'
        f'<div class="dot" style="left:{at:.2f}%"></div>'
        f'<span class="up value" style="left:{min(max(at, 8), 92):.2f}%">{words.html(shown(estimate))}</span>'
        f'<span class="down" style="left:{max(edge, 8):.2f}%">margin {words.html(shown(-margin))}</span>'
        + (f'<span class="down" style="left:{min(zero, 94):.2f}%">as before</span>' if apart else "")
        + "</div>"
    )


def texts(items: Sequence[Quote], *, two: bool = False) -> None:
    """Texts below each other, or two beside each other where there is room."""
    st.html(f'<div class="lab-texts{" two" if two else ""}">{"".join(map(_quote, items))}</div>')


def _quote(item: Quote) -> str:
    note = f"<span>{words.html(item.note)}</span>" if item.note else ""
    leads = f'<a href="{words.html(item.to, 2000)}" target="_self">{words.html(item.said)}</a>' if item.to else ""
    return (
        f'<article class="lab-quote {words.html(item.kind)}"><h4>{words.html(item.title)}{note}{leads}</h4>'
        f'<pre tabindex="0">{words.html(item.text, TEXT_CHARS)}</pre></article>'
    )


def text_of(value: Any) -> str:
    """Any JSON as a reader wants it: texts as they are, messages with who says them, the rest indented."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, dict) and "role" in each for each in value):
        return "\n\n".join(f"{each['role']}: {text_of(each.get('content'))}" for each in value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def scores(items: Sequence[Mapping[str, Any]], shown: Any) -> None:
    """Scores with what led to them; ``shown`` writes a score's value."""
    st.html(f'<div class="lab-scores">{"".join(_score(item, shown) for item in items)}</div>')


def _score(item: Mapping[str, Any], shown: Any) -> str:
    state = ""
    if item.get("error"):
        state = tag("bad", "scorer failed")
    elif item.get("passed") is not None:
        state = tag("good", "passed") if item["passed"] else tag("bad", "not passed")
    said = [item.get(name) for name in ("label", "explanation", "note")]
    if item.get("error"):
        said.append(f"{item['error'].get('code')}: {item['error'].get('message')}")
    paragraphs = "".join(f"<p>{words.html(each, 2000)}</p>" for each in said if each)
    return (
        f'<article class="lab-score" data-score="{words.html(item["name"])}"><h4>{words.html(item["name"])} {state}'
        f"<b>{words.html(shown(item['name'], item.get('value')))}</b></h4>{paragraphs}{_evidence(item.get('evidence'))}"
        "</article>"
    )


def _evidence(evidence: Any) -> str:
    if evidence in (None, {}, []):
        return ""
    rest = evidence
    listed = ""
    if isinstance(evidence, dict):
        lists = {name: rows for name, rows in evidence.items() if _is_verdicts(rows)}
        listed = "".join(f"<ul>{''.join(map(_claim, rows[:_MOST_CLAIMS]))}</ul>" for rows in lists.values())
        rest = {name: each for name, each in evidence.items() if name not in lists}
    if rest in ({}, []):
        return listed
    raw = words.html(json.dumps(rest, ensure_ascii=False, indent=2), 8000)
    return f"{listed}<details><summary>Evidence</summary><pre>{raw}</pre></details>"


def _is_verdicts(rows: Any) -> bool:
    """Whether it is a list of things that were judged one by one."""
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) and "verdict" in row for row in rows)


def _claim(row: Mapping[str, Any]) -> str:
    given = row["verdict"]
    said = ("supported" if given else "not supported") if isinstance(given, bool | int) else str(given)
    low = said.lower()
    mood: Mood = "good" if low in _GOOD else "bad" if low in _BAD or low.startswith("not ") else "warn"
    text = next(
        (row[name] for name in ("claim", "statement", "text", "sentence", "question", "passage") if row.get(name)), ""
    )
    reason = f"<small>{words.html(row['reason'], _CLAIM_CHARS)}</small>" if row.get("reason") else ""
    return f"<li>{tag(mood, said)}<span>{words.html(text_of(text), _CLAIM_CHARS)}{reason}</span></li>"


def progress(counts: Mapping[str, Any]) -> str:
    """Markup of how far a queue is: done, disputed, open."""
    items = counts["items"]
    done = counts["agreed"] + counts["settled"]
    whole = items or 1
    facts = [("done", done), ("disputed", counts["disputed"]), ("open", counts["open"])]
    facts += [("yours", counts["mine"])] if counts.get("mine") is not None else []
    facts += [("wait for you", counts["waiting"])] if counts.get("waiting") is not None else []
    told = "".join(f'<span><b data-count="{name}">{count:,}</b> {name}</span>' for name, count in facts)
    return (
        f'<div class="lab-progress" role="group" aria-label="Progress"><div class="track">'
        f'<i class="done" style="width:{done / whole * 100:.2f}%"></i>'
        f'<i class="disputed" style="width:{counts["disputed"] / whole * 100:.2f}%"></i></div><p>{told}</p></div>'
    )


def keys(pairs: Iterable[tuple[str, str]]) -> None:
    """Which keys do what."""
    shown = " &ensp; ".join(f"<kbd>{words.html(key)}</kbd> {words.html(what)}" for key, what in pairs)
    st.html(f'<p class="lab-keys">{shown}</p>')


def question(name: str, instructions: str) -> None:
    told = f'<p class="lab-instructions">{words.html(instructions, 4000)}</p>' if instructions else ""
    st.html(f'<p class="lab-question">{words.html(name)}</p>{told}')


def _part(value: float | None, axis: tuple[float, float]) -> float:
    """Where a value stands, in per cent."""
    if value is None:
        return 0.0
    return max(0.0, min(100.0, (value - axis[0]) / (axis[1] - axis[0]) * 100))
