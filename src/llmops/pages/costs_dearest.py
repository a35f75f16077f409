"""The dearest calls of what the page is narrowed to, each leading to its trace."""

from ..viewing import components, figures
from ..viewing.components import Cell, link
from ..viewing.view import View
from .costs_query import Narrowed, Row

_MOST = 10


def dearest(view: View, to: Narrowed) -> None:
    components.heading("Dearest calls", f"in {view.window.said(view.zone)}; each leads to its trace")
    if to.key or to.tag:
        components.empty("Traces are not told apart by key or tag", "Take that out of the filter to see the dearest.")
        return
    asked = {"model": to.model, "user": to.user, "release": to.release}
    found = view.get("/api/traces", **view.params, **asked, order="dearest", limit=_MOST)
    if found is None:
        return
    items = [item for item in found["items"] if item["cost_nanousd"]]
    if not items:
        components.empty("No call of this window cost anything", "Or nobody knows what: then its model needs a price.")
        return
    most = max(item["cost_nanousd"] for item in items)
    components.table(
        ["cost", "when", "request", "tokens", "tenant", "user"],
        [_line(view, item, most) for item in items],
        numbers=("tokens",),
        caption="Dearest calls",
    )


def _line(view: View, item: Row, most: int) -> list[Cell | str]:
    at_s, cost = item["started_us"] / 1e6, item["cost_nanousd"]
    to = link("traces", trace=item["trace_id"], tenant=view.tenant)
    return [
        Cell(figures.money(cost), to=to, title=figures.exact_money(cost), share=cost / most),
        Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone)),
        Cell(item["name"] or item["model"] or "call", title=item["model"] or ""),
        Cell(
            figures.count((item["input_tokens"] or 0) + (item["output_tokens"] or 0)),
            title=f"{item['input_tokens'] or 0:,} in, {item['output_tokens'] or 0:,} out",
        ),
        item["tenant"] or "",
        item["user"] or "",
    ]
