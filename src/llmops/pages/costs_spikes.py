"""What was out of the ordinary: days that cost far more than those before, and alerts about spend in the window."""

from datetime import UTC, datetime

from ..viewing import components, figures
from ..viewing.components import Trouble, link
from ..viewing.view import View
from .costs_query import Narrowed, days

_MOST = 4
_RULES = ("spend", "cost", "anomal")


def unusual(view: View, to: Narrowed) -> None:
    """A line where there is something, and nothing where not."""
    found = [*_days(view, to), *_alerts(view)][:_MOST]
    if found:
        components.strip(found, "")


def _days(view: View, to: Narrowed) -> list[Trouble]:
    if to.release:
        return []
    asked = {name: value for name, value in to._asdict().items() if name != "release" and value}
    outlook = view.ask("/api/forecast", **asked).value
    first, last = days(view).values()
    return [
        Trouble(
            "warn",
            f"{each['day']} cost {figures.money(each['nanousd'])}",
            f"usual until then: {figures.money(each['usual_nanousd'])} a day",
            link("costs", by="model", window="own", **_bounds(each["day"]), tenant=view.tenant),
        )
        for each in reversed(outlook["unusual"] if outlook else ())
        if first <= each["day"] <= last
    ]


def _bounds(day: str) -> dict[str, str]:
    begin = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
    return {"from": str(begin), "to": str(begin + 86_400)}


def _alerts(view: View) -> list[Trouble]:
    first_s, last_s = view.window.bounds(view.now_s)
    asked = {"from_": _iso(first_s), "to": _iso(last_s)}
    found = view.ask("/api/alerts/history", **asked, limit=200).value or []
    return [
        Trouble(
            "warn",
            f"{each['rule']} fired {figures.moment(each['at_s'], view.zone, now_s=view.now_s)}",
            each["detail"] or "",
            link("alerts", rule=each["rule"]),
        )
        for each in found
        if each["change"] == "firing" and any(word in each["rule"].lower() for word in _RULES)
    ]


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
