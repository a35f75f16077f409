"""Objectives (SLOs): how much of each error budget is left, and how fast it burns in every window.

A window's rate is coloured by the rules whose long or short window it is: both have to be above before anybody is told.
Where a rule's long window has too few events to mean anything, that is said. What is seen here is the present; its
course is `reliability_budgets`'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..name_pattern import name_matcher
from ..viewing import address, components, figures
from ..viewing.components import Mood
from ..viewing.gauges import Gauge, Step, gauges
from ..viewing.view import View

_ORDER = {"page": 0, "exhausted": 1, "ticket": 2, "ok": 3, "no_data": 4}
_STATES: Mapping[str, tuple[Mood, str]] = {
    "ok": ("good", "kept"),
    "ticket": ("warn", "burning"),
    "page": ("bad", "burning fast"),
    "exhausted": ("bad", "used up"),
    "no_data": ("neutral", "no events"),
}
_FEW = 9
Standing = Mapping[str, Any]


def objectives(view: View) -> None:
    found = view.ask("/api/slos")
    if found.problem is not None:
        components.heading("Objectives")
        view.show(found.problem)
        return
    rows = [row for row in found.value if not view.tenant or _is_about(row, view.tenant)]
    components.heading(
        "Objectives", "what is left of each error budget; below it how fast it burns, 1 being just right"
    )
    if not rows:
        components.empty(
            "No objective is set" + (" for this tenant" if view.tenant or view.reader.tenant else ""),
            "Name what you promise under `slos`, for instance 99.5 % of calls without failure, and look at it here:",
            "llmops slo",
        )
        return
    rows.sort(key=lambda row: (_ORDER.get(row["state"], 9), row["budget"]["left"]))
    everything = len(rows) > _FEW and address.switch(f"All {len(rows):,}, also those that are well kept", "objectives")
    gauges([_gauge(row) for row in (rows if everything else rows[:_FEW])], "Objectives")


def _is_about(row: Standing, tenant: str) -> bool:
    of = row["group"].get("tenant")
    if of is not None:
        return bool(of == tenant)
    return name_matcher(row["where"].get("tenant", "*")).fullmatch(tenant) is not None


def _gauge(row: Standing) -> Gauge:
    mood, state = _STATES.get(row["state"], ("neutral", row["state"]))
    budget = row["budget"]
    left = budget["left"]
    amount, of = _amount(row)
    return Gauge(
        name=_name(row),
        of=f"{_promise(row)} over {figures.seconds(row['window_s'])} · {of}",
        amount=amount,
        beside="of the budget left" if left >= 0 else "overdrawn",
        share=left if left > 0 else 1.0,
        mood=mood,
        state=state,
        left=_lasts(budget),
        right=_guard(row),
        steps=[_step(row, name) for name in row["burn"]],
    )


def _name(row: Standing) -> str:
    group = ", ".join(row["group"].values())
    return f"{row['name']} · {group}" if group else str(row["name"])


def _promise(row: Standing) -> str:
    if row["objective"] == "cost":
        return f"at most ${row['limit']:,.6g}" if row["limit"] else "cost"
    limit = ""
    if row["limit"] and row["objective"] in ("latency", "ttft"):
        limit = f" within {figures.milliseconds(row['limit'] * 1000)}"
    return f"{row['objective']}: {figures.share(row['target'])}{limit}"


def _amount(row: Standing) -> tuple[str, str]:
    left = row["budget"]["left"]
    if row["objective"] == "cost":
        return figures.share(abs(left)), f"{figures.money(int(row['usd'] * 1e9))} spent"
    return figures.share(abs(left)), f"{row['bad']:,} bad of {row['good'] + row['bad']:,}"


def _lasts(budget: Mapping[str, Any]) -> str:
    if budget["left"] <= 0:
        return "no budget is left"
    if budget["exhausted_in_s"] is not None:
        return f"gone in {figures.seconds(budget['exhausted_in_s'])} at the last hour's rate"
    return "lasts at the last hour's rate"


def _guard(row: Standing) -> str:
    """Why no alert may fire yet, where it is for want of events."""
    if "guards" not in row or row["objective"] == "cost":
        return ""
    least = row["guards"]["minimum_events"]
    short = [name for name in _longs(row) if _all(row, name) < least]
    if not short:
        return ""
    return f"too few events to alert: {_all(row, short[-1]):,} of {least:,} in {short[-1]}"


def _longs(row: Standing) -> Sequence[str]:
    return [rule["long"] for rule in row.get("rules", ())]


def _all(row: Standing, window: str) -> int:
    events = row["windows"].get(window, {"good": 0, "bad": 0})
    return int(events["good"] + events["bad"])


def _step(row: Standing, window: str) -> Step:
    rate = row["burn"][window]
    rules = [rule for rule in row.get("rules", ()) if window in (rule["long"], rule["short"])]
    above = [rule for rule in rules if rate is not None and rate > rule["rate"]]
    severities = {rule["severity"] for rule in above}
    mood: Mood = "bad" if "page" in severities else "warn" if severities else "neutral"
    least = min((rule["rate"] for rule in rules), default=None)
    shown = figures.NOTHING if rate is None else f"{rate:.2g}" if rate < 100 else f"{rate:,.0f}"
    sign = {"bad": "✕ ", "warn": "! "}.get(mood, "")
    events = f", {_all(row, window):,} events" if "windows" in row else ""
    limit = f"; tells somebody above {least:g}" if least is not None else ""
    return Step(window, sign + shown, f"burn rate over {window}: {shown}{limit}{events}", mood)
