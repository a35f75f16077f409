"""What is wrong now: alerts that fire, open breakers, objectives that burn, problems that the gateway names."""

from typing import Any

from ..viewing import figures
from ..viewing.components import Mood, Trouble, link
from ..viewing.source import Answer
from ..viewing.view import View

_MOST = 8


def troubles(view: View) -> list[Trouble]:
    """Worst first, so many at most; what cannot be asked for is a trouble of its own."""
    alerts, deployments, slos, health = view.ask_all(
        [("/api/alerts", {"state": "firing"}), ("/api/deployments", {}), ("/api/slos", {}), ("/health", {})]
    )
    found = [*_alerts(alerts), *_breakers(deployments), *_objectives(slos), *_problems(view, health)]
    if len(found) > _MOST:
        found = [*found[: _MOST - 1], Trouble("warn", f"and {len(found) - _MOST + 1} more", to=link("alerts"))]
    return found


def _alerts(answer: Answer) -> list[Trouble]:
    if answer.problem is not None:
        return [Trouble("bad", "Not known", answer.problem.message)] if answer.problem.trouble != "missing" else []
    worst: dict[tuple[str, str], Trouble] = {}  # what is critical is often a warning as well: it is said once
    for alert in answer.value:
        is_bad = alert["severity"] in ("page", "critical")
        about = alert.get("detail") or " · ".join(_label(alert["rule"], *each) for each in alert["labels"].items())
        if is_bad or (alert["rule"], about) not in worst:
            to = link("alerts", rule=alert["rule"])
            worst[alert["rule"], about] = Trouble("bad" if is_bad else "warn", alert["rule"], about, to)
    return list(worst.values())


def _label(rule: str, name: str, value: str) -> str:
    return value if name == rule else f"{name} {value}"


def _breakers(answer: Answer) -> list[Trouble]:
    return [
        Trouble(
            "bad" if each["breaker"]["state"] == "open" else "warn",
            f"{each['name']} is {'out' if each['breaker']['state'] == 'open' else 'on trial'}",
            each["breaker"]["reason"],
            link("reliability"),
        )
        for each in answer.value or ()
        if each["breaker"]["state"] != "closed"
    ]


def _objectives(answer: Answer) -> list[Trouble]:
    found = [each for each in answer.value or () if each["state"] in ("ticket", "page", "exhausted")]
    return [_objective(each) for each in found]


def _objective(standing: dict[str, Any]) -> Trouble:
    budget, state = standing["budget"], standing["state"]
    what = "no error budget is left" if state == "exhausted" else "burns its error budget"
    left = f"{figures.share(max(0.0, budget['left'] / budget['allowed']))} left" if budget["allowed"] else ""
    mood: Mood = "warn" if state == "ticket" else "bad"
    return Trouble(mood, f"{standing['name']}: {what}", left, link("reliability"))


def _problems(view: View, answer: Answer) -> list[Trouble]:
    if view.reader.tenant is not None:
        return []  # the operator's business
    health = answer.value or {}
    return [Trouble("warn", "Gateway", problem, link("reliability")) for problem in health.get("problems", ())]
