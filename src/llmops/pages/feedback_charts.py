"""Means by name and source, over time, and how the values are spread."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ..viewing import charts, components, figures, words
from ..viewing.components import Card, Cell, link
from ..viewing.view import View

_CARDS, _LINES = 4, 6
_CHART_PX = 460
_WHO = {"human": "people", "judge": "judges", "code": "code"}
_CLOCK = "timeFormat(datum.value, hours(datum.value) + minutes(datum.value) == 0 ? '%d %b' : '%H:%M')"
Series = Mapping[str, Any]


def show(view: View, narrowed: Mapping[str, Any]) -> None:
    view.expect("/api/scores/spread", **narrowed)
    course = view.get("/api/scores/course", **narrowed)
    if course is None:
        return
    series = course["series"]
    if not series:
        components.empty(
            "No scores in this window",
            "Applications send their users' thumbs with the key that they make calls with. Try one:",
            "curl http://127.0.0.1:8000/api/scores -H 'content-type: application/json' "
            '-d \'{"trace_id": "…", "name": "helpful", "value": true, "comment": "spot on"}\'',
        )
        return
    valued = [each for each in series if each["mean"] is not None]
    components.cards([_card(each, course) for each in valued[:_CARDS]])
    st.space("small")
    spread = view.ask("/api/scores/spread", **narrowed).value or {"values": [], "labels": []}
    with st.grid(2, min_column_width=_CHART_PX, gap="medium"):
        _over_time(view, course, valued)
        _spread(view, spread, valued)
    st.space("small")
    with st.grid(2, min_column_width=_CHART_PX, gap="medium"):
        with st.container(gap="xsmall"):
            _table(view, series)
        if spread["labels"]:
            with st.container(gap="xsmall"):
                _labels(view, spread["labels"])


def _labels(view: View, labels: Sequence[Mapping[str, Any]]) -> None:
    components.heading("Labels", "the words that were chosen")
    counts = {each["label"]: each["count"] for each in labels}
    charts.ranks(counts, view.palette, key="feedback-labels", alt_text="How often each label was chosen")


def mean_of(series: Series) -> str:
    """A share of thumbs that are up, or a mean."""
    mean = series["mean"]
    return figures.NOTHING if mean is None else figures.share(mean) if series["is_boolean"] else f"{mean:.3g}"


def _card(series: Series, course: Mapping[str, Any]) -> Card:
    by_at = {point["at"]: point["mean"] for point in series["points"]}
    step_s = course["step_s"]
    first = int(course["from"]) // step_s * step_s
    values = [by_at.get(at) for at in range(first, int(course["to"]) + 1, step_s)]
    what = "thumbs up" if series["is_boolean"] else "mean"
    exact = figures.NOTHING if series["mean"] is None else f"{series['mean']}"
    note = f"{what}, {series['count']:,} by {_WHO[series['source']]}"
    name = f"{series['name']}-{series['source']}"
    return Card(name, series["name"], mean_of(series), exact, None, note, values)


def _over_time(view: View, course: Mapping[str, Any], series: Sequence[Series]) -> None:
    shown = series[:_LINES]
    step_s = course["step_s"]
    first = int(course["from"]) // step_s * step_s
    at = list(range(first, int(course["to"]) + 1, step_s))
    lines = {}
    for each in shown:
        by_at = {point["at"]: point["mean"] for point in each["points"]}
        lines[words.plain(f"{each['name']}, {_WHO[each['source']]}", 28)] = [by_at.get(moment) for moment in at]
    with st.container(gap="xsmall"):
        components.heading("Means over time", f"each point {figures.seconds(step_s)}; thumbs are 1 or 0")
        data = charts.frame([float(moment) for moment in at], lines).dropna(subset=["value"])
        legend = {"orient": "top", "title": None, "columns": 3, "labelLimit": 170}
        hues = {"domain": list(lines), "range": list(view.palette.series[: len(lines)])}
        clock = {"grid": False, "tickCount": 6, "labelExpr": _CLOCK}
        plain = {"tickCount": 4, "domain": False, "ticks": False}
        along = {
            "x": {"field": "at", "type": "temporal", "title": None, "axis": clock},
            "y": {"field": "value", "type": "quantitative", "title": None, "axis": plain},
            "color": {"field": "series", "type": "nominal", "scale": hues, "legend": legend},
            "tooltip": [
                {"field": "series", "type": "nominal", "title": "score"},
                {"field": "at", "type": "temporal", "title": "at", "format": "%d %b %H:%M"},
                {"field": "value", "type": "quantitative", "title": "mean", "format": ".3~r"},
            ],
        }
        shape = {"field": "series", "type": "nominal", "scale": {"domain": list(lines)}, "legend": legend}
        drawn = [
            {"mark": {"type": "line", "strokeWidth": 1.8, "opacity": 0.75}, "encoding": along},
            {
                "mark": {"type": "point", "size": 34, "filled": True, "opacity": 1},
                "encoding": {**along, "shape": shape},
            },
        ]
        charts.layers(drawn, data, view.palette, key="feedback-course", alt_text="Mean of each score over time")


def _spread(view: View, spread: Mapping[str, Any], series: Sequence[Series]) -> None:
    with st.container(gap="xsmall"):
        names = {each["name"] for each in series}
        note = "of one name" if len(names) == 1 else f"of {len(names)} names together: choose one above"
        components.heading("How values are spread", note)
        thumbs = all(each["is_boolean"] for each in series)
        rows = [{"value": _bin(each, thumbs), "count": each["count"], "low": each["low"]} for each in spread["values"]]
        if not rows:
            components.empty("Only labels and comments here", "Nothing has a number that could be spread.")
            return
        order = [row["value"] for row in sorted(rows, key=lambda row: row["low"])]
        flat = {"labelAngle": 0, "ticks": False, "labelOverlap": True}
        upright = {"tickCount": 4, "domain": False, "ticks": False, "format": "~s"}
        drawn = {
            "mark": {"type": "bar", "color": view.palette.series[0], "cornerRadiusEnd": 3},
            "encoding": {
                "x": {"field": "value", "type": "nominal", "sort": order, "title": None, "axis": flat},
                "y": {"field": "count", "type": "quantitative", "title": None, "axis": upright},
                "tooltip": [
                    {"field": "value", "type": "nominal"},
                    {"field": "count", "type": "quantitative", "format": ","},
                ],
            },
        }
        data = pd.DataFrame(rows)
        charts.layers([drawn], data, view.palette, key="feedback-spread", alt_text="How many scores have each value")


def _bin(bar: Mapping[str, Any], thumbs: bool) -> str:
    if bar["low"] != bar["high"]:
        return f"{bar['low']:.3g} to {bar['high']:.3g}"
    if thumbs:
        return "up" if bar["low"] else "down"
    return f"{bar['low']:.4g}"


def _table(view: View, series: Sequence[Series]) -> None:
    most = max(each["count"] for each in series)
    components.heading("By name and source", "the most frequent first")
    components.table(
        ["name", "source", "scores", "mean"],
        [
            [
                Cell(each["name"], to=link("feedback", name=each["name"], tenant=view.tenant), title=each["name"]),
                _WHO[each["source"]],
                Cell(figures.count(each["count"]), title=figures.exact(each["count"]), share=each["count"] / most),
                Cell(mean_of(each), title="" if each["mean"] is None else str(each["mean"])),
            ]
            for each in series
        ],
        numbers=("scores", "mean"),
        caption="Scores by name and source",
    )
