"""Two runs beside each other: the verdict of the gate's rule, its interval against the margin, which cases changed.

The first is the baseline. Metric, margin, filter and case stand in the address, so a link shows the very comparison.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Card, Cell, Mood
from ..viewing.view import View
from . import evals_case
from .evals_figures import (
    Run,
    commit_of,
    gain_of,
    here,
    metric_of,
    offset_now,
    pager,
    run_path,
    subject_of,
    tenant_of,
    value_of,
)
from .evals_histogram import histogram

_LIMIT, _MOST_RUNS = 25, 200
_WHICH = {"changed": "Changed", "worse": "Worse", "better": "Better", "missing": "Missing", "all": "All"}
_MOODS: dict[str, Mood] = {"better": "good", "worse": "bad", "missing": "warn", "same": "neutral"}


def render(view: View) -> None:
    found = view.get("/api/evals/runs", **tenant_of(view), limit=_MOST_RUNS)
    if found is None:
        return
    runs = {run["run_id"]: run for run in found["runs"]}
    if len(runs) < 2:
        components.empty(
            "There are not two runs yet",
            "Run the same dataset twice, with what you changed in between:",
            "llmops eval run my-eval.yaml",
        )
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        first, second = _pick(runs)
        metric, margin, wrong = _metric(runs.get(second), runs.get(first))
    if wrong:
        st.caption(f"{words.markdown(wrong, 40)} is no margin: 0.02 would be two points, for ratios two per cent")
    if first == second:
        components.empty("That is the same run twice", "Choose another baseline.")
        return
    asked = {**tenant_of(view), "first": first, "second": second, "metric": metric, "margin": margin}
    told = view.get("/api/evals/compare", **asked)
    if told is None:
        return
    _verdict(told)
    _counts(told)
    st.space("small")
    case = address.read("case")
    if case:
        _case(view, told, case)
        return
    with st.grid(min_column_width=460, gap="medium"):
        _differences(view, told)
        _sides(view, told)
    st.space("small")
    _cases(view, told, asked)


def _pick(runs: Mapping[str, Run]) -> tuple[str, str]:
    """Candidate and baseline: those in the address, else the newest run and the one before of the same dataset."""
    ids = list(runs)
    second = address.read("second") or next((each for each in ids if runs[each]["state"] == "complete"), ids[0])
    alike = [each for each in _older(ids, second) if _cases_of(runs[each]) == _cases_of(runs[second])]
    first = address.read("first") or next(iter(alike), next(each for each in ids if each != second))
    address.write("first", first)
    address.write("second", second)
    options = list(dict.fromkeys([*ids, first, second]))

    def named(run_id: str) -> str:
        run = runs.get(run_id)
        told = f" · {words.plain(subject_of(run), 30)} · {commit_of(run.get('code_revision'))}" if run else ""
        return f"{words.plain(run_id, 40)}{told}"

    first = address.select("Baseline", "first", options, first, format_func=named, width=300)
    second = address.select("Candidate", "second", options, second, format_func=named, width=300)
    address.write("first", first)
    address.write("second", second)
    return first, second


def _older(ids: Sequence[str], run_id: str) -> Sequence[str]:
    """Those that began before it, the newest first."""
    return ids[ids.index(run_id) + 1 :] if run_id in ids else ()


def _cases_of(run: Run) -> tuple[str, str]:
    return run["dataset"], run["dataset_version"]


def _metric(candidate: Run | None, baseline: Run | None) -> tuple[str, float | None, str]:
    """The metric, the margin (None: the metric's usual one), and what was given that is none."""
    known = candidate or baseline
    names = [each["name"] for each in known["metrics"]] if known else []
    names = names or [address.read("metric") or "correct"]
    metric = address.select(
        "Metric", "metric", names, names[0], format_func=lambda name: words.plain(name, 40), width=190
    )
    told = "The largest loss that is tolerable, in the metric's units; for ratios a share."
    given = address.text("Margin", "margin", placeholder="usual", width=110, help=told)
    try:
        margin = float(given) if given else None
    except ValueError:
        margin = math.nan
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        return metric, None, given
    return metric, margin, ""


def _verdict(told: Mapping[str, Any]) -> None:
    finding, metric = told["finding"], told["metric"]
    note = f"{finding['method']}; {finding['n']:,} cases in {finding['clusters']:,} independent units"
    if finding["p_value"] is not None:
        note += f"; p = {finding['p_value']:.3g}"
    if not told["clustered"]:
        note += "; which cases belong together is not known here"
    if metric["advisory"]:
        note += "; advisory: nobody has calibrated this judge against people"
    judging.verdict(finding, lambda gain: gain_of(metric, gain), note)


def _counts(told: Mapping[str, Any]) -> None:
    def part(kind: str) -> str:
        return figures.share(told[kind] / told["cases"]) if told["cases"] else ""

    estimate = told["finding"]["estimate"]
    components.cards(
        [
            Card("better", "Better", f"{told['better']:,}", note=part("better")),
            Card("worse", "Worse", f"{told['worse']:,}", note=part("worse")),
            Card("same", "Unchanged", f"{told['same']:,}", note=part("same")),
            Card("missing", "Missing", f"{told['missing']:,}", note="in one of the runs, or not measured"),
        ]
    )
    if estimate is None and told["mismatches"]:
        components.strip([components.Trouble("warn", "Not comparable", each) for each in told["mismatches"]], "")


def _differences(view: View, told: Mapping[str, Any]) -> None:
    metric = told["metric"]
    with st.container(gap="xsmall"):
        components.heading("Differences", "case by case, right of nothing is better")
        if not told["differences"]:
            components.empty("No case is in both runs", "Choose runs with the same dataset.")
            return
        histogram(
            view,
            told["differences"],
            lambda gain: gain_of(metric, gain),
            key="evals-differences",
            signed=True,
            alt_text="How the differences of the cases are spread",
        )


def _sides(view: View, told: Mapping[str, Any]) -> None:
    """Every metric of both runs."""
    first, second = told["first"], told["second"]
    sides = [{each["name"]: each for each in (run["summary"] or {}).get("metrics", ())} for run in (first, second)]
    rows: list[list[Cell | str]] = []
    for name in dict.fromkeys([*sides[1], *sides[0]]):
        metric = metric_of(second if name in sides[1] else first, name)
        known = [side[name] for side in sides if name in side and side[name]["mean"] is not None]
        axis = judging.axis_of(known, None, None)
        to = here(view, show="compare", first=first["run_id"], second=second["run_id"], metric=name)
        rows.append([Cell(words.plain(name, 40), to=to), *(_side(metric, side.get(name), axis) for side in sides)])
    costs = [(run["summary"] or {}).get("cost_nanousd") for run in (first, second)]
    rows.append(["cost", *(Cell(figures.money(cost), title=figures.exact_money(cost)) for cost in costs)])
    with st.container(gap="xsmall"):
        components.heading("Both runs", "means with their 95 % intervals; a name compares by it")
        components.table(["metric", "baseline", "candidate"], rows, caption="Both runs")


def _side(metric: Mapping[str, Any], figure: Mapping[str, Any] | None, axis: tuple[float, float]) -> Cell:
    if figure is None or figure["mean"] is None:
        return Cell(figures.NOTHING)
    title = f"{value_of(metric, figure['low'])} to {value_of(metric, figure['high'])}"
    drawn = judging.interval(figure["mean"], figure["low"], figure["high"], axis)
    return Cell(value_of(metric, figure["mean"]), title=title, beside=drawn)


def _cases(view: View, told: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    components.heading("Case by case", "the largest losses first")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        which = address.choose(
            "Cases", "cases", list(_WHICH), "changed", label_visibility="collapsed", format_func=_WHICH.__getitem__
        )
        search = address.text(
            "Case", "search", placeholder="Part of a case's id", width=220, label_visibility="collapsed"
        )
    found = view.get("/api/evals/compare/cases", **asked, which=which, search=search, offset=offset_now(), limit=_LIMIT)
    if found is None:
        return
    if not found["cases"]:
        said = "Look at all of them." if which != "all" else "Take the search off."
        components.empty("No case is like that", said)
        return
    components.table(
        ["case", "change", "baseline", "candidate", "gain"],
        [_pair(view, told, pair, asked) for pair in found["cases"]],
        numbers=("baseline", "candidate", "gain"),
        caption="Case by case",
    )
    pager(found["total"], _LIMIT)


def _pair(
    view: View, told: Mapping[str, Any], pair: Mapping[str, Any], asked: Mapping[str, Any]
) -> Sequence[Cell | str]:
    metric = told["metric"]
    shown = {name: value for name, value in asked.items() if name != "tenant"}
    to = here(view, show="compare", **shown, case=pair["case_id"])
    errors = f"no answer: {pair['first_errors']} before, {pair['second_errors']} now"
    return [
        Cell(words.plain(pair["case_id"], 60), to=to, title=pair["case_id"]),
        Cell(pair["kind"], mood=_MOODS[pair["kind"]], title=errors),
        value_of(metric, pair["first"]),
        value_of(metric, pair["second"]),
        gain_of(metric, pair["gain"]),
    ]


def _case(view: View, told: Mapping[str, Any], case_id: str) -> None:
    """Both answers to one case beside each other."""
    first, second = told["first"], told["second"]
    back = here(
        view,
        show="compare",
        first=first["run_id"],
        second=second["run_id"],
        metric=told["metric"]["name"],
        margin=address.read("margin"),
        cases=address.read("cases"),
    )
    judging.crumbs([("All cases", back), (case_id, None)])
    sides = [
        (run, view.ask(run_path(run["run_id"], "case"), **tenant_of(view), case=case_id).value)
        for run in (first, second)
    ]
    known = next((found for _, found in reversed(sides) if found is not None), None)
    if known is None:
        components.empty("Neither run has this case", "It may have been of another pair of runs.")
        return
    evals_case.asked(known, second)
    with st.grid(min_column_width=420, gap="medium"):
        for name, (run, found) in zip(("Baseline", "Candidate"), sides, strict=True):
            with st.container(gap="small"):
                if found is None:
                    components.empty(f"{name}: it is not in this run")
                    continue
                for repeat in found["repeats"]:
                    number = f", answer {repeat['repeat'] + 1}" if run["repeats"] > 1 else ""
                    judging.texts([evals_case.answer_of(view, repeat, f"{name}{number}")])
                    evals_case.scored(run, repeat)
