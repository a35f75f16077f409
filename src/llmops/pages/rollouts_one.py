"""One rollout: its state and orders, its steps, how many units each arm has had, the evidence, the decisions."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ..viewing import components, figures, judging, manage, words
from ..viewing.components import Card, Cell, link
from ..viewing.judging import About
from ..viewing.view import View
from . import rollouts_arms, rollouts_copies, rollouts_evidence
from .releases_words import may_change, owner_of, when
from .rollouts_words import ACTIONS, OPEN, VERDICTS, Rollout, kind_of, percent, state_of

_MARKS, _MOST_DECISIONS = 2000, 100
SPLIT = "split"


def rollout(view: View, rollout_id: str) -> None:
    found = view.get(f"/api/rollouts/{rollout_id}", marks=_MARKS)
    if found is None:
        return
    _head(view, found)
    if found["arms"]:
        rollouts_arms.arms(view, found)
    elif found["mirrored"] is not None:
        rollouts_copies.copies(found)
    else:
        _steps(found)
        _exposure(found)
    if found["guards"] or not found["arms"]:
        _guards(view, found)
    _decisions(view, found["decisions"])


def _head(view: View, found: Rollout) -> None:
    mood, said = state_of(found["status"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<div class="lab-panel-name" data-status="{words.html(found["status"])}">'
            f"{words.html(found['name'], 100)} <code>{words.html(found['id'])}</code>"
            f"{components.tag(mood, said)}</div>",
            width="stretch",
        )
        for what, label in _orders(view, found):
            if st.button(label, key=f"rollout-{what}", type="primary" if what == "rollback" else "secondary"):
                manage.ask(f"rollout-{what}", found)
    began = when(view, found["created_at"])
    items = [
        About("kind", kind_of(found["kind"])),
        About("candidate", found["candidate"], to=link("releases", release=found["candidate"], of=found["tenant"])),
        About("instead of", found["stable"], to=link("releases", release=found["stable"], of=found["tenant"])),
        About("whose", owner_of(found["tenant"])),
        About("by", words.plain(found["created_by"], 60)),
        About("begun", began.text, title=began.title),
        About("deadline", when(view, found["deadline"]).text),
    ]
    if found["reason"]:
        items.append(About("why", words.plain(found["reason"], 200), title=found["reason"]))
    judging.about(items)
    if found["saying"]:
        st.html(
            f'<section class="lab-verdict plain {mood}" data-saying="">'
            f"<div><p>{words.html(found['saying'], 600)}</p></div></section>"
        )


def _orders(view: View, found: Rollout) -> list[tuple[str, str]]:
    """What may be ordered in this state; the gateway judges again."""
    if not may_change(view, found["tenant"]) or found["status"] == "rolled_back":
        return []
    if found["status"] == "scheduled":
        return [("resume", "Begin now"), ("rollback", "Cancel")]
    is_shadow = found["mirrored"] is not None
    offered = [("rollback", "End" if is_shadow else "Roll back")]
    if found["status"] in OPEN:
        if is_shadow:
            pass  # it never serves
        elif not found["arms"]:
            offered.insert(0, ("promote", "Go one step up"))
        elif found["winner"]:
            offered.insert(0, ("promote", "Make the best one live"))
        if not found["winner"]:
            offered.insert(0, ("pause", "Pause") if found["status"] == "running" else ("resume", "Resume"))
    return offered


def _steps(found: Rollout) -> None:
    over: int = {"promoted": len(found["steps"]), "rolled_back": -1}.get(found["status"], int(found["step"]))
    plan = found["plan"]["steps"]
    shown = []
    for number, each in enumerate(plan):
        kind = "done" if number < over else "now" if number == over else ""
        kind = "bad" if over < 0 and number == found["step"] else kind
        state = {"done": "done", "now": "now", "bad": "ended here"}.get(kind, "")
        needs = f"{each['min_units']:,} units, {figures.seconds(each['min_time'])}"
        shown.append(f'<div class="{kind}"><b>{each["percent"]:g} %</b>{state or "needs"} · {words.html(needs)}</div>')
    st.html(f'<div class="lab-steps" aria-label="Steps">{"".join(shown)}</div>')


def _exposure(found: Rollout) -> None:
    split = next((each for each in found["guards"] if each["guard"] == SPLIT), None)
    if split is None:
        return
    seen = split["candidate_n"] + split["stable_n"]
    part = figures.share(split["candidate_n"] / seen) if seen else figures.NOTHING
    fine = split["verdict"] != "ERROR"
    unit = {"session": "sessions", "user": "users", "request": "requests"}.get(found["plan"]["unit"], "units")
    components.cards(
        [
            Card("share", "Share of the candidate", percent(found["share"]), note="of the traffic now"),
            Card("candidate", f"{unit.capitalize()} of the candidate", figures.count(split["candidate_n"]),
                 figures.exact(split["candidate_n"]), note=f"{part} of all"),
            Card("stable", f"{unit.capitalize()} of the stable", figures.count(split["stable_n"]),
                 figures.exact(split["stable_n"])),
            Card("split", "Split as planned", "yes" if fine else "no", split["reason"],
                 note=words.plain(split["reason"], 80)),
        ]
    )  # fmt: skip


def _guards(view: View, found: Rollout) -> None:
    latest = {each["guard"]: each for each in found["guards"]}
    planned = {_key(each): each for each in found["plan"]["guards"]}
    if not latest:
        components.empty("There is no evidence yet", "It comes with the first units that are over.")
        return
    components.heading("Evidence", "it may be looked at all the time: the error of rolling back stays below alpha")
    courses: dict[str, list[dict[str, Any]]] = {}
    for mark in found["evidence"]:
        courses.setdefault(mark["guard"], []).append(mark)
    for key in [*planned, SPLIT]:
        if key in latest:
            _guard(view, key, latest[key], planned.get(key, {}), courses.get(key, []))


def _guard(view: View, key: str, mark: dict[str, Any], plan: dict[str, Any], course: list[dict[str, Any]]) -> None:
    verdict = mark["verdict"]
    tier = plan.get("tier", "the sample")
    name = "split of the units" if key == SPLIT else key.replace("_", " ")
    st.html(
        f'<div class="lab-section" data-guard="{words.html(key)}"><h2>{words.html(name)}</h2>'
        f"{components.tag(VERDICTS.get(verdict, 'warn'), verdict)}<span>{words.html(tier)} · "
        f"{words.html(mark['reason'], 300)}</span></div>"
    )
    left, right = st.columns(2, gap="medium")
    if key == SPLIT:
        with left:
            rollouts_evidence.e_values(view, key, course, what="another split than the planned", does="asks a person")
        return
    with left:
        rollouts_evidence.e_values(view, key, course)
    with right:
        rollouts_evidence.gains(view, key, course)


def _key(plan: dict[str, Any]) -> str:
    return f"score:{plan['name']}" if plan["metric"] == "score" else str(plan["metric"])


def _decisions(view: View, decisions: Sequence[dict[str, Any]]) -> None:
    if not decisions:
        return
    components.heading("Decisions", "what was decided, by what or whom, and why")
    rows: list[list[Cell | str]] = [
        [
            when(view, each["at"]),
            Cell(each["action"], mood=ACTIONS.get(each["action"], "neutral")),
            f"{each['step'] + 1}",
            percent(each["share"]),
            Cell(words.plain(each["by"], 40), title=each["by"]),
            Cell(words.plain(each["reason"], 120), title=each["reason"]),
        ]
        for each in decisions[:_MOST_DECISIONS]
    ]
    components.table(["when", "decision", "step", "share", "by", "why"], rows, numbers=("step", "share"),
                     caption="Decisions")  # fmt: skip
