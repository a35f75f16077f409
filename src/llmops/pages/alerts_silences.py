"""Silences: until when, of what, by whom and why; made from an alert or from nothing, and ended."""

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from ..viewing import components, figures, manage, words
from ..viewing.manage import Done, Undo
from ..viewing.view import View
from .alerts_words import labels_of, seconds_of

_LENGTHS = {
    "30 minutes": 1800,
    "2 hours": 7200,
    "8 hours": 28_800,
    "1 day": 86_400,
    "3 days": 259_200,
    "1 week": 604_800,
}
_WHATS = 4
_LEAST_S = 60.0
Silence = Mapping[str, Any]


def show(view: View) -> None:
    found = view.get("/api/silences")
    if found is None:
        return
    silences = [each for each in found if not view.tenant or each["tenant"] in (None, view.tenant)]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.container(width="stretch"):
            components.heading("Silenced", "matching alerts go on, and nobody new is told")
        if view.may_change and st.button("New silence", key="silence-new", icon=":material/notifications_paused:"):
            manage.ask("silence", {})
    if not silences:
        components.empty(
            "Nothing is silenced",
            "During planned work, silence what would alert:",
            "llmops alerts silence rule=latency --hours 2 --reason 'new index'",
        )
        return
    for silence in silences:
        own = view.may_change and view.reader.tenant in (None, silence["tenant"])
        if manage.row(f"silence-{silence['id']}", _markup(view, silence), [("end", "End …")] if own else []):
            manage.ask("unsilence", silence)


def _markup(view: View, silence: Silence) -> str:
    left = figures.seconds(max(0.0, seconds_of(silence["until"]) - view.now_s))
    whose = f" · of the tenant {silence['tenant']}" if silence["tenant"] else ""
    until = figures.moment(seconds_of(silence["until"]), view.zone, now_s=view.now_s)
    return (
        f'<div class="lab-row" data-silence="{words.html(silence["id"])}">'
        f'<div class="name">{words.html(labels_of(silence["matchers"]), 300)}</div>'
        f'<div class="figure"><b>{words.html(left)} left</b><span>until {words.html(until)}</span></div>'
        f'<div class="what">{words.html(silence["reason"], 300)}<br>'
        f"by {words.html(silence['created_by'])}{words.html(whose)}</div></div>"
    )


def _silence(view: View, labels: Mapping[str, str]) -> None:
    @st.dialog("Silence alerts", width="medium")
    def opened() -> None:
        st.html(
            '<div class="lab-what">For a time nobody is told of alerts that match all of these. They go on, and stand '
            "in the history; who was told already is told when it is over. A pattern may hold <code>*</code>. "
            "You can end it at any time.</div>"
        )
        with st.form("silence-form", border=False):
            matchers = _matchers(labels)
            length = st.selectbox("For", list(_LENGTHS), index=1, key="silence-length")
            reason = st.text_input(
                "Why", key="silence-why", max_chars=2000, placeholder="for whoever wonders later", autocomplete="off"
            )
            go, back = manage.buttons("Silence")
        if back:
            st.rerun(scope="app")
        if not go:
            return
        if not matchers:
            manage.complain("Name what is silenced: a rule, a severity or a label. rule is * silences everything.")
        elif not reason.strip():
            manage.complain("Say why, for whoever wonders later.")
        else:
            body = {"matchers": matchers, "seconds": _LENGTHS[length], "reason": reason.strip()}
            answer = view.send("POST", "/api/silences", body)
            if answer.problem is None:
                undo = Undo("DELETE", f"/api/silences/{answer.value['id']}", None, "The silence is over.")
                manage.finish(Done("Silenced", f"{labels_of(answer.value['matchers'])} for {length}.", undo))
            manage.complain(answer.problem.message)

    opened()


def _matchers(labels: Mapping[str, str]) -> dict[str, str]:
    """Pairs of what and pattern; the alert's own, to be widened or taken out."""
    given = [*labels.items()][:10]
    given += [("", "")] * max(1, _WHATS - len(given)) if len(given) < _WHATS else []
    if not labels:
        given[0] = ("rule", "")
    found = {}
    for number, (name, pattern) in enumerate(given):
        left, right = st.columns([2, 3])
        shown: Literal["visible", "collapsed"] = "visible" if number == 0 else "collapsed"
        what = left.text_input("What", name, key=f"silence-what-{number}", max_chars=256, label_visibility=shown,
                               placeholder="label", autocomplete="off")  # fmt: skip
        value = right.text_input("is", pattern, key=f"silence-is-{number}", max_chars=256, label_visibility=shown,
                                 placeholder="value or pattern", autocomplete="off")  # fmt: skip
        if what.strip() and value.strip():
            found[what.strip()] = value.strip()
    return found


def _unsilence(view: View, silence: Silence) -> None:
    left_s = max(_LEAST_S, seconds_of(silence["until"]) - view.now_s)
    body = {"matchers": silence["matchers"], "seconds": left_s, "reason": silence["reason"]}
    undo = Undo("POST", "/api/silences", body, "It is silenced again, for the rest of its time.")
    manage.confirm(
        view,
        "End a silence",
        [
            f"<b>{words.html(labels_of(silence['matchers']), 300)}</b> is no longer silenced.",
            "Whoever is to be told of matching alerts that fire is told within seconds.",
            "It can be undone for the rest of its time.",
        ],
        button="End the silence",
        send=lambda why: view.send("DELETE", f"/api/silences/{silence['id']}", reason=why),
        done=lambda answer: Done("Ended", f"{labels_of(answer['matchers'])} is no longer silenced.", undo),
    )


DIALOGS = {"silence": _silence, "unsilence": _unsilence}
