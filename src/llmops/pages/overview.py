"""Overview: what is wrong now, how the calls of the window went against the window before, and the last of them.

Figures are those of ``/api/overview``, courses those of ``/api/series``; nothing is computed here but their difference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import charts, components, figures
from ..viewing.change import Better, change
from ..viewing.components import Card, Cell, link
from ..viewing.view import View
from .overview_troubles import troubles

_LAST = 20
_CLASSES = 2
"""Of errors that have a colour of their own; the others are one."""
_CHART_PX = 460
Figures = Mapping[str, Any]


def render(view: View) -> None:
    view.title("Overview", f"How calls went in {view.window.said(view.zone)}")
    view.expect("/api/overview", **view.params)
    view.expect("/api/series", **view.params)
    view.live(lambda: _wrong_now(view))
    view.live(lambda: _figures(view))
    view.live(lambda: _groups(view))
    view.live(lambda: _last_calls(view))


def _wrong_now(view: View) -> None:
    components.strip(troubles(view), "Nothing is wrong: no alert fires, every deployment answers")


def _figures(view: View) -> None:
    answer, drawn = view.ask_all([("/api/overview", view.params), ("/api/series", view.params)])
    if answer.problem is not None:
        view.show(answer.problem)
        return
    found = answer.value
    totals, before = found["totals"], found["before"]
    if not totals["calls"] and not before["calls"]:
        components.empty(
            "No calls in this window",
            "Look at a longer one, or make the first call:",
            "curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' "
            '-d \'{"model": "mock", "messages": [{"role": "user", "content": "Hello"}]}\'',
        )
        return
    course = drawn.value or {"series": [], "step_s": 60}
    points = course["series"][0]["points"] if course["series"] else []
    components.cards(_cards(totals, before, points))
    st.space("small")
    with st.grid(min_column_width=_CHART_PX, gap="medium"):
        _calls(view, points, course["step_s"])
        _latency(view, points)
        _tokens(view, points)
        _cost(view, points, course["step_s"])


def _cards(now: Figures, before: Figures, points: Sequence[Figures]) -> list[Card]:
    def card(
        name: str, label: str, path: str, shown: Any, better: Better, *, exact: Any = figures.exact, note: str = ""
    ) -> Card:
        value, earlier = _at(now, path), _at(before, path)
        in_points = path.endswith("_rate")
        return Card(
            name,
            label,
            shown(value),
            exact(value),
            change(value, earlier, better, in_points=in_points),
            note,
            [_at(point, path) for point in points],
        )

    latency = now["latency_ms"]
    middle = f"p50 {figures.milliseconds(latency['p50'])}"
    tails = f"p99 {figures.milliseconds(latency['p99'])}"
    return [
        card("calls", "Requests", "calls", figures.count, "neither"),
        card("success_rate", "Success rate", "success_rate", figures.share, "up", note=f"{now['errors']:,} failed"),
        card("latency_mean", "Mean latency", "latency_ms.mean", figures.milliseconds, "down", note=middle),
        card("latency_p95", "Latency, 95th percentile", "latency_ms.p95", figures.milliseconds, "down", note=tails),
        card("tokens", "Tokens", "tokens", figures.count, "neither"),
        card("cost", "Cost", "nanousd", figures.money, "down", exact=figures.exact_money),
        card(
            "json_success_rate",
            "JSON success rate",
            "json_success_rate",
            figures.share,
            "up",
            note=f"of {now['json_checked']:,}",
        ),
        card(
            "cache_hit_rate",
            "Cache hits",
            "cache_hit_rate",
            figures.share,
            "up",
            note=f"saved {figures.money(now['saved_nanousd'])}",
        ),
    ]


def _at(of: Figures, path: str) -> Any:
    value: Any = of
    for step in path.split("."):
        value = value[step]
    return value


def _calls(view: View, points: Sequence[Figures], step_s: float) -> None:
    errors = sorted({name for point in points for name in point["errors_by_type"]})
    totals = {name: sum(point["errors_by_type"].get(name, 0) for point in points) for name in errors}
    largest = sorted(errors, key=lambda name: -totals[name])[:_CLASSES]
    series: dict[str, list[float | None]] = {"succeeded": [point["calls"] - point["errors"] for point in points]}
    for name in largest:
        series[name] = [point["errors_by_type"].get(name, 0) for point in points]
    if len(errors) > len(largest):
        others = [name for name in errors if name not in largest]
        series["other errors"] = [sum(point["errors_by_type"].get(name, 0) for name in others) for point in points]
    blue, *warm = view.palette.series[0], *(view.palette.series[number] for number in (1, 3, 4, 7, 6))
    with st.container(gap="xsmall"):
        components.heading("Requests", f"and errors by class, each bar {figures.seconds(step_s)}")
        at = [point["at"] for point in points]
        charts.bars(at, series, view.palette, step_s=step_s, colours=[blue, *warm], key="overview-calls",
                    alt_text="Requests over time, by success and class of error")  # fmt: skip


def _latency(view: View, points: Sequence[Figures]) -> None:
    series = {name: [point["latency_ms"][name] for point in points] for name in ("p50", "p95", "p99")}
    with st.container(gap="xsmall"):
        components.heading("Latency", "of calls that were answered")
        palette = view.palette
        charts.lines([point["at"] for point in points], series, palette, unit="ms", form="ms",
                     colours=[palette.series[0], palette.series[4], palette.series[1]], key="overview-latency",
                     alt_text="Median, 95th and 99th percentile of latency over time")  # fmt: skip


def _tokens(view: View, points: Sequence[Figures]) -> None:
    series = {
        "in": [point["prompt_tokens"] for point in points],
        "out": [point["completion_tokens"] for point in points],
    }
    with st.container(gap="xsmall"):
        components.heading("Tokens", "in and out")
        charts.areas([point["at"] for point in points], series, view.palette, key="overview-tokens",
                     colours=[view.palette.series[5], view.palette.series[2]],
                     alt_text="Tokens in and out over time")  # fmt: skip


def _cost(view: View, points: Sequence[Figures], step_s: float) -> None:
    series: dict[str, list[float | None]] = {"cost": [point["nanousd"] / 1e9 for point in points]}
    with st.container(gap="xsmall"):
        total = figures.money(sum(point["nanousd"] for point in points))
        components.heading("Cost", f"{total} in all, each bar {figures.seconds(step_s)}")
        charts.bars([point["at"] for point in points], series, view.palette, step_s=step_s, form="usd",
                    colours=[view.palette.series[2]], key="overview-cost", alt_text="Cost over time")  # fmt: skip


def _groups(view: View) -> None:
    kinds = ["model"] if view.reader.tenant or view.tenant else ["model", "tenant"]
    st.space("small")
    with st.grid(2, min_column_width=_CHART_PX, gap="medium"):
        answers = view.ask_all([("/api/overview", {**view.params, "by": kind}) for kind in kinds])
        for kind, found in zip(kinds, answers, strict=True):
            if found.problem is None and found.value["rows"]:
                with st.container(gap="xsmall"):
                    components.heading(f"Top {kind}s", "by requests")
                    _top(kind, found.value["rows"][:8])


def _top(kind: str, rows: Sequence[Figures]) -> None:
    most = max(row["calls"] for row in rows) or 1
    components.table(
        [kind, "requests", "success", "p50", "p95", "tokens", "cost"],
        [
            [
                Cell(row[kind] or "none", title=row[kind] or ""),
                Cell(figures.count(row["calls"]), share=row["calls"] / most),
                figures.share(row["success_rate"]),
                figures.milliseconds(row["latency_ms"]["p50"]),
                figures.milliseconds(row["latency_ms"]["p95"]),
                figures.count(row["tokens"]),
                Cell(figures.money(row["nanousd"]), title=figures.exact_money(row["nanousd"])),
            ]
            for row in rows
        ],
        numbers=("requests", "success", "p50", "p95", "tokens", "cost"),
        caption=f"Top {kind}s",
    )


def _last_calls(view: View) -> None:
    components.heading("Last requests", "each leads to its trace")
    found = view.get("/api/traces", **view.params, limit=_LAST)
    if found is None:
        return
    if not found["items"]:
        components.empty("No requests in this window", "They appear here a moment after they have ended.")
        return
    components.table(
        ["when", "request", "state", "latency", "tokens", "cost", "tenant", "user", "session"],
        [_line(view, item) for item in found["items"]],
        numbers=("latency", "tokens", "cost"),
        caption="Last requests",
    )


def _line(view: View, item: Figures) -> list[Cell | str]:
    failed = item["errors"] or item["error_type"]
    state = str(item["error_type"] or item["status"] or "error") if failed else str(item["status"] or "ok")
    started_s = item["started_us"] / 1e6
    return [
        Cell(
            figures.moment(started_s, view.zone, now_s=view.now_s),
            to=link("traces", trace=item["trace_id"], tenant=view.tenant),
            title=figures.moment(started_s, view.zone),
        ),
        Cell(item["name"] or item["model"] or "call", title=item["model"] or ""),
        Cell(state, mood="bad" if failed else "good"),
        figures.milliseconds(item["duration_us"] / 1000),
        Cell(
            figures.count((item["input_tokens"] or 0) + (item["output_tokens"] or 0)),
            title=f"{item['input_tokens'] or 0:,} in, {item['output_tokens'] or 0:,} out",
        ),
        Cell(figures.money(item["cost_nanousd"]), title=figures.exact_money(item["cost_nanousd"])),
        item["tenant"] or "",
        item["user"] or "",
        item["session"] or "",
    ]
