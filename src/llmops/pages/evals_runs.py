"""The list of runs: state, figures with their intervals, cost, versions; each leads to its run."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Cell, link
from ..viewing.view import View
from .evals_figures import STATES, Run, commit_of, figure_cell, here, metric_of, state_of, subject_of, tenant_of

_LIMIT, _MOST_METRICS = 50, 2
_STATES = {"": "All states", "complete": "Complete", "running": "Running", "interrupted": "Interrupted"}


def render(view: View) -> None:
    dataset, state = _filters(view)
    view.live(lambda: _runs(view, dataset, state))


def _filters(view: View) -> tuple[str, str]:
    found = view.ask("/api/evals/metrics", **tenant_of(view)).value or []
    names = list(dict.fromkeys(each["dataset"] for each in found))
    wanted = address.read("dataset")
    options = ["", *names, *([wanted] if wanted and wanted not in names else [])]
    with st.container(horizontal=True, gap="small"):
        dataset = address.select(
            "Dataset",
            "dataset",
            options,
            width=260,
            label_visibility="collapsed",
            format_func=lambda name: words.plain(name, 40) if name else "All datasets",
        )
        state = address.select(
            "State", "state", list(_STATES), width=180, label_visibility="collapsed", format_func=_STATES.__getitem__
        )
    return dataset, state


def _runs(view: View, dataset: str, state: str) -> None:
    after = address.read("after")
    found = view.get("/api/evals/runs", **tenant_of(view), dataset=dataset, state=state, after=after, limit=_LIMIT)
    if found is None:
        return
    runs = found["runs"]
    if not runs:
        if dataset or state or after:
            components.empty("No run is like that", "Take a filter off.")
        else:
            components.empty(
                "No evals have been run yet",
                "A run asks every case of a dataset, judges the answers and shows here, with intervals:",
                "llmops eval run my-eval.yaml",
            )
        return
    components.table(
        _columns(view, runs),
        [_row(view, run, _metrics(runs), _axes(runs)) for run in runs],
        numbers=("failed", "cost"),
        caption="Runs",
    )
    if found["next"] or after:
        with st.container(horizontal=True, gap="small"):
            st.button("Newest", disabled=not after, on_click=address.write, args=("after", None))
            st.button("Older", disabled=not found["next"], on_click=address.write, args=("after", found["next"]))


def _metrics(runs: Sequence[Run]) -> list[str]:
    """Those that most runs have, those that decide first."""
    counts: dict[str, int] = {}
    for run in runs:
        for each in run["metrics"]:
            counts[each["name"]] = counts.get(each["name"], 0) + (0 if each.get("advisory") else 1)
    return sorted(counts, key=lambda name: -counts[name])[:_MOST_METRICS]


def _axes(runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
    """One axis for each metric, so that runs can be held against each other."""
    found = {}
    for name in _metrics(runs):
        shown = [figure for run in runs if (figure := _figure(run, name)) is not None]
        found[name] = judging.axis_of(shown, None, None)
    return found


def _columns(view: View, runs: Sequence[Run]) -> list[str]:
    tenants = ["tenant"] if view.reader.tenant is None and not view.tenant else []
    metrics = [words.plain(name, 30) for name in _metrics(runs)]
    return ["when", "run", "state", "dataset", *metrics, "failed", "cost", "subject", "commit", *tenants, ""]


def _row(view: View, run: Run, metrics: Sequence[str], axes: dict[str, tuple[float, float]]) -> list[Cell | str]:
    summary = run["summary"] or {}
    cost = (summary.get("cost_nanousd") or 0) + (summary.get("judge_cost_nanousd") or 0)
    began_s = run["started_at_ms"] / 1000
    version = f"{run['dataset']}@{run['dataset_version'][:8]}"
    row: list[Cell | str] = [
        Cell(figures.moment(began_s, view.zone, now_s=view.now_s), title=figures.moment(began_s, view.zone)),
        Cell(words.plain(run["run_id"], 34), to=here(view, run=run["run_id"]), title=run["run_id"]),
        Cell(state_of(run), mood=STATES.get(run["state"], "neutral")),
        Cell(words.plain(version, 40), to=link("datasets", dataset=run["dataset"], tenant=view.tenant), title=version),
    ]
    row += [figure_cell(metric_of(run, name), _figure(run, name), axes[name]) for name in metrics]
    row += [
        Cell(f"{summary.get('failed', 0):,}", mood="bad" if summary.get("failed") else "neutral"),
        Cell(figures.money(cost), title=figures.exact_money(cost)),
        Cell(words.plain(subject_of(run), 40), title=subject_of(run)),
        Cell(commit_of(run.get("code_revision")), title=run.get("code_revision") or "no revision is known"),
    ]
    if view.reader.tenant is None and not view.tenant:
        row.append(run["tenant"])
    return [*row, Cell("compare", to=here(view, show="compare", second=run["run_id"]))]


def _figure(run: Run, name: str) -> dict[str, Any] | None:
    metrics = (run["summary"] or {}).get("metrics", ())
    return next((each for each in metrics if each["name"] == name), None)
