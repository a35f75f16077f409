"""A metric over runs and commits: each run with its interval, a baseline, and how much worse than it is tolerable."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from ..viewing import address, charts, components, figures, judging, words
from ..viewing.components import Cell, Mood
from ..viewing.view import View
from .evals_figures import commit_of, gain_of, here, tenant_of, value_of

_MOST = 200
_SHARE, _POINTS = 0.1, 0.02
Point = Mapping[str, Any]


def render(view: View) -> None:
    found = view.get("/api/evals/metrics", **tenant_of(view))
    if found is None:
        return
    if not found:
        components.empty(
            "No evals have been run yet", "A trend takes a few runs of one dataset:", "llmops eval run my-eval.yaml"
        )
        return
    names = list(dict.fromkeys(each["dataset"] for each in found))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        dataset = address.select(
            "Dataset", "dataset", names, names[0], width=260, format_func=lambda name: words.plain(name, 40)
        )
        metrics = list(dict.fromkeys(each["metric"] for each in found if each["dataset"] == dataset))
        name = address.select(
            "Metric", "metric", metrics, metrics[0], width=220, format_func=lambda each: words.plain(each, 40)
        )
        points = view.get("/api/evals/trend", **tenant_of(view), dataset=dataset, metric=name, limit=_MOST)
        if not points:
            return
        measured = [point for point in points if point["figure"]["mean"] is not None]
        baseline, margin = _baseline(view, measured, points[-1]["figure"])
    if not measured:
        components.empty("No run has measured it", "Each of them says why beside its cases.")
        return
    metric = _metric(points[-1]["figure"], name)
    components.heading(words.plain(name, 60), _told(metric, baseline, margin))
    _chart(view, measured, metric, baseline, margin)
    _table(view, measured, metric, baseline, margin)


def _metric(figure: Mapping[str, Any], name: str) -> dict[str, Any]:
    unit = "ms" if name in ("latency", "ttft") else ""
    return {"name": name, "scale": figure["scale"], "direction": figure["direction"], "unit": unit}


def _baseline(view: View, points: Sequence[Point], figure: Mapping[str, Any]) -> tuple[Point | None, float]:
    """The run that others are held against, and the margin: as promoted, or the oldest and the usual one."""
    ids = [point["run_id"] for point in points]
    usual = _SHARE if figure["scale"] == "ratio" else _POINTS
    if not ids:
        return None, usual
    promoted = _promoted(view, ids)
    standard = promoted["run_id"] if promoted is not None else ids[0]
    declared = promoted["figures"].get(figure["name"], {}).get("margin") if promoted is not None else None
    usual = declared if declared is not None else usual
    chosen = address.select(
        "Baseline", "baseline", ids, standard, width=260, format_func=lambda each: words.plain(each, 40)
    )
    given = address.text("Margin", "margin", placeholder=f"{usual}", width=110)
    try:
        margin = float(given) if given else usual
    except ValueError:
        margin = usual
    margin = margin if math.isfinite(margin) and margin >= 0 else usual
    return points[ids.index(chosen)], margin


def _promoted(view: View, ids: Sequence[str]) -> dict[str, Any] | None:
    """The promoted baseline among these runs, the newest of them."""
    found = view.ask("/api/evals/baselines", **tenant_of(view)).value or ()
    known: list[dict[str, Any]] = [each for each in found if each["run_id"] in ids]
    return max(known, key=lambda each: int(each["at_ms"]), default=None)


def _floor(metric: Mapping[str, Any], baseline: Point, margin: float) -> float:
    """What is just tolerable."""
    mean, higher = float(baseline["figure"]["mean"]), metric["direction"] == "higher"
    if metric["scale"] == "ratio":
        return mean * (1 - margin if higher else 1 + margin)
    return mean - margin if higher else mean + margin


def _told(metric: Mapping[str, Any], baseline: Point | None, margin: float) -> str:
    if baseline is None:
        return ""
    floor = value_of(metric, _floor(metric, baseline, margin))
    return f"{metric['direction']} is better; tolerable to {floor}, {gain_of(metric, -margin)} from the baseline"


def _chart(
    view: View, points: Sequence[Point], metric: Mapping[str, Any], baseline: Point | None, margin: float
) -> None:
    palette = view.palette
    data = pd.DataFrame(
        {
            "place": range(len(points)),
            "mean": [point["figure"]["mean"] for point in points],
            "low": [_end(point, "low") for point in points],
            "high": [_end(point, "high") for point in points],
            "run": [words.plain(point["run_id"], 60) for point in points],
            "commit": [commit_of(point.get("code_revision")) for point in points],
            "shown": [value_of(metric, point["figure"]["mean"]) for point in points],
            "beyond": [baseline is not None and _is_beyond(metric, point, baseline, margin) for point in points],
        }
    )
    labels = [words.plain(commit_of(point.get("code_revision")), 9) for point in points]
    axis = alt.Axis(labelExpr=f"{json.dumps(labels)}[datum.value] || ''", labelAngle=0, labelOverlap=True, ticks=False)
    form = {"binary": ".0%", "ratio": "~s"}.get(metric["scale"], "~g")
    base = alt.Chart(data).encode(
        x=alt.X("place:O", title=None, axis=axis),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("run", "commit")] + [alt.Tooltip("shown:N", title="mean")],
    )
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("low:Q", title=None, scale=scale, axis=alt.Axis(format=form, tickCount=5, domain=False, ticks=False))
    layers: list[Any] = []
    if baseline is not None:
        mean, floor = float(baseline["figure"]["mean"]), _floor(metric, baseline, margin)
        band = alt.Chart(
            pd.DataFrame({"from": [min(mean, floor)], "to": [max(mean, floor)], "edge": [floor], "mean": [mean]})
        )
        layers += [
            band.mark_rect(color=palette.warn, opacity=0.1).encode(
                y=alt.Y("from:Q", scale=scale, title=None), y2="to:Q"
            ),
            band.mark_rule(color=palette.bad, strokeDash=[5, 4], strokeWidth=1.5).encode(
                y=alt.Y("edge:Q", scale=scale)
            ),
            band.mark_rule(color=palette.muted, strokeWidth=1).encode(y=alt.Y("mean:Q", scale=scale)),
        ]
    colour = alt.condition("datum.beyond", alt.value(palette.bad), alt.value(palette.series[0]))
    shape = alt.condition("datum.beyond", alt.value("diamond"), alt.value("circle"))
    layers += [
        base.mark_line(color=palette.series[0], strokeWidth=1.5, opacity=0.5).encode(y=alt.Y("mean:Q", scale=scale)),
        base.mark_rule(strokeWidth=2.5, opacity=0.5).encode(y=y, y2="high:Q", color=colour),
        base.mark_point(filled=True, opacity=1, size=95).encode(
            y=alt.Y("mean:Q", scale=scale), color=colour, shape=shape
        ),
    ]
    charts.show(
        alt.layer(*layers),
        palette,
        height=300,
        key="evals-trend",
        alt_text=f"{metric['name']} over {len(points)} runs, with intervals, baseline and margin",
    )


def _end(point: Point, name: str) -> float:
    """Of the interval, where there is one."""
    found = point["figure"][name]
    return float(found if found is not None else point["figure"]["mean"])


def _is_beyond(metric: Mapping[str, Any], point: Point, baseline: Point, margin: float) -> bool:
    mean, floor = float(point["figure"]["mean"]), _floor(metric, baseline, margin)
    return mean < floor if metric["direction"] == "higher" else mean > floor


def _gain(metric: Mapping[str, Any], point: Point, baseline: Point) -> float | None:
    mean, before = float(point["figure"]["mean"]), float(baseline["figure"]["mean"])
    sign = 1.0 if metric["direction"] == "higher" else -1.0
    if metric["scale"] == "ratio":
        return sign * (mean / before - 1) if before else None
    return sign * (mean - before)


def _table(
    view: View, points: Sequence[Point], metric: Mapping[str, Any], baseline: Point | None, margin: float
) -> None:
    axis = judging.axis_of([point["figure"] for point in points], None, None)
    rows: list[list[Cell | str]] = []
    for point in reversed(points):
        figure, began_s = point["figure"], point["started_at_ms"] / 1000
        mood: Mood = "neutral"
        state = ""
        if baseline is not None:
            is_baseline = point["run_id"] == baseline["run_id"]
            beyond = _is_beyond(metric, point, baseline, margin)
            state, mood = (
                ("baseline", "neutral")
                if is_baseline
                else ("beyond the margin", "bad")
                if beyond
                else ("within", "good")
            )
        title = f"{value_of(metric, figure['low'])} to {value_of(metric, figure['high'])}"
        drawn = judging.interval(
            figure["mean"],
            figure["low"],
            figure["high"],
            axis,
            reference=baseline["figure"]["mean"] if baseline else None,
            wide=True,
        )
        compare = here(
            view,
            show="compare",
            first=baseline["run_id"] if baseline else None,
            second=point["run_id"],
            metric=metric["name"],
        )
        rows.append(
            [
                Cell(figures.moment(began_s, view.zone, now_s=view.now_s), title=figures.moment(began_s, view.zone)),
                Cell(words.plain(point["run_id"], 40), to=here(view, run=point["run_id"], metric=metric["name"])),
                Cell(commit_of(point.get("code_revision")), title=point.get("code_revision") or ""),
                Cell(point["dataset_version"][:8], title=point["dataset_version"]),
                Cell(value_of(metric, figure["mean"]), title=title, beside=drawn),
                gain_of(metric, _gain(metric, point, baseline) if baseline else None),
                Cell(state, mood=mood),
                Cell("compare", to=compare) if state != "baseline" else Cell(""),
            ]
        )
    st.space("small")
    components.heading("Runs", "the newest first; the dashed line is the baseline")
    components.table(
        ["when", "run", "commit", "version", "mean", "gain", "against the baseline", ""],
        rows,
        numbers=("gain",),
        caption="Trend",
    )
