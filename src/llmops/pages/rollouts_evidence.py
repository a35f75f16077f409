"""A guard's evidence drawn over time: the e-value on a log scale against what rolls back, and the confidence sequence
of the gain against the margin.

The control plane gives natural logarithms. They are drawn as powers of ten, cut at `_LEAST` and `_MOST`, which says no
less: what lies beyond decides the same.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from ..viewing import charts, components, words
from ..viewing.view import View

_LEAST, _MOST = -4.0, 12.0
_HEIGHT = 200
_POWERS = "datum.value > -4 && datum.value < 4 ? format(pow(10, datum.value), '~r') : '10^' + datum.value"
_SIGNED = "datum.value == 0 ? '0' : format(datum.value, '+~g')"
Marks = Sequence[Mapping[str, Any]]


def e_values(view: View, key: str, marks: Marks, *, what: str = "harm", does: str = "rolls back") -> None:
    """Evidence of ``what``, and where it ``does`` something."""
    data = pd.DataFrame(
        {
            "at": pd.to_datetime([mark["at_ms"] for mark in marks], unit="ms", utc=True),
            "power": [_power(mark["log_e"]) for mark in marks],
            "limit": [_power(mark["log_threshold"]) for mark in marks],
            "e": [_said(mark["log_e"]) for mark in marks],
        }
    )
    palette = view.palette
    known = [each for each in [*data["power"], *data["limit"]] if each is not None]
    if not known:
        _none("no e-value")
        return
    top = max(known) + 0.4
    y = alt.Y(
        "power:Q", title=None, scale=alt.Scale(domain=[min(-1.0, *known), top], nice=False),
        axis=alt.Axis(labelExpr=_POWERS, tickMinStep=1, tickCount=5, domain=False, ticks=False),
    )  # fmt: skip
    base = alt.Chart(data).encode(x=_time(marks))
    tips = [alt.Tooltip("at:T", format="%d %b %H:%M:%S"), alt.Tooltip("e:N", title="e-value")]
    line = base.mark_line(strokeWidth=2, color=palette.series[0], interpolate="step-after").encode(y=y)
    dots = base.mark_point(size=14, filled=True, color=palette.series[0]).encode(y=y, tooltip=tips)
    limit = base.mark_line(strokeDash=[6, 4], strokeWidth=1.8, color=palette.bad).encode(y="limit:Q")
    name = (
        alt.Chart(data.tail(1))
        .mark_text(align="right", dy=-8, color=palette.bad, fontWeight=600, fontSize=11)
        .encode(x="at:T", y="limit:Q", text=alt.value(f"{does} at {_said(marks[-1]['log_threshold'])}"))
    )
    with st.container():
        st.html(f'<p class="lab-keys">Evidence of {words.html(what)}: the e-value, each line ten times as much</p>')
        charts.show(
            alt.layer(limit, line, dots, name),
            palette,
            height=_HEIGHT,
            key=f"e-{key}",
            alt_text=f"E-value of {key} over time; now {_said(marks[-1]['log_e'])}, "
            f"{does} at {_said(marks[-1]['log_threshold'])}",
        )


def gains(view: View, key: str, marks: Marks) -> None:
    """The gain with its bounds at all times, against what is tolerable."""
    known = [mark for mark in marks if mark["estimate"] is not None]
    with st.container():
        st.html(
            '<p class="lab-keys" title="A PASS has a bet of its own, which may be won before these bounds show it.">'
            "Gain, with bounds that hold at all times; dashed: the tolerable loss</p>"
        )
        if not known:
            _none("This one has no estimate" if marks else "Nothing yet")
            return
        _bounds(view, key, known)


def _bounds(view: View, key: str, known: Marks) -> None:
    palette = view.palette
    ends = [mark[end] for mark in known for end in ("lower", "upper", "estimate") if mark[end] is not None]
    least, most = min([*ends, -known[-1]["margin"]]), max([*ends, 0.0])
    room = (most - least) * 0.08 or 0.1
    data = pd.DataFrame(
        {
            "at": pd.to_datetime([mark["at_ms"] for mark in known], unit="ms", utc=True),
            "gain": [mark["estimate"] for mark in known],
            "low": [mark["lower"] if mark["lower"] is not None else least - room for mark in known],
            "high": [mark["upper"] if mark["upper"] is not None else most + room for mark in known],
            "margin": [-mark["margin"] for mark in known],
            "none": [0.0 for _ in known],
        }
    )
    scale = alt.Scale(domain=[least - room, most + room], nice=False)
    base = alt.Chart(data).encode(x=_time(known))
    axis = alt.Axis(labelExpr=_SIGNED, tickCount=5, domain=False, ticks=False)
    band = base.mark_area(opacity=0.22, color=palette.series[0], interpolate="step-after").encode(
        y=alt.Y("low:Q", title=None, scale=scale, axis=axis), y2="high:Q"
    )
    tips = [alt.Tooltip("at:T", format="%d %b %H:%M:%S")]
    tips += [alt.Tooltip(f"{name}:Q", format="+.4g") for name in ("gain", "low", "high")]
    line = base.mark_line(strokeWidth=2, color=palette.series[0]).encode(y="gain:Q")
    dots = base.mark_point(size=14, filled=True, color=palette.series[0]).encode(y="gain:Q", tooltip=tips)
    margin = base.mark_line(strokeDash=[6, 4], strokeWidth=1.8, color=palette.bad).encode(y="margin:Q")
    zero = base.mark_line(strokeWidth=1, color=palette.muted).encode(y="none:Q")
    now = known[-1]
    charts.show(
        alt.layer(band, zero, margin, line, dots),
        palette,
        height=_HEIGHT,
        key=f"gain-{key}",
        alt_text=f"Gain in {key} over time; now {now['estimate']:.4g}, tolerable to {-now['margin']:.4g}",
    )


def _time(marks: Marks) -> Any:
    length_s = (marks[-1]["at_ms"] - marks[0]["at_ms"]) / 1000
    form = "%H:%M:%S" if length_s < 900 else "%H:%M" if length_s < 86_400 else "%d %b %H:%M"
    return alt.X("at:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True, tickCount=4, format=form))


def _power(log: float | None) -> float | None:
    return None if log is None else max(_LEAST, min(_MOST, log / math.log(10)))


def _said(log: float | None) -> str:
    if log is None:
        return "unknown"
    power = log / math.log(10)
    return f"{10**power:,.3g}" if -3 <= power <= 4 else f"10^{power:.1f}"


def _none(said: str) -> None:
    components.empty(said)
