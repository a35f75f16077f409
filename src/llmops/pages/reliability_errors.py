"""Errors by model and class, as a field of tiles: which model fails, and of what."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..viewing import charts, components, words
from ..viewing.view import View

_MODELS, _CLASSES = 12, 10
_ROW_PX, _HEAD_PX = 34, 70
_NOBODY = "none"


def errors(view: View) -> None:
    components.heading(
        "Errors by model and class", "calls in the window; darker is a larger share of the model's calls"
    )
    found = view.get("/api/overview", **view.params, by="model")
    if found is None:
        return
    rows = [row for row in found["rows"] if row["errors"]]
    if not rows:
        what = "Calls were made, and none failed." if found["totals"]["calls"] else "No calls were made."
        components.empty("No errors in this window", what)
        return
    rows.sort(key=lambda row: -row["errors"])
    data, models, classes = field(rows)
    _tiles(view, data, models, classes)
    left = len(rows) - len(models)
    if left > 0:
        components.heading("", f"and {left:,} models with fewer errors")


def field(rows: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A tile for every model and class; what is beyond the largest classes is one."""
    sums: dict[str, int] = {}
    for row in rows:
        for name, count in row["errors_by_type"].items():
            sums[name] = sums.get(name, 0) + count
    largest = sorted(sums, key=lambda name: (-sums[name], name))
    kept = largest if len(largest) <= _CLASSES else largest[: _CLASSES - 1]
    tiles = []
    for row in rows[:_MODELS]:
        model = words.plain(row["model"] or _NOBODY, 40)
        counts = {name: row["errors_by_type"].get(name, 0) for name in kept}
        if len(largest) > len(kept):
            counts["others"] = row["errors"] - sum(counts.values())
        tiles += [
            {"model": model, "class": words.plain(name, 40), "calls": count, "share": count / row["calls"]}
            for name, count in counts.items()
        ]
    data = pd.DataFrame(tiles)
    return data, list(dict.fromkeys(data["model"])), list(dict.fromkeys(data["class"]))


def _tiles(view: View, data: pd.DataFrame, models: list[str], classes: list[str]) -> None:
    palette = view.palette
    data["shown"] = data["calls"].map(lambda count: f"{count:,}" if count else "")
    most = max(float(data["share"].max()), 1e-9)
    names = {"labelLimit": 170, "domain": False, "ticks": False}
    heads = {**names, "orient": "top", "labelAngle": 0, "labelLimit": 150, "labelOverlap": True}
    along = {
        "x": {"field": "class", "type": "nominal", "sort": classes, "title": None, "axis": heads},
        "y": {"field": "model", "type": "nominal", "sort": models, "title": None, "axis": names},
        "tooltip": [
            {"field": "model", "type": "nominal"},
            {"field": "class", "type": "nominal"},
            {"field": "calls", "type": "quantitative", "format": ","},
            {"field": "share", "type": "quantitative", "title": "of its calls", "format": ".2%"},
        ],
    }
    depth = {"type": "quantitative", "scale": {"range": list(palette.heat), "domain": [0, most]}, "legend": None}
    dark = {"test": f"datum.share > {most * 0.5}", "value": palette.ground}
    tiles = {
        "mark": {"type": "rect", "cornerRadius": 3, "stroke": palette.ground, "strokeWidth": 2},
        "encoding": {**along, "color": {"field": "share", **depth}},
    }
    text = {
        "mark": {"type": "text", "fontSize": 12, "fontWeight": 600},
        "encoding": {
            **along,
            "text": {"field": "shown", "type": "nominal"},
            "color": {"condition": dark, "value": palette.ink},
        },
    }
    charts.layers([tiles, text], data, palette, height=_HEAD_PX + _ROW_PX * len(models), key="reliability-errors",
                  alt_text="Errors by model and class")  # fmt: skip
