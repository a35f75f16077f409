"""Charts over time, and bars, in one look: thin axes, no frame, direct labels, one tooltip for a moment.

Data are frames in long form; their texts are drawn on a canvas, which interprets nothing, and still go through
`words.plain`. Times are moments, which the browser shows in its own zone. Heights are fixed, so that a
refresh moves nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from . import vega, words
from .palette import Palette
from .vega import FORMATS, Series, Spec

HEIGHT = 230
_LABEL_PX = 46
_LABEL_GAP = 0.075
_AT, _VALUE = {"field": "at", "type": "temporal"}, {"field": "value", "type": "quantitative", "title": None}


def frame(at_s: Sequence[float], series: Series) -> pd.DataFrame:
    """Long form: ``at`` (a moment), ``series`` (a name), ``value``."""
    count = len(at_s)
    names = [words.plain(name, 60) for name in series]
    return pd.DataFrame(
        {
            "at": pd.to_datetime(pd.Series(list(at_s) * len(names), dtype="float64"), unit="s", utc=True),
            "series": pd.Series([name for name in names for _ in range(count)], dtype=str),
            "value": pd.Series([value for values in series.values() for value in values], dtype=float),
        }
    )


def lines(
    at_s: Sequence[float],
    series: Series,
    palette: Palette,
    *,
    unit: str = "",
    form: str = "count",
    colours: Sequence[str] | None = None,
    log: bool = False,
    height: int = HEIGHT,
    key: str,
    alt_text: str = "",
) -> None:
    """A line for each series, its name at its end."""
    x, hue = vega.time_axis(), vega.colour(series, palette, colours)
    y = {**_VALUE, "axis": vega.value_axis(form, unit), "scale": vega.value_scale(log=log)}
    along = {"x": x, "y": y, "color": hue}
    drawn: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": 2, "interpolate": "monotone", "clip": True}, "encoding": along},
        # A value between two gaps is a line to nowhere.
        {"mark": {"type": "point", "size": 9, "filled": True, "opacity": 1}, "encoding": along},
        {
            "data": {"values": _ends(at_s, series, log=log)},
            "mark": {"type": "text", "align": "left", "dx": 7, "fontSize": 11, "fontWeight": 600, "clip": False},
            "encoding": {
                "x": _AT,
                "y": {"field": "place", "type": "quantitative"},
                "text": {"field": "series", "type": "nominal"},
                "color": hue,
            },
        },
        vega.pointer(series, palette, unit),
    ]
    _show(drawn, frame(at_s, series), palette, height, key, alt_text, right=_LABEL_PX)


def areas(
    at_s: Sequence[float],
    series: Series,
    palette: Palette,
    *,
    unit: str = "",
    form: str = "count",
    colours: Sequence[str] | None = None,
    height: int = HEIGHT,
    key: str,
    alt_text: str = "",
) -> None:
    """Areas on top of each other."""
    drawn = {
        "mark": {"type": "area", "opacity": 0.75, "interpolate": "monotone", "line": {"strokeWidth": 1.5}},
        "encoding": {
            "x": vega.time_axis(),
            "y": {**_VALUE, "stack": "zero", "axis": vega.value_axis(form, unit)},
            "color": vega.colour(series, palette, colours, legend=len(series) > 1),
        },
    }
    _show([drawn, vega.pointer(series, palette, unit)], frame(at_s, series), palette, height, key, alt_text)


def bars(
    at_s: Sequence[float],
    series: Series,
    palette: Palette,
    *,
    step_s: float,
    unit: str = "",
    form: str = "count",
    colours: Sequence[str] | None = None,
    height: int = HEIGHT,
    key: str,
    alt_text: str = "",
) -> None:
    """A bar for each step, series on top of each other: the first at the bottom."""
    data = frame(at_s, series)
    data["until"] = data["at"] + pd.to_timedelta(step_s * 0.88, unit="s")
    data["top"] = data.groupby("at")["value"].cumsum()
    data["foot"] = data["top"] - data["value"]
    foot = {"field": "foot", "type": "quantitative", "title": None}
    drawn = {
        "mark": {"type": "rect"},
        "encoding": {
            "x": vega.time_axis(),
            "x2": {"field": "until"},
            "y": {**foot, "axis": vega.value_axis(form, unit), "scale": vega.value_scale()},
            "y2": {"field": "top"},
            "color": vega.colour(series, palette, colours, legend=len(series) > 1),
        },
    }
    _show([drawn, vega.pointer(series, palette, unit)], data, palette, height, key, alt_text)


def ranks(
    values: Mapping[str, float],
    palette: Palette,
    *,
    form: str = "count",
    unit: str = "",
    height: int | None = None,
    key: str,
    alt_text: str = "",
) -> None:
    """A bar across for each name, longest first, its value at its end."""
    data = pd.DataFrame({"name": [words.plain(name, 40) for name in values], "value": list(values.values())})
    axis = {"labelLimit": 190, "ticks": False, "domain": False}
    across = {
        "y": {"field": "name", "type": "nominal", "sort": "-x", "title": None, "axis": axis},
        "x": {**_VALUE, "axis": None},
        "tooltip": [
            {"field": "name", "type": "nominal", "title": "name"},
            {**_VALUE, "format": ",", "title": unit or "value"},
        ],
    }
    bar = {"type": "bar", "color": palette.series[0], "cornerRadiusEnd": 3, "height": {"band": 0.68}}
    end = {"type": "text", "align": "left", "dx": 5, "color": palette.ink}
    text = {"field": "value", "type": "quantitative", "format": FORMATS.get(form, form)}
    drawn = [{"mark": bar, "encoding": across}, {"mark": end, "encoding": {**across, "text": text}}]
    tall = height or max(80, 28 * len(values) + 12)
    _show(drawn, data, palette, tall, key, alt_text, right=_LABEL_PX)


def layers(
    drawn: Sequence[Spec], data: pd.DataFrame, palette: Palette, *, height: int = HEIGHT, key: str, alt_text: str = ""
) -> None:
    """Any other chart, in our look: Vega-Lite's layers over ``data``."""
    _show(drawn, data, palette, height, key, alt_text)


def show(chart: Any, palette: Palette, *, height: int = HEIGHT, key: str, alt_text: str = "") -> None:
    """Any altair chart, in our look; `layers` is many times as quick."""
    look = vega.dressed({}, palette, height, right=8)
    chart = chart.properties(height=height, padding=look["padding"]).configure(**look["config"])
    st.altair_chart(chart, width="stretch", height=height, theme=None, key=key, alt=alt_text or None)


def _ends(at_s: Sequence[float], series: Series, *, log: bool) -> list[dict[str, Any]]:
    """Where each series' name stands: beside its last value, or above the one below where there is no room."""
    known = {name: [value for value in values if value is not None] for name, values in series.items()}
    most = max((max(values) for values in known.values() if values), default=0.0)
    gap = 0.0 if log else most * _LABEL_GAP
    places: list[float] = []
    ends: list[dict[str, Any]] = []
    for name, last in sorted(((name, values[-1]) for name, values in known.items() if values), key=lambda one: one[1]):
        places.append(max(float(last), places[-1] + gap) if places else float(last))
        ends.append({"at": round(max(at_s) * 1000), "series": words.plain(name, 60), "place": places[-1]})
    return ends


def _show(
    drawn: Sequence[Spec], data: pd.DataFrame, palette: Palette, height: int, key: str, alt_text: str, *, right: int = 8
) -> None:
    chart = {"layer": list(drawn)} if len(drawn) > 1 else drawn[0]
    over = {"data": {"name": "drawn"}, "datasets": {"drawn": data}, **chart}
    spec = vega.dressed(over, palette, height, right)
    st.vega_lite_chart(spec, width="stretch", height=height, theme=None, key=key, alt=alt_text or None)
