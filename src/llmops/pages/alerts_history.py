"""What was: each alert's stretches of firing along the window, and the changes, latest first."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from ..viewing import charts, components, figures, words
from ..viewing.components import Cell, Mood
from ..viewing.view import View
from .alerts_words import labels_of, mood_of, of_tenant, seconds_of, value_of

_MOST, _SHOWN, _LANES = 1000, 30, 10
_LANE_PX, _FOOT_PX = 30, 34
_CHANGES: dict[str, Mood] = {"firing": "bad", "resolved": "good", "pending": "neutral", "calmed": "neutral"}
_CLOCK = "timeFormat(datum.value, hours(datum.value) + minutes(datum.value) == 0 ? '%d %b' : '%H:%M')"
Event = Mapping[str, Any]


def show(view: View, rule: str) -> None:
    first_s, last_s = view.window.bounds(view.now_s)
    ends = {"from_": _iso(first_s), "to": _iso(last_s)}
    events = view.get("/api/alerts/history", **ends, rule=rule, limit=_MOST)
    if events is None:
        return
    events = [each for each in events if of_tenant(each, view)]
    components.heading("History", f"{figures.count(len(events))} changes in {view.window.said(view.zone)}")
    if not events:
        components.empty(
            "No alert has changed in this window",
            "Look at a longer one. A test message shows who would be told:",
            "llmops alerts test",
        )
        return
    _timeline(view, stretches(events, first_s, last_s))
    components.table(
        ["when", "change", "severity", "rule", "of", "value", "threshold", "detail"],
        [_row(view, each) for each in events[:_SHOWN]],
        numbers=("value", "threshold"),
        caption="Changes of alerts",
    )


def stretches(events: Sequence[Event], first_s: float, last_s: float) -> list[dict[str, Any]]:
    """When each alert fired, cut at the window; events come latest first."""
    found, began = [], dict[str, Event]()

    def add(event: Event, begin_s: float, end_s: float) -> None:
        name = words.plain(f"{event['rule']} {labels_of(event['labels'])}".strip(), 60)
        found.append({"alert": name, "severity": event["severity"], "begin": begin_s, "end": end_s})

    for event in reversed(events):
        if event["change"] == "firing":
            began.setdefault(event["fingerprint"], event)
        elif event["change"] == "resolved":
            start = began.pop(event["fingerprint"], None)
            add(event, seconds_of(start["at"]) if start else first_s, seconds_of(event["at"]))
    for event in began.values():
        add(event, seconds_of(event["at"]), last_s)
    return found


def _timeline(view: View, found: Sequence[Mapping[str, Any]]) -> None:
    lanes = list(dict.fromkeys(each["alert"] for each in sorted(found, key=lambda each: -each["end"])))[:_LANES]
    if not lanes:
        return
    first_s, last_s = view.window.bounds(view.now_s)
    data = pd.DataFrame([each for each in found if each["alert"] in lanes])
    least_s = (last_s - first_s) / 250  # what was over in a moment is still seen
    data["end"] = data["end"].clip(lower=data["begin"] + least_s)
    for end in ("begin", "end"):
        data[end] = pd.to_datetime(data[end], unit="s", utc=True)
    palette = view.palette
    colours = {"critical": palette.bad, "warning": palette.series[4], "info": palette.series[6]}
    colours = {severity: colour for severity, colour in colours.items() if severity in set(data["severity"])}
    domain = [round(at * 1000) for at in (first_s, last_s)]
    moment, exact = {"type": "temporal", "title": None}, {"type": "temporal", "format": "%d %b %H:%M:%S"}
    across = {"grid": True, "tickCount": 6, "labelExpr": _CLOCK}
    legend = {"orient": "top", "title": None, "symbolType": "square"}
    hues = {"domain": list(colours), "range": list(colours.values())}
    drawn = {
        "mark": {"type": "bar", "cornerRadius": 3, "height": {"band": 0.62}},
        "encoding": {
            "x": {"field": "begin", **moment, "scale": {"domain": domain}, "axis": across},
            "x2": {"field": "end"},
            "y": {
                "field": "alert",
                "type": "nominal",
                "title": None,
                "sort": lanes,
                "axis": {"labelLimit": 240, "ticks": False, "domain": False},
            },
            "color": {"field": "severity", "type": "nominal", "scale": hues, "legend": legend},
            "tooltip": [
                {"field": "alert", "type": "nominal"},
                {"field": "severity", "type": "nominal"},
                {"field": "begin", **exact, "title": "from"},
                {"field": "end", **exact, "title": "until"},
            ],
        },
    }
    height = len(lanes) * _LANE_PX + _FOOT_PX + 26
    charts.layers([drawn], data, palette, height=height, key="alerts-timeline", alt_text="When each alert fired")


def _row(view: View, event: Event) -> list[Cell | str]:
    at_s, labels = seconds_of(event["at"]), labels_of(event["labels"])
    return [
        Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone)),
        Cell(event["change"], mood=_CHANGES.get(event["change"], "neutral")),
        Cell(event["severity"], mood=mood_of(event["severity"]) if event["change"] == "firing" else "neutral"),
        event["rule"],
        Cell(labels, title=labels),
        value_of(event["kind"], event["value"]),
        value_of(event["kind"], event["threshold"]),
        Cell(event["detail"], title=event["detail"]),
    ]


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
