"""A metric's values, or the differences of two runs, as bars of counts."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from ..viewing import charts
from ..viewing.view import View


def histogram(
    view: View,
    bins: Sequence[Mapping[str, Any]],
    shown: Callable[[float], str],
    *,
    key: str,
    alt_text: str,
    signed: bool = False,
) -> None:
    """Bins of counts; a bar for each value where there are few. ``signed``: below nothing is bad, above it good."""
    single = all(each["low"] == each["high"] for each in bins)
    names = [shown(each["low"]) if single else f"{shown(each['low'])} to {shown(each['high'])}" for each in bins]
    data = pd.DataFrame({"place": range(len(bins)), "values": names, "count": [each["count"] for each in bins]})
    told = [shown(each["low"]) for each in bins]
    labels = alt.Axis(labelExpr=f"{json.dumps(told)}[datum.value] || ''", labelAngle=0, labelOverlap=True, ticks=False)
    base = alt.Chart(data).encode(
        x=alt.X("place:O", title=None, axis=labels),
        tooltip=[alt.Tooltip("values:N", title="value"), alt.Tooltip("count:Q", title="count", format=",")],
    )
    drawn = base.mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2).encode(
        y=alt.Y("count:Q", title=None, axis=alt.Axis(tickCount=4, domain=False, ticks=False)),
        color=alt.Color("place:O", scale=alt.Scale(range=_colours(view, bins, signed)), legend=None),
    )
    ends = base.mark_text(dy=-7, fontSize=11, color=view.palette.ink).encode(y="count:Q", text="count:Q")
    charts.show(alt.layer(drawn, ends) if single else drawn, view.palette, key=key, alt_text=alt_text)


def _colours(view: View, bins: Sequence[Mapping[str, Any]], signed: bool) -> list[str]:
    palette = view.palette
    if not signed:
        return [palette.series[0]] * len(bins)
    middles = [each["low"] + each["high"] for each in bins]
    return [palette.good if at > 0 else palette.bad if at < 0 else palette.muted for at in middles]
