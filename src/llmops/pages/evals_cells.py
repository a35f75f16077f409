"""The cells of a run in a table: filtered, worst first, each leading to its case."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, words
from ..viewing.components import Cell, Mood
from ..viewing.view import View
from .evals_figures import Run, here, metric_of, offset_now, pager, run_path, tenant_of, trace_link, value_of

_LIMIT = 25
_WHICH = {"all": "All", "unpassed": "Not passed", "failed": "No answer"}
_ORDERS = {
    "worst": "Worst first",
    "best": "Best first",
    "slowest": "Slowest first",
    "dearest": "Dearest first",
    "case": "By case",
}


def render(view: View, run: Run, metric: Mapping[str, Any] | None) -> None:
    components.heading("Cases", f"by {words.plain(metric['name'], 50)}" if metric else "")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        which = address.choose(
            "Which", "which", list(_WHICH), "all", format_func=_WHICH.__getitem__, label_visibility="collapsed"
        )
        order = address.select(
            "Order",
            "order",
            list(_ORDERS),
            "worst",
            format_func=_ORDERS.__getitem__,
            width=170,
            label_visibility="collapsed",
        )
        groups = ["", *run["summary"]["slices"]]
        group = address.select(
            "Slice",
            "slice",
            groups,
            width=220,
            label_visibility="collapsed",
            format_func=lambda name: words.plain(name, 40) if name else "All slices",
        )
        search = address.text(
            "Case", "search", placeholder="Part of a case's id", width=220, label_visibility="collapsed"
        )
    found = view.get(
        run_path(run["run_id"], "cells"),
        **tenant_of(view),
        metric=metric["name"] if metric else None,
        which=which,
        order=order,
        slice=group,
        search=search,
        offset=offset_now(),
        limit=_LIMIT,
    )
    if found is None:
        return
    if not found["cells"]:
        if which == "all" and not (search or group):
            components.empty("No cell has a result yet", "Go on with the run:", f"llmops eval resume {run['run_id']}")
        else:
            components.empty("No case is like that", "Take a filter off; with “No answer”, that is good news.")
        return
    names = [each["name"] for each in run["metrics"]][:6]
    columns = ["case", *(["repeat"] if run["repeats"] > 1 else []), "state", *(words.plain(name, 30) for name in names)]
    components.table(
        [*columns, *_measured(names), "cost", "trace"],
        [_cell(view, run, cell, names) for cell in found["cells"]],
        numbers=(*(words.plain(name, 30) for name in names), "latency", "cost"),
        caption="Cases",
    )
    pager(found["total"], _LIMIT)


def _cell(view: View, run: Run, cell: Mapping[str, Any], names: list[str]) -> list[Cell | str]:
    unpassed = [name for name, score in cell["scores"].items() if score["passed"] is False]
    state = cell["error"] or ("not passed" if unpassed else "passed" if _is_judged(cell) else "judged")
    mood: Mood = "bad" if cell["error"] or unpassed else "good" if _is_judged(cell) else "neutral"
    to = here(view, run=run["run_id"], case=cell["case_id"])
    row: list[Cell | str] = [
        Cell(words.plain(cell["case_id"], 44), to=to, title=cell["case_id"]),
        *([str(cell["repeat"])] if run["repeats"] > 1 else []),
        Cell(words.plain(state, 30), mood=mood, title=", ".join(unpassed)),
    ]
    for name in names:
        score = cell["scores"].get(name) or {"value": None, "error": None}
        shown = f"failed: {score['error']}" if score["error"] else value_of(metric_of(run, name), score["value"])
        row.append(Cell(shown))
    return [
        *row,
        *(figures.milliseconds(cell["latency_ms"]) for _ in _measured(names)),
        Cell(figures.money(cell["cost_nanousd"]), title=figures.exact_money(cell["cost_nanousd"])),
        Cell("trace", to=trace_link(view, cell["trace_id"])) if cell["trace_id"] else Cell(""),
    ]


def _measured(names: list[str]) -> list[str]:
    """Latency, unless a metric shows it already."""
    return [] if "latency" in names else ["latency"]


def _is_judged(cell: Mapping[str, Any]) -> bool:
    return any(score["passed"] is not None for score in cell["scores"].values())
