"""How alerts are worded: values in their kind's unit, how bad, how long, and the page that explains one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..viewing import figures
from ..viewing.components import Mood, link
from ..viewing.view import View

Alert = Mapping[str, Any]
_MOODS: dict[str, Mood] = {"critical": "bad", "page": "bad", "warning": "warn", "ticket": "warn", "info": "neutral"}
_BELOW = ("success_rate", "quality")


def mood_of(severity: str) -> Mood:
    return _MOODS.get(severity, "warn")


def value_of(kind: str | None, value: float | None) -> str:
    """In the unit of the rule's kind; nothing for kinds that are a verdict already."""
    if value is None or kind == "breaker_open":
        return ""
    if kind == "latency":
        return figures.milliseconds(value * 1000)
    if kind in ("success_rate", "budget_used"):
        return figures.share(value)
    if kind == "drops":
        return figures.count(value)
    if kind == "spend_anomaly":
        return f"{value:.1f} \N{GREEK SMALL LETTER SIGMA}"
    if kind == "slo_burn":
        return f"{value:.3g}\N{MULTIPLICATION SIGN}"
    return f"{value:.3g}"


def bound_of(kind: str | None, threshold: float | None) -> str:
    """The threshold, with the side on which it alerts."""
    shown = value_of(kind, threshold)
    if not shown:
        return ""
    return f"alerts {'below' if kind in _BELOW else 'from'} {shown}"


def labels_of(labels: Mapping[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in labels.items())


def seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def ago(moment: str, view: View) -> str:
    return figures.seconds(max(0.0, view.now_s - seconds_of(moment)))


def explained_at(alert: Alert, view: View) -> tuple[str, str]:
    """The page that shows why: its name and address."""
    labels, kind = alert["labels"], alert["kind"]
    of = {"tenant": labels.get("tenant") or view.tenant, "model": labels.get("model"), "release": labels.get("release")}
    if kind in ("budget_used", "spend_anomaly"):
        return "Costs", link("costs", **of)
    if kind == "success_rate":
        return "Failed calls", link("traces", state="error", **of)
    if kind == "latency":
        return "Slowest calls", link("traces", order="slowest", **of)
    if kind == "quality":
        return "Feedback", link("feedback", **of)
    return "Reliability", link("reliability", tenant=of["tenant"])


def of_tenant(alert: Alert, view: View) -> bool:
    """Whether it belongs to what the pages are narrowed to."""
    return not view.tenant or alert["labels"].get("tenant") in (None, view.tenant)
