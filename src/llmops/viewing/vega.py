"""The parts of a Vega-Lite specification that our charts share: axes, colours, the line under the pointer, the look.

Plain dictionaries, as Vega-Lite documents them: checking a chart's grammar at each run, as a builder would, costs more
than everything else on a page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import words
from .palette import Palette

Spec = dict[str, Any]
Series = Mapping[str, Sequence[float | None]]

FORMATS = {"count": "~s", "ms": "~s", "share": ".1%", "usd": "$,.2~r"}
_CLOCK = "timeFormat(datum.value, hours(datum.value) + minutes(datum.value) == 0 ? '%d %b' : '%H:%M')"
_MILLISECONDS = (
    "datum.value == 0 ? '0' : datum.value < 1000 ? format(datum.value, '~r') + ' ms' "
    ": format(datum.value / 1000, '~r') + ' s'"
)


def time_axis() -> Spec:
    axis = {"grid": False, "labelOverlap": True, "tickCount": 6, "labelExpr": _CLOCK}
    return {"field": "at", "type": "temporal", "title": None, "axis": axis}


def value_axis(form: str, unit: str) -> Spec:
    expression = f"format(datum.value, '{FORMATS.get(form, form)}')"
    if form == "ms":
        expression = _MILLISECONDS
    elif unit:
        expression += f" + ' {unit}'"
    return {"labelExpr": expression, "tickCount": 4, "domain": False, "ticks": False, "labelPadding": 8}


def value_scale(*, log: bool = False) -> Spec:
    return {"type": "symlog", "nice": True} if log else {"zero": True, "nice": True}


def colour(series: Series, palette: Palette, colours: Sequence[str] | None, *, legend: bool = False) -> Spec:
    """Of the field ``series``, in the order of the names."""
    chosen = list(colours or palette.series)
    chosen = [chosen[number % len(chosen)] for number in range(len(series))]
    key = {"orient": "top", "title": None, "symbolType": "square", "symbolSize": 80, "columns": 3, "labelLimit": 150}
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": [words.plain(name, 60) for name in series], "range": chosen},
        "legend": key if legend else None,
    }


def pointer(series: Series, palette: Palette, unit: str) -> Spec:
    """A line at the moment under the pointer, and every series' value there."""
    tips: list[Spec] = [{"field": "at", "type": "temporal", "title": "at", "format": "%d %b %H:%M"}]
    for name in (words.plain(name, 60) for name in series):
        title = f"{name}{f' ({unit})' if unit else ''}"
        tips.append({"field": field(name), "type": "quantitative", "title": title, "format": ",.4~f"})
    near = {"type": "point", "nearest": True, "on": "pointerover", "fields": ["at"], "clear": "pointerout"}
    return {
        "transform": [{"pivot": "series", "value": "value", "groupby": ["at"]}],
        "params": [{"name": "near", "select": near}],
        "mark": {"type": "rule", "color": palette.muted, "strokeWidth": 1},
        "encoding": {
            "x": {"field": "at", "type": "temporal"},
            "opacity": {"condition": {"param": "near", "empty": False, "value": 0.9}, "value": 0},
            "tooltip": tips,
        },
    }


def field(name: str) -> str:
    """A column's name in Vega's paths, where some characters have a meaning."""
    return name.translate({ord(char): f"\\{char}" for char in "\\.[]'\""})


def dressed(spec: Spec, palette: Palette, height: int, right: int) -> Spec:
    """In our look: no frame, thin axes, our font; ``right`` pixels are kept for labels."""
    return {
        **spec,
        "height": height,
        "padding": {"left": 2, "right": right, "top": 6, "bottom": 2},
        "config": {
            "background": "transparent",
            "font": '"Source Sans", system-ui, sans-serif',
            "view": {"strokeWidth": 0},
            "axis": {
                "labelColor": palette.muted,
                "gridColor": palette.line,
                "domainColor": palette.line,
                "tickColor": palette.line,
                "labelFontSize": 11,
            },
            "legend": {"labelColor": palette.ink, "labelFontSize": 12, "offset": 8, "padding": 0},
            "text": {"color": palette.ink},
        },
    }
