"""How error budgets went over time, and how fast they burnt: the objectives with the least left.

Both courses are those of ``/api/slos/history``, whose last points are the gauges' figures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import components, figures, words
from ..viewing.courses import courses
from ..viewing.view import View

_PATH, _MOST = "/api/slos/history", 6
_CHART_PX = 460
_LEAST_SHOWN = -1.0
"""Of a budget that is far overdrawn the course is cut here: what is left of the others could not be read any more."""
_MARKS = {"just right": 1.0, "tells somebody": 6.0, "at once": 14.4}
History = Mapping[str, Any]


def expect_budgets(view: View) -> None:
    """They stand further down: to be asked for early."""
    view.expect(_PATH, **view.params, limit=_MOST)


def budgets(view: View) -> None:
    found = view.ask(_PATH, **view.params, limit=_MOST).value
    if not found or not found["items"]:
        return  # what stands above has said why
    items, over = found["items"], figures.seconds(found["burn_over_s"])
    at = [point["at"] for point in items[0]["points"]]
    left_out = found["left_out"]
    worst = f", the {len(items)} with the least of {len(items) + left_out:,}" if left_out else ""
    with st.grid(2, min_column_width=_CHART_PX, gap="medium"):
        with st.container(gap="xsmall"):
            components.heading("Budget left", f"of each objective's window up to the moment{worst}")
            shares = {_name(each): [max(_LEAST_SHOWN, point["left"]) for point in each["points"]] for each in items}
            marks = {"overdrawn below": 0.0} if _least(shares) < 0 else {}
            courses(at, shares, view.palette, form="share", marks=marks, key="reliability-left",
                          alt_text="Share of each error budget that was left, over time")  # fmt: skip
        with st.container(gap="xsmall"):
            components.heading("Burn rate", f"over {over} up to the moment; 1 uses a budget up just in time")
            rates = {_name(each): [point["burn"] for point in each["points"]] for each in items}
            most = max((rate for course in rates.values() for rate in course if rate is not None), default=0.0)
            marks = {name: rate for name, rate in _MARKS.items() if rate <= max(most, 1.0)}
            courses(at, rates, view.palette, log=most > 20, marks=marks, key="reliability-burn",
                          alt_text="Burn rate of each error budget, over time")  # fmt: skip


def _name(item: History) -> str:
    """As the gauge is called."""
    group = ", ".join(item["group"].values())
    return words.plain(f"{item['name']} \N{MIDDLE DOT} {group}" if group else item["name"], 60)


def _least(courses: Mapping[str, Sequence[float]]) -> float:
    return min((value for course in courses.values() for value in course), default=1.0)
