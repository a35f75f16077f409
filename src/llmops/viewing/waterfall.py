"""The drawing of a trace: its spans as a tree with bars along the time, or as flames, one of them picked.

A component of ours, inline: the browser gets numbers and names as data and puts every text in as text. What is on the
page is drawn whole, so whoever calls sends a page of spans and no more; collapsing needs no server. Colours are by
kind of step, beside its word, and errors, marks and the critical path have signs of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st

from . import words
from .palette import Palette

Shape = Literal["waterfall", "flame"]
ROW_PX = 28
_AXIS_PX = 30
_MOST_PX = 620
_LEAST_PX = 120
_NAME_CHARS = 90


class Bar(NamedTuple):
    """A span as it is drawn. ``marks`` are words of `MARKS`; ``ticks`` are moments of its events; times in µs."""

    id: str
    name: str
    step: str
    depth: int
    offset_us: int
    duration_us: int
    took: str
    note: str = ""
    tip: str = ""
    why: str = ""
    is_bad: bool = False
    children: int = 0
    marks: Sequence[str] = ()
    ticks: Sequence[int] = ()


MARKS: Mapping[str, str] = {"slowest": "◆ slowest step", "dearest": "$ dearest call", "path": "critical path"}
"""What stands out, and how it is said."""
_COLOURS: Mapping[str, int] = {
    "llm": 0,
    "embedding": 5,
    "tool": 4,
    "retriever": 2,
    "reranker": 2,
    "agent": 3,
    "chain": 3,
    "guardrail": 7,
    "evaluator": 7,
    "prompt": 7,
}
_GREY = 6


def waterfall(
    bars: Sequence[Bar],
    palette: Palette,
    *,
    begin_us: int,
    length_us: int,
    picked: str,
    reveal: bool = True,
    on_pick: Callable[[str], None],
    shape: Shape = "waterfall",
    trace: str,
    key: str = "waterfall",
) -> None:
    """Draw them, with ``reveal`` scrolled to the picked one. ``on_pick`` is called with the id of the span that the
    reader picks, before the page is drawn anew."""
    data = {
        "trace": trace,
        "shape": shape,
        "begin": begin_us,
        "length": max(length_us, 1),
        "picked": picked,
        "reveal": reveal,
        "height": min(_MOST_PX, max(_LEAST_PX, _AXIS_PX + ROW_PX * len(bars) + 8)),
        "marks": dict(MARKS),
        "colours": {step: palette.series[_COLOURS.get(step, _GREY)] for step in {bar.step for bar in bars}},
        "bars": [_row(bar) for bar in bars],
    }

    def changed() -> None:
        state: Any = st.session_state.get(key)
        chosen = getattr(state, "picked", None)
        if isinstance(chosen, str) and chosen in known:
            on_pick(chosen)

    known = {bar.id for bar in bars}
    _component()(key=key, data=data, on_picked_change=changed)


def _row(bar: Bar) -> dict[str, Any]:
    return {
        **bar._asdict(),
        "name": words.plain(bar.name, _NAME_CHARS),
        "note": words.plain(bar.note, 80),
        "tip": words.plain(bar.tip, 300),
        "why": words.plain(bar.why, 60),
        "marks": list(bar.marks),
        "ticks": list(bar.ticks)[:50],
    }


@cache
def _component() -> Any:
    here = Path(__file__)
    return st.components.v2.component(
        "llmops_waterfall",
        css=here.with_suffix(".css").read_text(encoding="utf-8"),
        js=here.with_suffix(".js").read_text(encoding="utf-8"),
    )
