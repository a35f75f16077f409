"""An experiment: its arms with their shares and evidence, and the course of both over time.

Shares are drawn as they were given, means with the bounds that hold at all times. Which arm is proved the best is the
gateway's to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from ..viewing import charts, components, figures, words
from ..viewing.components import Cell, Mood, link
from ..viewing.view import View
from .rollouts_words import Rollout, percent

ARM = "arm:"
_HEIGHT = 240
_SAID: dict[str, tuple[Mood, str]] = {
    "BEST": ("good", "proved the best"),
    "LEADS": ("neutral", "leads"),
    "OPEN": ("neutral", "may be the best"),
    "WORSE": ("bad", "proved not to be the best"),
}
Marks = Sequence[Mapping[str, Any]]


def arms(view: View, found: Rollout) -> None:
    marks = [each for each in found["evidence"] if each["guard"].startswith(ARM)]
    components.heading("Arms", f"compared by {_goal(found)}; half of the units go to the likely best one")
    _table(found, {each["guard"]: each for each in found["guards"]})
    if not marks:
        components.empty("There is no evidence yet", "It comes with the first units that are over.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.html('<p class="lab-keys">Share of the units, in per cent</p>')
        _shares(view, marks)
    with right:
        st.html('<p class="lab-keys">Mean, with bounds that hold at all times for all arms together</p>')
        _means(view, marks)


def _table(found: Rollout, latest: Mapping[str, Mapping[str, Any]]) -> None:
    rows: list[list[Cell | str]] = []
    for each in found["arms"]:
        mark = latest.get(f"{ARM}{each['arm']}")
        mood, said = _SAID.get(mark["verdict"], ("neutral", "")) if mark is not None else ("neutral", "nothing yet")
        release = Cell(each["release"], to=link("releases", release=each["release"], of=found["tenant"]))
        rows.append([each["arm"] if each["arm"] == "stable" else "", release, percent(round(each["share"], 4)),
                     Cell(said, mood=mood), *_figures(mark)])  # fmt: skip
    components.table(
        ["arm", "release", "share", "it", "units", "mean", "from", "to", "evidence against it"],
        rows,
        numbers=("share", "units", "mean", "from", "to"),
        caption="Arms",
    )


def _figures(mark: Mapping[str, Any] | None) -> list[Cell | str]:
    if mark is None:
        return [figures.NOTHING] * 5
    mean = f"{mark['estimate']:.4g}" if mark["estimate"] is not None else figures.NOTHING
    against = f"log e {mark['log_e']:.2f} of {mark['log_threshold']:.2f}"
    if mark["verdict"] in ("BEST", "LEADS"):
        against = f"the others': {against} at least"
    bounds = [f"{mark[end]:.4g}" if mark[end] is not None else figures.NOTHING for end in ("lower", "upper")]
    return [f"{mark['candidate_n']:,}", mean, *bounds, Cell(against, title=words.plain(mark["reason"], 200))]


def _goal(found: Rollout) -> str:
    goal = found["plan"]["goal"]
    named = f"the score {words.plain(goal['name'], 60)}" if goal["metric"] == "score" else goal["metric"]
    return f"{named.replace('_', ' ')}, margin {goal['margin']:g}"


def _shares(view: View, marks: Marks) -> None:
    data = _frame(marks)
    y = alt.Y("share:Q", title=None, stack="zero", scale=alt.Scale(domain=[0, 100]), axis=_axis())
    areas = (
        alt.Chart(data)
        .mark_area(interpolate="step-after", opacity=0.85)
        .encode(x=_time(), y=y, color=_colour(view, marks))
    )
    charts.show(areas, view.palette, height=_HEIGHT, key="arm-shares", alt_text=f"Shares over time; now {_now(marks)}")


def _means(view: View, marks: Marks) -> None:
    data = _frame([each for each in marks if each["estimate"] is not None])
    base = alt.Chart(data).encode(x=_time(), color=_colour(view, marks))
    scale = alt.Scale(zero=False, nice=False)
    band = base.mark_area(opacity=0.13, interpolate="step-after").encode(
        y=alt.Y("low:Q", title=None, scale=scale, axis=_axis()), y2="high:Q"
    )
    tips = [alt.Tooltip("arm:N"), alt.Tooltip("at:T", format="%d %b %H:%M:%S")]
    tips += [alt.Tooltip(f"{name}:Q", format=".4g") for name in ("mean", "low", "high")]
    line = base.mark_line(strokeWidth=2).encode(y="mean:Q")
    dots = base.mark_point(size=14, filled=True).encode(y="mean:Q", tooltip=tips)
    charts.show(
        alt.layer(band, line, dots),
        view.palette,
        height=_HEIGHT,
        key="arm-means",
        alt_text=f"Means of the arms over time; now {_now(marks)}",
    )


def _frame(marks: Marks) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": pd.to_datetime([each["at_ms"] for each in marks], unit="ms", utc=True),
            "arm": [each["guard"].removeprefix(ARM) for each in marks],
            "share": [100 * (each["share"] or 0.0) for each in marks],
            "mean": [each["estimate"] for each in marks],
            "low": [each["lower"] for each in marks],
            "high": [each["upper"] for each in marks],
        }
    )


def _colour(view: View, marks: Marks) -> Any:
    names = list(dict.fromkeys(each["guard"].removeprefix(ARM) for each in marks))
    series = view.palette.series
    colours = [series[number % len(series)] for number in range(len(names))]
    legend = alt.Legend(title=None, orient="top", columns=4)
    return alt.Color("arm:N", scale=alt.Scale(domain=names, range=colours), legend=legend)


def _time() -> Any:
    return alt.X("at:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True, tickCount=4))


def _axis() -> Any:
    return alt.Axis(tickCount=5, domain=False, ticks=False)


def _now(marks: Marks) -> str:
    latest = {each["guard"].removeprefix(ARM): each for each in marks}
    return ", ".join(f"{arm} {100 * (each['share'] or 0):.3g} %" for arm, each in latest.items())
