"""What the month will have cost: what was spent, what is expected, and between what it lies nine times out of ten."""

from typing import Any

import altair as alt
import pandas as pd

from ..viewing import charts, components, figures, gauges
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
        was.append({"day": each["day"], "usd": total / 1e9})
    last = was[-1]
    ahead = [{"day": last["day"], "low": last["usd"], "usd": last["usd"], "high": last["usd"]}]
    ahead += [
        {
            "day": each["day"],
            "low": each["low_nanousd"] / 1e9,
            "usd": each["expected_nanousd"] / 1e9,
            "high": each["high_nanousd"] / 1e9,
        }
        for each in found["ahead"][1:]
    ]
    palette = view.palette
    day = alt.X("day:T", title=None, axis=alt.Axis(grid=False, format="%d %b", tickCount=8, labelOverlap=True))
    money = alt.Axis(labelExpr="format(datum.value, '$,.2~r')", tickCount=4, domain=False, ticks=False, title=None)
    band = (
        alt.Chart(_frame(ahead))
        .mark_area(color=palette.series[0], opacity=0.18)
        .encode(x=day, y=alt.Y("low:Q", axis=money), y2="high:Q")
    )
    guess = (
        alt.Chart(_frame(ahead))
        .mark_line(color=palette.series[0], strokeDash=[5, 4], strokeWidth=2)
        .encode(x=day, y=alt.Y("usd:Q", axis=money), tooltip=_tips("expected", "low", "high"))
    )
    real = (
        alt.Chart(_frame(was))
        .mark_line(color=palette.series[0], strokeWidth=2.5, point={"size": 18, "filled": True})
        .encode(x=day, y=alt.Y("usd:Q", axis=money), tooltip=_tips("spent"))
    )
    charts.show(alt.layer(band, guess, real), palette, height=_HEIGHT, key="costs-forecast",
                alt_text="Money since the first of the month, and what is expected with its interval")  # fmt: skip


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    found = pd.DataFrame(rows)
    found["day"] = pd.to_datetime(found["day"])
    return found


def _tips(name: str, *others: str) -> list[alt.Tooltip]:
    shown = {"usd": name, **{other: other for other in others}}
    tips = [alt.Tooltip("day:T", title="by the end of", format="%d %b")]
    return [*tips, *(alt.Tooltip(f"{each}:Q", title=title, format="$,.4~r") for each, title in shown.items())]
