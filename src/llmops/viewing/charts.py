"""Charts over time, and bars, in one look: thin axes, no frame, direct labels, one tooltip for a moment.

Data are frames in long form; their texts are drawn on a canvas, which interprets nothing, and still go through
`words.plain`. Times are moments, which the browser shows in its own zone. Heights are fixed, so that a
refresh moves nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from . import words
from .palette import Palette

HEIGHT = 230
_LABEL_PX = 46
_LABEL_GAP = 0.075
FORMATS = {"count": "~s", "ms": "~s", "share": ".1%", "usd": "$,.2~r"}
_CLOCK = "timeFormat(datum.value, hours(datum.value) + minutes(datum.value) == 0 ? '%d %b' : '%H:%M')"
Series = Mapping[str, Sequence[float | None]]


def frame(at_s: Sequence[float], series: Series) -> pd.DataFrame:
    """Long form: ``at`` (a moment), ``series`` (a name), ``value``."""
    at = pd.to_datetime(pd.Series(list(at_s), dtype="float64"), unit="s", utc=True)
    parts = [
        pd.DataFrame({"at": at, "series": words.plain(name, 60), "value": list(values)})
        for name, values in series.items()
    ]
    columns = {
        "at": pd.Series(dtype="datetime64[ns, UTC]"),
        "series": pd.Series(dtype=str),
        "value": pd.Series(dtype=float),
    }
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns)


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
    data = frame(at_s, series)
    base = alt.Chart(data).encode(x=_time(palette), color=_colour(series, palette, colours))
    y = alt.Y("value:Q", title=None, axis=_axis(palette, form, unit), scale=_scale(log))
    drawn = base.mark_line(strokeWidth=2, interpolate="monotone", clip=True).encode(y=y)
    dots = base.mark_point(size=9, filled=True, opacity=1).encode(y=y)  # a value between two gaps is a line to nowhere
    ends = (
        alt.Chart(_ends(data, log=log))
        .mark_text(align="left", dx=7, fontSize=11, fontWeight=600, clip=False)
        .encode(x="at:T", y="place:Q", text="series:N", color=_colour(series, palette, colours))
    )
    hover = _hover(data, series, palette, form, unit)
    _show(alt.layer(drawn, dots, ends, *hover), palette, height, key, alt_text, right=_LABEL_PX)


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
    data = frame(at_s, series)
    y = alt.Y("value:Q", title=None, stack="zero", axis=_axis(palette, form, unit))
    drawn = (
        alt.Chart(data)
        .mark_area(opacity=0.75, interpolate="monotone", line={"strokeWidth": 1.5})
        .encode(x=_time(palette), y=y, color=_colour(series, palette, colours, legend=len(series) > 1))
    )
    _show(alt.layer(drawn, *_hover(data, series, palette, form, unit)), palette, height, key, alt_text)


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
    y = alt.Y("foot:Q", title=None, axis=_axis(palette, form, unit), scale=_scale(log=False))
    drawn = (
        alt.Chart(data)
        .mark_rect()
        .encode(
            x=_time(palette),
            x2="until:T",
            y=y,
            y2="top:Q",
            color=_colour(series, palette, colours, legend=len(series) > 1),
        )
    )
    _show(alt.layer(drawn, *_hover(data, series, palette, form, unit)), palette, height, key, alt_text)


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
    base = alt.Chart(data).encode(
        y=alt.Y("name:N", sort="-x", title=None, axis=alt.Axis(labelLimit=190, ticks=False, domain=False)),
        x=alt.X("value:Q", title=None, axis=None),
        tooltip=[alt.Tooltip("name:N", title="name"), alt.Tooltip("value:Q", format=",", title=unit or "value")],
    )
    drawn = base.mark_bar(color=palette.series[0], cornerRadiusEnd=3, height={"band": 0.68})
    ends = base.mark_text(align="left", dx=5, color=palette.ink).encode(
        text=alt.Text("value:Q", format=FORMATS.get(form, form))
    )
    _show(alt.layer(drawn, ends), palette, height or max(80, 28 * len(values) + 12), key, alt_text, right=_LABEL_PX)


def heat(
    data: pd.DataFrame,
    palette: Palette,
    *,
    x: str,
    y: str,
    value: str,
    form: str = "count",
    height: int = HEIGHT,
    key: str,
    alt_text: str = "",
) -> None:
    """A field of tiles, darker (in the dark: lighter) for more. ``x``, ``y``, ``value`` are altair's shorthands."""
    drawn = (
        alt.Chart(data)
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X(x, title=None),
            y=alt.Y(y, title=None),
            color=alt.Color(value, title=None, scale=alt.Scale(range=list(palette.heat)), legend=None),
            tooltip=list(data.columns),
        )
    )
    _show(drawn, palette, height, key, alt_text)


def show(chart: Any, palette: Palette, *, height: int = HEIGHT, key: str, alt_text: str = "") -> None:
    """Any other altair chart, in our look."""
    _show(chart, palette, height, key, alt_text)


def _ends(data: pd.DataFrame, *, log: bool) -> pd.DataFrame:
    """Where each series' name stands: beside its last value, or above the one below where there is no room."""
    known = data.dropna(subset=["value"])
    last = known.groupby("series", sort=False).tail(1).sort_values("value")
    places: list[float] = []
    gap = 0.0 if log or known.empty else float(known["value"].max()) * _LABEL_GAP
    for value in last["value"]:
        places.append(max(float(value), places[-1] + gap) if places else float(value))
    return last.assign(place=places, at=data["at"].max() if len(data) else None)


def _hover(data: pd.DataFrame, series: Series, palette: Palette, form: str, unit: str) -> list[Any]:
    """A line at the moment under the pointer, and every series' value there."""
    near = alt.selection_point(nearest=True, on="pointerover", fields=["at"], empty=False, clear="pointerout")
    names = [words.plain(name, 60) for name in series]
    tips = [alt.Tooltip("at:T", title="at", format="%d %b %H:%M")]
    tips += [
        alt.Tooltip(f"{_field(name)}:Q", title=f"{name}{f' ({unit})' if unit else ''}", format=",.4~f")
        for name in names
    ]
    rule = (
        alt.Chart(data)
        .transform_pivot("series", value="value", groupby=["at"])
        .mark_rule(color=palette.muted, strokeWidth=1)
        .encode(x="at:T", opacity=alt.condition(near, alt.value(0.9), alt.value(0)), tooltip=tips)
        .add_params(near)
    )
    return [rule]


def _field(name: str) -> str:
    """A column's name in altair's shorthand and in Vega's paths, where these have a meaning."""
    return name.translate({ord(char): f"\\{char}" for char in "\\.[]:'\""})


def _time(palette: Palette) -> Any:
    return alt.X("at:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True, tickCount=6, labelExpr=_CLOCK))


def _axis(palette: Palette, form: str, unit: str) -> Any:
    expression = f"format(datum.value, '{FORMATS.get(form, form)}')"
    if form == "ms":
        expression = (
            "datum.value == 0 ? '0' : datum.value < 1000 ? format(datum.value, '~r') + ' ms' "
            ": format(datum.value / 1000, '~r') + ' s'"
        )
    elif unit:
        expression += f" + ' {unit}'"
    return alt.Axis(labelExpr=expression, tickCount=4, domain=False, ticks=False, labelPadding=8)


def _scale(log: bool) -> Any:
    return alt.Scale(type="symlog", nice=True) if log else alt.Scale(zero=True, nice=True)


def _colour(series: Series, palette: Palette, colours: Sequence[str] | None, *, legend: bool = False) -> Any:
    names = [words.plain(name, 60) for name in series]
    chosen = list(colours or palette.series)
    chosen = [chosen[number % len(chosen)] for number in range(len(names))]
    key = (
        alt.Legend(orient="top", title=None, symbolType="square", symbolSize=80, columns=3, labelLimit=150)
        if legend
        else None
    )
    return alt.Color("series:N", scale=alt.Scale(domain=names, range=chosen), legend=key)


def _show(chart: Any, palette: Palette, height: int, key: str, alt_text: str, *, right: int = 8) -> None:
    font = '"Source Sans", system-ui, sans-serif'
    dressed = (
        chart.properties(height=height, padding={"left": 2, "right": right, "top": 6, "bottom": 2})
        .configure(background="transparent", font=font)
        .configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=palette.muted,
            gridColor=palette.line,
            domainColor=palette.line,
            tickColor=palette.line,
            labelFontSize=11,
        )
        .configure_legend(labelColor=palette.ink, labelFontSize=12, offset=8, padding=0)
        .configure_text(color=palette.ink)
    )
    st.altair_chart(dressed, width="stretch", height=height, theme=None, key=key, alt=alt_text or None)
