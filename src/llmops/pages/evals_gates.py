"""What gates decided: a list, and one decision: each metric's interval against its margin, slices, must-pass cases.

A decision is shown as it was stored; nothing of it is computed here.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Card, Cell, Mood
from ..viewing.judging import About
from ..viewing.view import View
from .evals_figures import commit_of, here, tenant_of

_LIMIT = 200
MOODS: dict[str, Mood] = {"PASS": "good", "BLOCK": "bad", "INCONCLUSIVE": "warn", "ERROR": "bad"}
Found = Mapping[str, Any]


def render(view: View) -> None:
    decision = address.read("decision")
    if decision:
        _decision(view, decision)
    else:
        view.live(lambda: _list(view))


def _list(view: View) -> None:
    found = view.get("/api/evals/gates", **tenant_of(view), limit=_LIMIT)
    if found is None:
        return
    if not found:
        components.empty(
            "No gate has decided yet",
            "A gate runs a candidate beside its baseline and says PASS, BLOCK, INCONCLUSIVE or ERROR:",
            "llmops gate run my-gate.yaml",
        )
        return
    rows: list[list[Cell | str]] = []
    for each in found:
        at_s = each["at_ms"] / 1000
        arms = [(each.get(arm) or {}).get("run_id", "") for arm in ("baseline", "candidate")]
        rows.append(
            [
                Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone)),
                Cell(words.plain(each["gate"], 40), to=here(view, show="gates", decision=each["id"]), title=each["id"]),
                Cell(each["verdict"], mood=MOODS.get(each["verdict"], "neutral")),
                Cell(words.plain(each["reason"], 56), title=each["reason"]),
                Cell(
                    words.plain(f"{each['dataset']}@{each['dataset_version'][:8]}", 30), title=each["dataset_version"]
                ),
                f"{each['cases']:,}",
                *(Cell(words.plain(run, 22), to=here(view, run=run) if run else None, title=run) for run in arms),
                Cell(commit_of(each.get("code_revision")), title=each.get("code_revision") or ""),
            ]
        )
    columns = ["when", "gate", "verdict", "why", "dataset", "cases", "baseline", "candidate", "commit"]
    components.table(columns, rows, numbers=("cases",), caption="Gate decisions")


def _decision(view: View, decision: str) -> None:
    judging.crumbs([("All decisions", here(view, show="gates")), (decision, None)])
    found = view.get(f"/api/evals/gates/{quote(decision, safe='')}", **tenant_of(view))
    if found is None:
        return
    told = {"estimate": None, "verdict": found["verdict"], "reason": found["reason"], "margin": 0}
    judging.verdict(told, str, f"{found['gate']}; {found['cases']:,} cases; {len(found.get('looks', ()))} looks")
    troubles = [components.Trouble("bad", "Problem", each) for each in found.get("problems", ())]
    troubles += [components.Trouble("warn", "Warning", each) for each in found.get("warnings", ())]
    if troubles:
        components.strip(troubles, "")
    _about(view, found)
    for title, rows in (("Metrics", found.get("metrics", ())), ("Slices", found.get("slices", ()))):
        if rows:
            st.space("small")
            _judged(view, found, title, rows)
    if found.get("must_pass"):
        st.space("small")
        _must_pass(view, found)


def _about(view: View, found: Found) -> None:
    facts = [About("decided", figures.moment(found["at_ms"] / 1000, view.zone))]
    for arm in ("baseline", "candidate"):
        run = (found.get(arm) or {}).get("run_id")
        facts += [About(arm, run, here(view, run=run))] if run else []
    arms = [(found.get(arm) or {}).get("run_id") for arm in ("baseline", "candidate")]
    if all(arms):
        to = here(view, show="compare", first=arms[0], second=arms[1])
        facts.append(About("compare", "case by case", to))
    facts += [
        About("dataset", f"{found['dataset']}@{found['dataset_version']}"),
        About("policy", found["policy"][:12], title=found["policy"]),
        About("commit", commit_of(found.get("code_revision")), title=found.get("code_revision") or ""),
    ]
    if found.get("uses"):
        facts.append(About("decisions of this dataset version", f"{found['uses']:,}"))
    judging.about(facts)


def _judged(view: View, found: Found, title: str, rows: list[Found]) -> None:
    """Gains against margins, each metric on an axis of its own."""
    shown: list[list[Cell | str]] = []
    for each in rows:
        finding = each["finding"]
        estimate, low, high = (finding.get(name) for name in ("estimate", "lower", "upper"))
        known = [at for at in (estimate, low, high, -finding["margin"], 0.0) if at is not None]
        room = (max(known) - min(known) or 1.0) * 0.1
        drawn = judging.interval(
            estimate, low, high, (min(known) - room, max(known) + room), reference=-finding["margin"], wide=True
        )
        shown.append(
            [
                Cell(words.plain(each["metric"], 40)),
                *([Cell(words.plain(each.get("slice") or "", 40))] if title == "Slices" else []),
                Cell(finding["verdict"], mood=MOODS.get(finding["verdict"], "neutral")),
                Cell(each["tier"], title="" if each.get("counts", True) else "it decides nothing"),
                _number(each.get("baseline_mean")),
                _number(each.get("candidate_mean")),
                Cell(_number(estimate), title=f"{_number(low)} to {_number(high)}", beside=drawn),
                _number(-finding["margin"]),
                Cell(words.plain(finding["reason"], 90), title=finding["reason"]),
            ]
        )
    columns = ["metric", *(["slice"] if title == "Slices" else []), "verdict", "tier", "baseline", "candidate", "gain"]
    components.heading(title, "gains with their intervals; the dashed line is the margin")
    components.table(
        [*columns, "tolerable", "why"], shown, numbers=("baseline", "candidate", "tolerable"), caption=title
    )


def _must_pass(view: View, found: Found) -> None:
    cases = found["must_pass"]
    components.heading("Must-pass cases", "judged by how reliably they pass")
    counts: dict[str, int] = {}
    for each in cases:
        counts[each["state"]] = counts.get(each["state"], 0) + 1
    components.cards(Card(state, state.replace("_", " ").capitalize(), f"{count:,}") for state, count in counts.items())
    run = (found.get("candidate") or {}).get("run_id")
    rows: list[list[Cell | str]] = [
        [
            Cell(words.plain(each["case_id"], 50), to=here(view, run=run, case=each["case_id"]) if run else None),
            each["state"],
            f"{each.get('baseline_passed', 0)} of {each.get('baseline_repeats', 0)}",
            f"{each.get('passed', 0)} of {each.get('repeats', 0)}",
            Cell(words.plain(each["reason"], 90), title=each["reason"]),
        ]
        for each in cases[:200]
    ]
    components.table(["case", "state", "baseline", "candidate", "why"], rows, caption="Must-pass cases")


def _number(value: float | None) -> str:
    return figures.NOTHING if value is None else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
