"""How calls were rescued or turned away over time: second attempts, last resorts, refusals and sheds.

A call that was answered at the second attempt is no error; it is seen here and nowhere else. Failovers are among the
second attempts: which of them went elsewhere is only counted since the gateway's start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import charts, components, figures, gauges
from ..viewing.gauges import Fact
from ..viewing.view import View

_CHART_PX = 460
_REFUSALS = {
    "rate_limit_exceeded": "rate limit",
    "budget_exceeded": "budget",
    "overloaded": "shed",
    "draining": "draining",
}
Figures = Mapping[str, Any]
Metrics = Mapping[str, Sequence[Figures]]


def courses(view: View) -> None:
    components.heading("Rescued and turned away", view.window.said(view.zone))
    asked: list[tuple[str, Mapping[str, Any]]] = [("/api/overview", view.params), ("/api/series", view.params)]
    found, series, *counted = view.ask_all([*asked, *([("/api/metrics", {})] if view.reader.tenant is None else [])])
    if found.problem is not None:
        view.show(found.problem)
        return
    totals = found.value["totals"]
    metrics = counted[0].value if counted else None
    gauges.facts(_facts(totals, metrics or {}, known=metrics is not None))
    if not totals["calls"]:
        components.empty("No calls in this window", "Look at a longer one, or make a call.", "llmops demo")
        return
    if series.problem is not None:
        view.show(series.problem)
        return
    lines = series.value["series"]
    points = lines[0]["points"] if lines else []
    with st.grid(2, min_column_width=_CHART_PX, gap="medium"):
        _rescued(view, points, series.value["step_s"])
        _refused(view, points, series.value["step_s"])


def _facts(totals: Figures, metrics: Metrics, *, known: bool) -> list[Fact]:
    refused = {name: totals["errors_by_type"].get(name, 0) for name in _REFUSALS}
    calls = totals["calls"]

    def part(count: int) -> str:
        return f"{figures.share(count / calls)} of all calls" if calls else ""

    second = totals["attempts"] - calls if totals["attempts"] > calls else 0
    found = [
        Fact("retried", "Calls tried again", figures.count(totals["retried_calls"]), part(totals["retried_calls"]),
             title=f"{second:,} attempts more than calls" if second else ""),
        Fact("degraded", "Last resorts answered", figures.count(totals["degraded_calls"]),
             part(totals["degraded_calls"]), _warned(totals["degraded_calls"])),
        Fact("rate_limited", "Refused: rate limits", figures.count(refused["rate_limit_exceeded"]),
             part(refused["rate_limit_exceeded"])),
        Fact("over_budget", "Refused: budgets", figures.count(refused["budget_exceeded"]),
             part(refused["budget_exceeded"])),
        Fact("shed", "Shed: too much to do", figures.count(refused["overloaded"]), part(refused["overloaded"]),
             _warned(refused["overloaded"])),
    ]  # fmt: skip
    if known:
        found += [
            _since("failovers", "Went elsewhere", metrics, "llm_failovers_total"),
            _since("cut", "Streams cut", metrics, "llm_streams_cut_total"),
        ]
    return found


def _warned(count: int) -> Any:
    return "warn" if count else "neutral"


def _since(name: str, label: str, metrics: Metrics, metric: str) -> Fact:
    count = sum(each["value"] for each in metrics.get(metric, ()))
    by = ", ".join(f"{', '.join(each['labels'].values())} {each['value']:,.0f}" for each in metrics.get(metric, ())
                   if each["value"])  # fmt: skip
    return Fact(name, label, figures.count(count), "since the gateway's start", title=by)


def _rescued(view: View, points: Sequence[Figures], step_s: float) -> None:
    series: dict[str, list[float | None]] = {
        "tried again": [point["retried_calls"] for point in points],
        "last resort": [point["degraded_calls"] for point in points],
    }
    palette = view.palette.series
    with st.container(gap="xsmall"):
        components.heading("Rescued", f"calls, each bar {figures.seconds(step_s)}")
        charts.bars([point["at"] for point in points], series, view.palette, step_s=step_s,
                    colours=[palette[5], palette[4]], key="reliability-rescued",
                    alt_text="Calls that were tried again or answered by a last resort, over time")  # fmt: skip


def _refused(view: View, points: Sequence[Figures], step_s: float) -> None:
    series: dict[str, list[float | None]] = {
        label: [point["errors_by_type"].get(name, 0) for point in points] for name, label in _REFUSALS.items()
    }
    if not any(series["draining"]):
        del series["draining"]
    palette = view.palette.series
    with st.container(gap="xsmall"):
        components.heading("Turned away", f"by the gateway itself, each bar {figures.seconds(step_s)}")
        charts.bars([point["at"] for point in points], series, view.palette, step_s=step_s,
                    colours=[palette[0], palette[4], palette[1], palette[6]], key="reliability-refused",
                    alt_text="Calls refused by limits, budgets or for overload, over time")  # fmt: skip
