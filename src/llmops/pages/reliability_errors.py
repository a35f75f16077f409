"""Errors by model and class, as a field of tiles: which model fails, and of what."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
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
    base = alt.Chart(data).encode(
        x=alt.X("class:N", sort=classes, title=None,
                axis=alt.Axis(orient="top", labelAngle=0, labelLimit=150, domain=False, ticks=False,
                              labelOverlap=True)),
        y=alt.Y("model:N", sort=models, title=None, axis=alt.Axis(labelLimit=170, domain=False, ticks=False)),
        tooltip=[alt.Tooltip("model:N"), alt.Tooltip("class:N"), alt.Tooltip("calls:Q", format=","),
                 alt.Tooltip("share:Q", title="of its calls", format=".2%")],
    )  # fmt: skip
    tiles = base.mark_rect(cornerRadius=3, stroke=palette.ground, strokeWidth=2).encode(
        color=alt.Color("share:Q", scale=alt.Scale(range=list(palette.heat), domain=[0, most]), legend=None)
    )
    dark = alt.datum.share > most * 0.5
    text = base.mark_text(fontSize=12, fontWeight=600).encode(
        text="shown:N", color=alt.condition(dark, alt.value(palette.ground), alt.value(palette.ink))
    )
    charts.show(alt.layer(tiles, text), palette, height=_HEAD_PX + _ROW_PX * len(models), key="reliability-errors",
                alt_text="Errors by model and class")  # fmt: skip
