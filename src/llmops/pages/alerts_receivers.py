"""Who is told, and whether it arrives."""

from ..viewing import components, figures
from ..viewing.components import Cell
from ..viewing.view import View


def show(view: View) -> None:
    found = view.get("/api/alerts/receivers")
    if found is None:
        return
    found = [each for each in found if not view.tenant or each["tenant"] in (None, view.tenant)]
    components.heading("Receivers", "who is told, and how deliveries go")
    if not found:
        components.empty(
            "Nobody is told of alerts",
            "They show here only. Name receivers (webhook, slack, email) under alerts.receivers, and try them with:",
            "llmops alerts test",
        )
        return
    components.table(
        ["receiver", "kind", "tenant", "state", "delivered", "waiting", "given up", "latest failure"],
        [
            [
                each["name"],
                each["kind"],
                each["tenant"] or "all",
                Cell("failing" if each["failing"] else "fine", mood="bad" if each["failing"] else "good"),
                figures.count(each["delivered"]),
                figures.count(each["waiting"]),
                Cell(figures.count(each["given_up"]), mood="bad" if each["given_up"] else "neutral"),
                Cell(each["failure"] or "", title=each["failure"] or ""),
            ]
            for each in found
        ],
        numbers=("delivered", "waiting", "given up"),
        caption="Receivers",
    )
