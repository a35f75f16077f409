"""Lines of several things with long names: a legend instead of names at their ends, and marks that mean something.

The look is that of `charts`; lines differ in their dashes as well as in their colours.
"""

from collections.abc import Mapping, Sequence

from . import charts, vega, words
from .palette import Palette
from .vega import Series, Spec

_VALUE = {"field": "value", "type": "quantitative", "title": None}
_DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [12, 4], [4, 2, 1, 2])


def courses(
    at_s: Sequence[float],
    series: Series,
    palette: Palette,
    *,
    form: str = "count",
    log: bool = False,
    marks: Mapping[str, float] | None = None,
    height: int = charts.HEIGHT,
    key: str,
    alt_text: str = "",
) -> None:
    """``marks`` are dashed lines across, each with its name at the left."""
    names = [words.plain(name, 60) for name in series]
    dashed = [_DASHES[number % len(_DASHES)] for number in range(len(names))]
    dashes = {"field": "series", "type": "nominal", "legend": None, "scale": {"domain": names, "range": dashed}}
    along = {
        "x": vega.time_axis(),
        "y": {**_VALUE, "axis": vega.value_axis(form, ""), "scale": vega.value_scale(log=log)},
        "color": _legend(vega.colour(series, palette, None, legend=True)),
    }
    drawn: list[Spec] = [
        *_marks(at_s, marks or {}, palette),
        {
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "monotone", "clip": True},
            "encoding": {**along, "strokeDash": dashes},
        },
        # A value between two gaps is a line to nowhere.
        {"mark": {"type": "point", "size": 7, "filled": True, "opacity": 1}, "encoding": along},
        vega.pointer(series, palette, ""),
    ]
    charts.layers(drawn, charts.frame(at_s, series), palette, height=height, key=key, alt_text=alt_text)


def _legend(hue: Spec) -> Spec:
    return {**hue, "legend": {**hue["legend"], "symbolType": "stroke", "symbolStrokeWidth": 3, "labelLimit": 210}}


def _marks(at_s: Sequence[float], marks: Mapping[str, float], palette: Palette) -> list[Spec]:
    if not marks or not at_s:
        return []
    values = [{"name": name, "value": value, "at": round(min(at_s) * 1000)} for name, value in marks.items()]
    data, y = {"values": values}, {"field": "value", "type": "quantitative"}
    line = {"type": "rule", "strokeDash": [3, 4], "color": palette.muted, "opacity": 0.8}
    name = {"type": "text", "align": "left", "dx": 3, "dy": -6, "fontSize": 10, "color": palette.muted}
    x, text = {"field": "at", "type": "temporal"}, {"field": "name", "type": "nominal"}
    return [
        {"data": data, "mark": line, "encoding": {"y": y}},
        {"data": data, "mark": name, "encoding": {"x": x, "y": y, "text": text}},
    ]
