"""Costs: what calls cost and whom, where the budgets stand, what the month will have cost, and the dearest calls.

A row leads to the same page narrowed to it; the crumbs lead back. Calls without a known price are counted as such and
never taken for free. Figures are those of the control plane (`costs_query` says which route).
"""

from collections.abc import Sequence

import streamlit as st

from ..viewing import address, charts, components, figures, gauges, words
from ..viewing.components import Cell, Trouble
from ..viewing.view import View
from .costs_budgets import budgets
from .costs_cards import cards
from .costs_csv import as_csv
from .costs_dearest import dearest
from .costs_forecast import forecast
from .costs_query import KINDS, Course, Narrowed, Row, breakdown, course, head, here, narrowed, narrower, said
from .costs_spikes import unusual

_DRAWN = 6
_COLUMN_PX = 520
_NOBODY = "none"


def render(view: View) -> None:
    gauges.put_on()
    view.title("Costs", f"What calls cost in {view.window.said(view.zone)}")
    to = narrowed(view)
    _crumbs(view, to)
    by, tag = _told_apart(view, to)
    view.live(lambda: _money(view, to, by, tag))
    st.space("small")
    view.live(lambda: budgets(view))
    st.space("small")
    with st.grid(2, min_column_width=_COLUMN_PX, gap="medium"):
        with st.container(gap="small"):
            view.live(lambda: forecast(view, to))
        with st.container(gap="small"):
            view.live(lambda: dearest(view, to))


def _crumbs(view: View, to: Narrowed) -> None:
    chosen = {name: value for name, value in to.chosen.items() if name != "tenant" or not view.reader.tenant}
    items, names = [], list(chosen)
    for number, (name, value) in enumerate(chosen.items()):
        behind = {each: "" for each in names[number + 1 :]}
        items.append(gauges.Crumb(name, value, here(**behind), here(**{name: ""})))
    first = f"Tenant {view.reader.tenant}" if view.reader.tenant else "All costs"
    gauges.crumbs(items, first, here(**{name: "" for name in names}))


def _told_apart(view: View, to: Narrowed) -> tuple[str, str]:
    kinds = [name for name in KINDS if name == "tag" or name == "day" or not getattr(to, name)]
    default = "model" if "tenant" not in kinds else "tenant"
    default = default if default in kinds else "day"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        by = address.choose("Told apart by", "by", kinds, default, label_visibility="collapsed",
                            format_func=lambda kind: f"By {kind}")  # fmt: skip
        tag = _tag(view, to) if by == "tag" else ""
    return by, tag


def _tag(view: View, to: Narrowed) -> str:
    found = view.ask("/api/usage/tags", tenant=to.tenant).value or []
    if not found:
        return ""
    return address.select("Tag", "named", found, found[0], label_visibility="collapsed", width=220,
                          format_func=lambda name: words.plain(name, 40))  # fmt: skip


def _money(view: View, to: Narrowed, by: str, tag: str) -> None:
    if _is_without_answer(to, by, tag):
        return
    whole = head(view, to, by, tag)
    if whole.problem is not None:
        view.show(whole.problem)
        return
    totals = whole.value.totals
    if not totals["calls"]:
        components.empty(
            "Nothing was called in this time",
            "Look at a longer window or take a filter out. In the shell:",
            "llmops usage --by tenant,model",
        )
        return
    if totals["unpriced_calls"]:
        share = figures.share(totals["unpriced_calls"] / totals["calls"])
        what = f"{share} of all; their money is missing in every figure here. Name a price under `prices`."
        components.strip([Trouble("warn", f"{totals['unpriced_calls']:,} calls without a known price", what)], "")
    components.cards(cards(totals, whole.value.before, whole.value.steps))
    st.space("small")
    found = breakdown(view, to, by, tag)
    if found.problem is not None:
        view.show(found.problem)
        return
    rows = found.value["rows"]
    top = [] if by == "day" else [row["value"] for row in rows[:_DRAWN] if row["nanousd"]]
    drawn = course(view, to, by, tag, top)
    if drawn.problem is not None:
        view.show(drawn.problem)
    else:
        _bars(view, to, by, drawn.value)
    unusual(view, to)
    st.space("small")
    _table(view, to, by, tag, rows, totals["nanousd"], found.value.get("left_out", 0))


def _is_without_answer(to: Narrowed, by: str, tag: str) -> bool:
    """Whether that cannot be told, and says why."""
    if why := to.cannot(by):
        components.empty(why, "Take the release out of the filter, or tell apart by model or day.")
        return True
    if by == "tag" and not tag:
        components.empty(
            "No call had a tag", "Callers name them in a header, one for each thing you will want to tell apart:",
            "curl … -H 'x-llmops-tags: feature=search'",
        )  # fmt: skip
        return True
    return False


def _bars(view: View, to: Narrowed, by: str, drawn: Course) -> None:
    series: dict[str, list[float | None]] = {}
    for value, money in drawn.of.items():
        series[words.plain(value or _NOBODY, 40)] = [each / 1e9 for each in money]
    if any(drawn.others) or not series:
        series["others" if series else "cost"] = [each / 1e9 for each in drawn.others]
    palette = view.palette.series
    colours = [*palette[: len(drawn.of)], palette[6]] if drawn.of else [palette[2]]
    each = "a day (UTC)" if drawn.step_s == 86_400 else figures.seconds(drawn.step_s)
    with st.container(gap="xsmall"):
        components.heading("Over time", f"each bar {each}; {said(view, to, by)}")
        charts.bars(drawn.at, series, view.palette, step_s=drawn.step_s, form="usd", colours=colours,
                    height=260, key="costs-over-time", alt_text=f"Cost over time by {by}")  # fmt: skip


def _table(view: View, to: Narrowed, by: str, tag: str, rows: Sequence[Row], whole: int, left: int) -> None:
    name = f"tag {tag}" if by == "tag" else by
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        components.heading(f"By {name}", f"{said(view, to, by)}; a row narrows the page to it"
                           + (f"; {left:,} more are in the CSV" if left else ""))  # fmt: skip
        st.download_button("CSV", lambda: as_csv(view, to, by, tag), f"costs-by-{by}.csv", "text/csv",
                           key="costs-csv", on_click="ignore", icon=":material/download:")  # fmt: skip
    names = _key_names(view) if by == "key" else {}
    components.table(
        [words.plain(name, 40), "cost", "share", "calls", "unpriced", "per call", "tokens", "saved", "errors"],
        [_line(row, by, tag, whole, rows, names) for row in rows],
        numbers=("cost", "calls", "unpriced", "per call", "tokens", "saved", "errors"),
        caption="Costs",
    )


def _line(row: Row, by: str, tag: str, whole: int, rows: Sequence[Row], names: dict[str, str]) -> list[Cell | str]:
    value, spent, unpriced = row["value"], row["nanousd"], row["unpriced_calls"]
    all_unpriced = unpriced == row["calls"] and unpriced
    most = max(each["nanousd"] for each in rows) or 1
    each = spent / (row["calls"] - unpriced) if row["calls"] > unpriced else None
    shown = names.get(value or "", value) or _NOBODY
    return [
        Cell(shown, to=narrower(by, value, tag) if value else None, title=value or f"calls without a {by}"),
        Cell("no price known" if all_unpriced else figures.money(spent), title=figures.exact_money(spent)),
        Cell(figures.share(spent / whole) if whole and not all_unpriced else figures.NOTHING, share=spent / most),
        figures.count(row["calls"]),
        Cell(figures.count(unpriced), mood="warn") if unpriced else "0",
        figures.money(each),
        figures.count(row["tokens"]),
        Cell(figures.money(row["saved_nanousd"]), title=figures.exact_money(row["saved_nanousd"])),
        figures.count(row["errors"]),
    ]


def _key_names(view: View) -> dict[str, str]:
    """Names that people gave to keys; their ids stand in the tooltip."""
    found = view.ask("/api/keys").value or []
    return {each["id"]: each["name"] for each in found}
