"""Limits and budgets: what each bounds, for whom, and what is used of it in its present window."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from ..viewing import components, figures, manage, words
from ..viewing.view import View

BOUNDS = {
    "requests_per_second": "requests a second",
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrent_calls": "calls at a time",
    "tokens_per_day": "tokens a day",
    "tokens_per_month": "tokens a month",
}
_EMPTY = {
    "budget": (
        "No budgets yet",
        "Nothing bounds what calls may cost. The first one:",
        "llmops budgets add --per tenant --usd 100",
    ),
    "limit": (
        "No limits yet",
        "Every key may call as often as it likes. The first one:",
        "llmops limits add --per key --requests-per-minute 60",
    ),
}
_NOTES = {"budget": "money in calendar windows (UTC)", "limit": "rates, places and quotas of tokens"}
_WINDOWS = {"day": "today", "week": "this week", "month": "this month", "total": "in all"}
_MOST_USES = 4
Rule = Mapping[str, Any]


def show(view: View) -> None:
    if view.may_change:
        with st.container(horizontal=True, gap="small"):
            if st.button("New budget", type="primary", icon=":material/add:", key="budget-new"):
                manage.ask("budget-add")
            if st.button("New limit", icon=":material/add:", key="limit-new"):
                manage.ask("limit-add")
    with st.grid(2, min_column_width=460, gap="medium"):
        for kind in ("budget", "limit"):
            with st.container(gap="small"):
                view.live(partial(_list, view, kind))


def _list(view: View, kind: str) -> None:
    rules = view.get(f"/api/{kind}s")
    if rules is None:
        return
    if view.tenant:
        rules = [rule for rule in rules if rule["where"].get("tenant") in (None, view.tenant)]
    components.heading(f"{kind.capitalize()}s", _NOTES[kind])
    if not rules:
        components.empty(*_EMPTY[kind])
    for rule in sorted(rules, key=lambda rule: -worst(rule)):
        own = rule["source"] == "database" and view.may_change and view.reader.tenant in (None, rule["tenant"])
        pressed = manage.row(
            f"{kind}-{rule['id']}" if rule["source"] == "database" else f"{kind}-at-{rules.index(rule)}",
            markup(rule, view.tenant),
            [("remove", "Remove …")] if own else [],
            mood="bad" if worst(rule) >= 1 else "warn" if worst(rule) >= 0.8 else "plain",
        )
        if pressed:
            manage.ask("rule-remove", {**rule, "kind": kind})


def markup(rule: Rule, tenant: str = "") -> str:
    """A rule and what is used of it."""
    given = rule["name"] or described(rule)
    flags = "".join(
        components.tag("neutral", said)
        for said, holds in (
            ("shadow: refuses nothing", rule.get("shadow")),
            ("soft: says so, refuses nothing", rule.get("hard") is False),
            ("of the configuration", rule["source"] == "configuration"),
        )
        if holds
    )
    what = f"{described(rule)} · {scope(rule)}" if rule["name"] else scope(rule)
    shown = [each for each in rule["used"] or () if not tenant or each["of"].get("tenant") in (None, tenant)]
    uses = "".join(_use(rule, each) for each in shown[:_MOST_USES])
    more = f'<div class="what">and {len(shown) - _MOST_USES} more</div>' if len(shown) > _MOST_USES else ""
    return (
        f'<div class="lab-row" data-rule="{words.html(rule["id"])}"><div class="name">{words.html(given)}{flags}</div>'
        f'<div class="what">{words.html(what, 300)}</div>{uses}{more}</div>'
    )


def described(rule: Rule) -> str:
    """What it bounds."""
    if "usd" in rule:
        window = {"total": "in all"}.get(rule["window"], f"a {rule['window']}")
        return f"{figures.money(nanousd(rule['usd']))} {window}"
    return ", ".join(f"{rule[name]:,g} {said}" for name, said in BOUNDS.items() if rule.get(name) is not None)


def scope(rule: Rule) -> str:
    """For whom."""
    per = f"for each {', '.join(rule['per'])}" if rule["per"] else "all together"
    where = ", ".join(f"{name} {value}" for name, value in rule["where"].items())
    return f"{per}, only {where}" if where else per


def share_of(rule: Rule, used: Mapping[str, Any]) -> float | None:
    """How much of its bound one count has used."""
    if "usd" in rule:
        return nanousd(used["used_usd"]) / (nanousd(rule["usd"]) or 1) if "used_usd" in used else None
    bound = rule.get(f"tokens_per_{used['window']}")
    return used["used_tokens"] / bound if bound and "used_tokens" in used else None


def worst(rule: Rule) -> float:
    return max((share for each in rule["used"] or () if (share := share_of(rule, each)) is not None), default=0.0)


def nanousd(usd: str | float) -> int:
    """Of an amount that the control plane writes as text, exactly."""
    from decimal import Decimal

    return int(Decimal(str(usd)).scaleb(9))


def _use(rule: Rule, used: Mapping[str, Any]) -> str:
    share = share_of(rule, used)
    if "used_usd" in used:
        amount = f"{figures.money(nanousd(used['used_usd']))} of {figures.money(nanousd(rule['usd']))}"
    else:
        bound = rule.get(f"tokens_per_{used['window']}")
        amount = f"{figures.count(used['used_tokens'])} of {figures.count(bound)} tokens"
    tenant = str(used["of"].get("tenant", ""))
    values = [str(value).removeprefix(f"{tenant}/") for value in used["of"].values()]  # users stand within their tenant
    of = ", ".join(values) or _WINDOWS.get(used["window"], used["window"])
    return manage.use(of, f"{amount} · {figures.share(share)}", share)
