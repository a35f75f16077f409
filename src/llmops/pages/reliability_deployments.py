"""Deployments: the state of each one's breaker, its load, its speed, and how its attempts went."""

from collections.abc import Mapping
from typing import Any

from ..viewing import components, figures
from ..viewing.components import Cell, Mood
from ..viewing.view import View

STATES: Mapping[str, tuple[Mood, str]] = {
    "closed": ("good", "in use"),
    "cooling": ("warn", "cooling down"),
    "half_open": ("warn", "on trial"),
    "open": ("bad", "out"),
    "dead": ("bad", "refuses our key"),
}
_WORST = ("dead", "open", "half_open", "cooling", "closed")
Deployment = Mapping[str, Any]


def deployments(view: View) -> None:
    components.heading("Deployments", "as they are now; what failed is of the breaker's window, in one process")
    found = view.get("/api/deployments")
    if found is None:
        return
    if not found:
        running = view.feed.kind == "gateway"
        components.empty(
            "No deployment has a state" if running else "Deployments have a state while the gateway runs",
            "Breakers work while `resilience.enabled` is on." if running else "Start it:",
            "" if running else "llmops serve",
        )
        return
    found.sort(key=lambda each: (_WORST.index(each["breaker"]["state"]), each["name"]))
    attempts = _attempts(view)
    columns = ["deployment", "state", "models", "under way", "places", "first token", "failed lately"]
    columns += [*([] if attempts is None else ["attempts failed"]), "ejections"]
    if reasons := any(each["breaker"]["reason"] for each in found):
        columns.append("why")
    components.table(
        columns,
        [_line(each, attempts, reasons=reasons) for each in found],
        numbers=[name for name in columns[3:] if name != "why"],
        caption="Deployments",
    )


def _attempts(view: View) -> dict[str, dict[str, float]] | None:
    """By deployment and outcome, since the gateway's start; None where this reader may not ask."""
    if view.reader.tenant is not None:
        return None
    found = view.ask("/api/metrics").value
    if found is None:
        return None
    attempts: dict[str, dict[str, float]] = {}
    for each in found.get("llm_attempts_total", ()):
        labels = each["labels"]
        attempts.setdefault(labels["deployment"], {})[labels["outcome"]] = each["value"]
    return attempts


def _line(each: Deployment, attempts: dict[str, dict[str, float]] | None, *, reasons: bool) -> list[Cell | str]:
    breaker = each["breaker"]
    mood, state = STATES.get(breaker["state"], ("neutral", breaker["state"]))
    wait = f" for {figures.seconds(breaker['wait_s'])}" if breaker["wait_s"] else ""
    share = breaker["failures"] / breaker["calls"] if breaker["calls"] else None
    line: list[Cell | str] = [
        Cell(each["name"], title=f"{each['provider']} {each['base_url']}".strip()),
        Cell(state + wait, mood=mood, title=breaker["reason"]),
        ", ".join(each["models"]),
        figures.count(each["calls_under_way"]),
        figures.count(each["places"]),
        figures.milliseconds(each["ttft_ms"]) if each["ttft_ms"] else figures.NOTHING,
        _of(breaker["failures"], breaker["calls"], figures.share(share)),
        Cell(figures.count(breaker["ejections"]), title="times in a row that it was left alone"),
    ]
    if reasons:
        line.append(Cell(breaker["reason"], title=breaker["reason"]))
    if attempts is not None:
        line.insert(7, _failed(attempts.get(each["name"], {})))
    return line


def _failed(outcomes: Mapping[str, float]) -> Cell:
    """Since the start. An attempt whose caller left has not failed."""
    failed = {name: count for name, count in outcomes.items() if name not in ("success", "abandoned") and count}
    total, bad = sum(outcomes.values()), sum(failed.values())
    title = ", ".join(f"{name} {count:,.0f}" for name, count in failed.items()) or "none since the gateway's start"
    return _of(bad, total, title)


def _of(part: float, whole: float, title: str) -> Cell:
    return Cell(f"{part:,.0f} of {whole:,.0f}" if whole else figures.NOTHING, title=title)
