"""What fires, worst first, and what is about to: each with its value against its threshold, and a way to silence it.

What is critical is often a warning as well: a rule says one thing about one subject once, at its worst.
"""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, manage, words
from ..viewing.view import View
from .alerts_words import Alert, ago, bound_of, explained_at, labels_of, mood_of, of_tenant, value_of

_MOST = 30


def show(view: View, rule: str) -> None:
    found = view.get("/api/alerts")
    if found is None:
        return
    alerts = worst(each for each in found if of_tenant(each, view) and rule in ("", each["rule"]))
    loud = [each for each in alerts if each["state"] == "firing" and not each["silenced_by"]]
    quiet = [each for each in alerts if each["state"] == "firing" and each["silenced_by"]]
    coming = [each for each in alerts if each["state"] == "pending"]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.container(width="stretch"):
            components.heading("Firing", _counted(len(loud), len(quiet), len(coming), rule))
        if rule and st.button("Show every rule", key="alerts-all", type="tertiary"):
            address.write("rule", None)
            st.rerun(scope="app")
    if not loud:
        said = "Nothing fires" if not quiet else "Nothing fires that is not silenced"
        components.strip([], f"{said}{f' of the rule {words.plain(rule, 80)}' if rule else ''}")
    for alert in [*loud, *coming, *quiet][:_MOST]:
        _row(view, alert)
    if len(alerts) > _MOST:
        components.empty(f"{len(alerts) - _MOST} more are not shown", "All of them:", "llmops alerts list")


def worst(alerts: Iterable[Alert]) -> list[Alert]:
    """One of each rule and subject, in the order in which they come: the worst, with the other severities ``also``."""
    kept: dict[tuple[object, ...], dict[str, Any]] = {}
    for alert in alerts:
        about = (alert["rule"], alert["state"], bool(alert["silenced_by"]), *sorted(alert["labels"].items()))
        if about in kept:
            first = kept[about]
            first["also"].append(alert["severity"])
            first["announced_to"] = [*dict.fromkeys([*first["announced_to"], *alert["announced_to"]])]
        else:
            kept[about] = {**alert, "also": []}
    return list(kept.values())


def _row(view: View, alert: Alert) -> None:
    may = view.may_change and not alert["silenced_by"] and (view.reader.tenant is None or "tenant" in alert["labels"])
    mood = mood_of(alert["severity"]) if alert["state"] == "firing" and not alert["silenced_by"] else "neutral"
    pressed = manage.row(
        f"alert-{alert['fingerprint']}",
        _markup(view, alert),
        [("silence", "Silence …")] if may else [],
        mood=mood if mood in ("bad", "warn") else "plain",
    )
    if pressed:
        manage.ask("silence", {"rule": alert["rule"], **alert["labels"]})


def _markup(view: View, alert: Alert) -> str:
    page, to = explained_at(alert, view)
    state = alert["severity"] if alert["state"] == "firing" else "about to fire"
    mood = mood_of(alert["severity"]) if alert["state"] == "firing" else "neutral"
    silenced = components.tag("neutral", "silenced") if alert["silenced_by"] else ""
    told = f"told {', '.join(alert['announced_to'])}" if alert["announced_to"] else "nobody is told"
    told += f" \N{MIDDLE DOT} also {', '.join(alert['also'])}" if alert["also"] else ""
    labels = labels_of(alert["labels"])
    summary = alert["summary"] or labels
    return (
        f'<div class="lab-row" data-alert="{words.html(alert["fingerprint"])}"><div class="name">'
        f"{components.tag(mood, state)}<span>{words.html(alert['rule'])}</span>{silenced}"
        f'<span class="what">{words.html(labels, 300)}</span></div>'
        f'<div class="figure"><b>{words.html(value_of(alert["kind"], alert["value"]) or state)}</b>'
        f"<span>{words.html(bound_of(alert['kind'], alert['threshold']))}</span></div>"
        f'<div class="what">{words.html(summary, 300)}<br>for {words.html(ago(alert["since"], view))}, '
        f"{words.html(told, 200)} · "
        f'<a href="{words.html(to, 1000)}" target="_self">{words.html(page)}</a></div></div>'
    )


def _counted(loud: int, quiet: int, coming: int, rule: str) -> str:
    parts = [f"{figures.count(loud)} now"]
    parts += [f"{figures.count(coming)} about to"] if coming else []
    parts += [f"{figures.count(quiet)} silenced"] if quiet else []
    parts += [f"only the rule {rule}"] if rule else []
    return ", ".join(parts)
