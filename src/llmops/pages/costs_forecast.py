"""What the month will have cost: what was spent, what is expected, and between what it lies nine times out of ten."""

from typing import Any

import pandas as pd

from ..viewing import charts, components, figures, gauges, vega
from ..viewing.gauges import Fact
from ..viewing.view import View
from .costs_query import Narrowed, Row

_HEIGHT = 300


def forecast(view: View, to: Narrowed) -> None:
    if to.release:
        components.heading("End of the month", "not told apart by release")
        return
    asked = {name: value for name, value in to._asdict().items() if name != "release" and value}
    found = view.get("/api/forecast", **asked)
    if found is None:
        return
    ahead = found["forecast"]
    chance = f"{found['confidence'] * 100:.0f} %"
    components.heading("End of the month", f"{found['month']}, UTC; whatever window is chosen above")
    if ahead is None:
        components.empty(
            "Too few days for a forecast",
            f"It needs {found['days_needed']} whole days with calls before today, and knows {found['days_known']}. "
            f"Spent this month: {figures.money(found['spent_nanousd'])}.",
            "llmops usage --forecast",
        )
        return
    basis = f"from {found['days_known']} days" + (", so a wide guess" if found["days_known"] < 7 else "")
    gauges.facts(
        [
            Fact("spent_month", "Spent this month", figures.money(found["spent_nanousd"]), "until now",
                 title=figures.exact_money(found["spent_nanousd"])),
            Fact("expected", "Expected by its end", figures.money(ahead["expected_nanousd"]), basis,
                 title=figures.exact_money(ahead["expected_nanousd"])),
            Fact("interval", f"With {chance} certainty",
                 f"{figures.money(ahead['low_nanousd'])} to {figures.money(ahead['high_nanousd'])}",
                 "between these"),
        ]
    )  # fmt: skip
    _chart(view, found)


def _chart(view: View, found: Row) -> None:
    """Money since the first of the month: what was, and what is to come with its interval."""
    total, was = 0, []
    for each in found["days"]:
        total += each["nanousd"]
        was.append({"day": each["day"], "spent": total / 1e9})
    last = was[-1]
    ahead = [{"day": last["day"], "low": last["spent"], "expected": last["spent"], "high": last["spent"]}]
    ahead += [
        {
            "day": each["day"],
            "low": each["low_nanousd"] / 1e9,
            "expected": each["expected_nanousd"] / 1e9,
            "high": each["high_nanousd"] / 1e9,
        }
        for each in found["ahead"][1:]
    ]
    palette = view.palette
    blue = palette.series[0]
    by_day = {"grid": False, "format": "%d %b", "tickCount": 8, "labelOverlap": True}
    money = {"labelExpr": "format(datum.value, '$,.2~r')", "tickCount": 4, "domain": False, "ticks": False}
    day = {"field": "day", "type": "temporal", "title": None, "axis": by_day}
    amount = {"type": "quantitative", "title": None, "axis": money}
    band = {
        "mark": {"type": "area", "color": blue, "opacity": 0.18},
        "encoding": {"x": day, "y": {"field": "low", **amount}, "y2": {"field": "high"}},
    }
    guess = {
        "mark": {"type": "line", "color": blue, "strokeDash": [5, 4], "strokeWidth": 2},
        "encoding": {"x": day, "y": {"field": "expected", **amount}, "tooltip": _tips("expected", "low", "high")},
    }
    real = {
        "mark": {"type": "line", "color": blue, "strokeWidth": 2.5, "point": {"size": 18, "filled": True}},
        "encoding": {"x": day, "y": {"field": "spent", **amount}, "tooltip": _tips("spent")},
    }
    charts.layers([band, guess, real], _frame([*was, *ahead]), palette, height=_HEIGHT, key="costs-forecast",
                  alt_text="Money since the first of the month, and what is expected with its interval")  # fmt: skip


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    found = pd.DataFrame(rows)
    found["day"] = pd.to_datetime(found["day"])
    return found


def _tips(*names: str) -> list[vega.Spec]:
    tips: list[vega.Spec] = [{"field": "day", "type": "temporal", "title": "by the end of", "format": "%d %b"}]
    return [*tips, *({"field": each, "type": "quantitative", "format": "$,.4~r"} for each in names)]
