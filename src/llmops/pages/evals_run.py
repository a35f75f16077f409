"""One run: what it depends on, its metrics with intervals, one metric's spread and slices, its cells worst first."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Card, Cell, link
from ..viewing.judging import About
from ..viewing.view import View
from . import evals_case, evals_cells
from .evals_figures import (
    Run,
    bounds_of,
    commit_of,
    figure_cell,
    here,
    metric_of,
    run_path,
    state_of,
    tenant_of,
    value_of,
)
from .evals_histogram import histogram

_MOST_SLICES = 40


def render(view: View, run_id: str) -> None:
    view.title("Run", "what was asked, what came out, how it was judged")
    run = view.get(run_path(run_id), **tenant_of(view))
    if run is None:
        judging.crumbs([("All runs", here(view)), (run_id, None)])
        return
    case = address.read("case")
    if case:
        evals_case.render(view, run, case)
        return
    judging.crumbs([("All runs", here(view)), (run_id, None)])
    _about(view, run)
    if run["summary"] is None:
        components.empty(
            "Nothing has been stored of this run yet",
            "Its first figures come when it ends, or with:",
            f"llmops eval resume {run_id}",
        )
        return
    view.live(lambda: _cards(view, run_id))
    st.space("small")
    _metrics(view, run)
    metric = _chosen(run)
    if metric is not None:
        st.space("small")
        with st.grid(min_column_width=460, gap="medium"):
            _spread(view, run, metric)
            _slices(view, run, metric)
    st.space("small")
    evals_cells.render(view, run, metric)


def _about(view: View, run: Run) -> None:
    facts = [
        About("state", state_of(run)),
        About(
            "dataset",
            f"{run['dataset']}@{run['dataset_version']}",
            link("datasets", dataset=run["dataset"], tenant=view.tenant),
        ),
        *(About(name, str(value)) for name, value in run["subject"].items()),
        About("began", figures.moment(run["started_at_ms"] / 1000, view.zone)),
        About("repeats", str(run["repeats"])),
        About("seed", str(run.get("seed", 0))),
        About("commit", commit_of(run.get("code_revision")), title=run.get("code_revision") or "no revision is known"),
        About("scorers", ", ".join(run["scorers"])),
        *(About(name, str(value)) for name, value in run.get("labels", {}).items()),
    ]
    if view.reader.tenant is None:
        facts.append(About("tenant", run["tenant"]))
    facts.append(About("compare", "with another run", here(view, show="compare", second=run["run_id"])))
    judging.about(facts)


def _cards(view: View, run_id: str) -> None:
    found = view.get(run_path(run_id), **tenant_of(view))
    if found is None or found["summary"] is None:
        return
    summary = found["summary"]
    judged, cells = summary["judged"], summary["cells"]
    latency = summary["latency_ms"] or {"p50": None, "p95": None}
    passed = summary["passed"] / judged if judged else None
    cost = summary["cost_nanousd"] + summary["judge_cost_nanousd"]
    errors = ", ".join(f"{count} {code}" for code, count in summary["errors"].items())
    ended = found["ended_at_ms"]
    took = figures.seconds((ended - found["started_at_ms"]) / 1000) if ended else found["state"]
    said = f"{summary['passed']:,} of {judged:,}"
    tail = f"p95 {figures.milliseconds(latency['p95'])}; {summary['cached']:,} from a cache"
    tokens = figures.count(summary["tokens_in"] + summary["tokens_out"])
    paid = f"{tokens} tokens; judges {figures.money(summary['judge_cost_nanousd'])}"
    paid += f"; {summary['unpriced']:,} unpriced" if summary["unpriced"] else ""
    components.cards(
        [
            Card("passed", "Passed", figures.share(passed), said, note=f"{said} judged, in {took}"),
            Card("failed", "No answer", f"{summary['failed']:,}", note=errors or f"of {cells:,} cells"),
            Card("latency", "Latency, median", figures.milliseconds(latency["p50"]), note=tail),
            Card("cost", "Cost", figures.money(cost), figures.exact_money(cost), note=paid),
        ]
    )


def _metrics(view: View, run: Run) -> None:
    rows: list[list[Cell | str]] = []
    for figure in run["summary"]["metrics"]:
        metric = metric_of(run, figure["name"])
        axis = judging.axis_of([figure], *bounds_of(metric))
        kind = "advisory" if metric["advisory"] else "decides"
        rows.append(
            [
                Cell(words.plain(figure["name"], 50), to=here(view, run=run["run_id"], metric=figure["name"])),
                figure_cell(metric, figure, axis),
                f"{value_of(metric, figure['low'])} to {value_of(metric, figure['high'])}",
                f"{figure['n']:,}",
                f"{figure['units']:,}",
                Cell(f"{figure['errors']:,}", mood="bad" if figure["errors"] else "neutral"),
                f"{figure['unmeasured']:,}",
                f"{figure['direction']} is better",
                kind,
            ]
        )
    components.heading("Metrics", "each with its 95 % interval; a name leads to its spread and slices")
    columns = ["metric", "mean", "95 % interval", "values", "independent", "scorer failed", "not measured", "", "role"]
    numbers = ("values", "independent", "scorer failed", "not measured")
    components.table(columns, rows, numbers=numbers, caption="Metrics")


def _chosen(run: Run) -> dict[str, Any] | None:
    """The metric in the address, or the first."""
    names = [each["name"] for each in run["metrics"]]
    if not names:
        return None
    return metric_of(run, address.read("metric", names[0], valid=names.__contains__))


def _spread(view: View, run: Run, metric: Mapping[str, Any]) -> None:
    with st.container(gap="xsmall"):
        components.heading(words.plain(metric["name"], 50), "how its values are spread")
        found = view.get(run_path(run["run_id"], "distribution"), **tenant_of(view), metric=metric["name"])
        if found is None:
            return
        if not found["bins"]:
            components.empty("Nothing was measured", "The scorer has said why beside each cell below.")
            return
        histogram(
            view,
            found["bins"],
            lambda value: value_of(metric, value),
            key="evals-spread",
            alt_text=f"How the values of {words.plain(metric['name'], 50)} are spread",
        )


def _slices(view: View, run: Run, metric: Mapping[str, Any]) -> None:
    found = {
        group: figure
        for group, all_of in run["summary"]["slices"].items()
        for figure in all_of
        if figure["name"] == metric["name"] and figure["mean"] is not None
    }
    if any(not group.startswith("cluster=") for group in found):  # clusters are units of chance, no topics
        found = {group: figure for group, figure in found.items() if not group.startswith("cluster=")}
    whole = next((each for each in run["summary"]["metrics"] if each["name"] == metric["name"]), None)
    with st.container(gap="xsmall"):
        components.heading("By slice", "the worst first; the dashed line is the whole run")
        if not found or whole is None:
            components.empty("No slices", "Give cases metadata, such as a topic or a language: each value is a slice.")
            return
        worst = sorted(found, key=lambda each: found[each]["mean"], reverse=metric["direction"] == "lower")
        axis = judging.axis_of([*found.values(), whole], *bounds_of(metric))
        components.table(
            ["slice", "mean", "values", ""],
            [
                [
                    Cell(words.plain(group, 40), to=_sliced(view, run, metric, group), title=group),
                    value_of(metric, found[group]["mean"]),
                    f"{found[group]['n']:,}",
                    Cell(
                        "",
                        beside=judging.interval(
                            found[group]["mean"],
                            found[group]["low"],
                            found[group]["high"],
                            axis,
                            reference=whole["mean"],
                            wide=True,
                        ),
                    ),
                ]
                for group in worst[:_MOST_SLICES]
            ],
            numbers=("mean", "values"),
            caption="Slices",
        )


def _sliced(view: View, run: Run, metric: Mapping[str, Any], group: str) -> str:
    return here(view, run=run["run_id"], metric=metric["name"], slice=group)
