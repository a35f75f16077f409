"""One trace: what it comes to, its spans as a waterfall or as flames, the span that is picked, and its scores.

However many spans there are, a page of them is asked for and drawn. The span that is picked, the shape and the page are
in the address; without a page there, the one on which the picked span stands is shown.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, components, figures, tracing, words
from ..viewing.components import link
from ..viewing.tracing import Chip, Fact
from ..viewing.view import View
from ..viewing.waterfall import waterfall
from . import trace_filters, trace_scores, trace_span
from .trace_tree import bars_of

PAGE = 200
_OF_TRACE = ("trace", "span", "shape", "rows")
_FILE_SPANS = 5000
_SHAPES = {"waterfall": "Waterfall", "flame": "Flames"}
Item = Mapping[str, Any]


def render(view: View, trace_id: str) -> None:
    view.title("Trace", trace_id[:40])
    view.live(lambda: _trace(view, trace_id))
    view.live(lambda: trace_scores.scores(view, trace_id))


def _trace(view: View, trace_id: str) -> None:
    place = f"/api/traces/{quote(trace_id, safe='')}"
    whose = {"tenant": view.tenant} if view.tenant else {}
    found = view.get(place, limit=1, **whose)
    if found is None:
        tracing.chips([Chip("←", "All traces", link("traces", **trace_filters.here()), "")], "Back")
        return
    picked = address.read("span") or _standing_out(found)
    alone = view.ask(f"{place}/spans", **whose, span=picked, full=True)
    chosen: Item = alone.value if alone.problem is None else {"items": [], "first": 0}
    page = _page(found["spans"], chosen["first"])
    spans = view.get(f"{place}/spans", **whose, first=page * PAGE, limit=PAGE)
    if spans is None:
        return
    _links(found, spans["items"])
    tracing.facts(_facts(view, found, spans["items"]))
    _stand_outs(found)
    _drawing(view, found, spans["items"], picked, page)
    if chosen["items"]:
        trace_span.show(view, found, chosen["items"][0])
    _download(view, found, place, whose)


def _standing_out(found: Item) -> str:
    """What is looked at first: the dearest call, or where there is none, the root."""
    first: str = (found["dearest_call"] or found["page"][0])["span_id"]
    return first


def _page(count: int, of_picked: int) -> int:
    """Which page of spans is shown, counted from 0."""
    pages = max(1, -(-count // PAGE))
    asked = address.read("rows", valid=lambda given: given.isdecimal() and 0 < len(given) < 8 and int(given) > 0)
    return min(pages, int(asked)) - 1 if asked else min(of_picked // PAGE, pages - 1)


def _links(found: Item, spans: list[Item]) -> None:
    chips = [Chip("←", "All traces", link("traces", **trace_filters.here()), "")]
    if found["session"]:
        chips.append(
            Chip(
                "session", found["session"], link("traces", **trace_filters.kept(session=found["session"], show="talk"))
            )
        )
    for name, value in (("user", found["user"]), ("release", found["release_id"])):
        if value:
            chips.append(Chip(name, value, link("traces", **trace_filters.kept(**{name: value}))))
    models = dict.fromkeys(span["model"] for span in spans if span["model"])
    chips += [Chip("model", model, link("traces", **trace_filters.kept(model=model))) for model in list(models)[:4]]
    chips += [Chip("tenant", tenant, None) for tenant in found["tenants"][:4]]
    tracing.chips(chips, "What this trace is part of")


def _facts(view: View, found: Item, spans: list[Item]) -> list[Fact]:
    tokens = found["input_tokens"] + found["output_tokens"]
    tried = [span["attributes"].get("llmops.attempt") for span in spans]
    attempts = sum(each is not None for each in tried)
    failed = sum(span["status"] == "error" for span, each in zip(spans, tried, strict=True) if each is not None)
    started_s = found["started_us"] / 1e6
    unpriced = found["unpriced_calls"]
    facts = [
        Fact(
            "started",
            "Started",
            figures.moment(started_s, view.zone, now_s=view.now_s),
            figures.moment(started_s, view.zone),
        ),
        Fact("duration", "Took", figures.milliseconds(found["duration_us"] / 1000), f"{found['duration_us']:,} µs"),
        Fact(
            "spans",
            "Spans",
            figures.count(found["spans"]),
            figures.exact(found["spans"]),
            f"{found['left_out']:,} more are left out" if found["left_out"] else "",
        ),
        Fact("errors", "Failed", f"{found['errors']:,}", is_bad=bool(found["errors"]), note="spans"),
        Fact(
            "calls",
            "Model calls",
            f"{found['calls']:,}",
            note=f"{attempts} attempts, {failed} failed" if attempts else "through the gateway",
        ),
        Fact(
            "tokens",
            "Tokens",
            figures.count(tokens),
            figures.exact(tokens),
            f"{found['input_tokens']:,} in, {found['output_tokens']:,} out",
        ),
        Fact(
            "cost",
            "Cost",
            figures.money(found["cost_nanousd"]),
            figures.exact_money(found["cost_nanousd"]),
            f"{unpriced} calls have no price" if unpriced else "",
        ),
    ]
    return facts


def _stand_outs(found: Item) -> None:
    """The slowest step and the dearest call in words, each leading to its span."""
    items = []
    whole_us, whole_nanousd = found["duration_us"], found["cost_nanousd"]
    if (slow := found["slowest_step"]) is not None:
        part = f", {figures.share(slow['value'] / whole_us)} of the time" if whole_us else ""
        said = f"{words.plain(slow['name'], 60)}: {figures.milliseconds(slow['value'] / 1000)} of its own{part}"
        items.append(Chip("◆ slowest step", said, _to(found, slow["span_id"])))
    if (dear := found["dearest_call"]) is not None:
        part = f", {figures.share(dear['value'] / whole_nanousd)} of the cost" if whole_nanousd else ""
        said = f"{words.plain(dear['name'], 60)}: {figures.money(dear['value'])}{part}"
        items.append(Chip("$ dearest call", said, _to(found, dear["span_id"])))
    tracing.chips(items, "What stands out", wide=True)


def _to(found: Item, span_id: str) -> str:
    shape = address.read("shape", "waterfall", valid=_SHAPES.__contains__)
    more = {"shape": shape} if shape != "waterfall" else {}
    return link("traces", **trace_filters.here(), trace=found["trace_id"], span=span_id, **more)


def _drawing(view: View, found: Item, spans: list[Item], picked: str, page: int) -> None:
    pages = max(1, -(-found["spans"] // PAGE))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="trace-tools"):
        shape = address.choose(
            "Shape", "shape", list(_SHAPES), "waterfall", format_func=_SHAPES.__getitem__, label_visibility="collapsed"
        )
        if pages > 1:
            _pager(page, pages, found["spans"])
    if not spans:
        components.empty("No spans on this page", "There are fewer than there were.")
        return
    bars = bars_of(spans, found, is_whole=pages == 1)
    begin_us, length_us = 0, found["duration_us"]
    if pages > 1:  # a part of a long trace fills the width
        begin_us = min(bar.offset_us for bar in bars)
        length_us = max(bar.offset_us + bar.duration_us for bar in bars[1:] or bars) - begin_us
    waterfall(
        bars,
        view.palette,
        begin_us=begin_us,
        length_us=length_us,
        picked=picked,
        reveal=bool(address.read("span")),
        on_pick=lambda span_id: address.write("span", span_id),
        shape="flame" if shape == "flame" else "waterfall",
        trace=found["trace_id"],
    )


def _pager(page: int, pages: int, count: int) -> None:
    def go(to: int) -> None:
        address.write("rows", str(to + 1))

    st.button("← Before", on_click=go, args=(page - 1,), disabled=page == 0, key="trace-before")
    st.button("After →", on_click=go, args=(page + 1,), disabled=page + 1 >= pages, key="trace-after")
    st.button("Last", on_click=go, args=(pages - 1,), disabled=page + 1 >= pages, key="trace-last")
    st.caption(f"spans {page * PAGE + 1:,} to {min((page + 1) * PAGE, count):,} of {count:,}")


def _download(view: View, found: Item, place: str, whose: Mapping[str, str]) -> None:
    def file() -> bytes:
        """All of it, or as much as a file for people may hold; it says which."""
        whole, cursor = {name: value for name, value in found.items() if name != "page"}, None
        whole["page"] = []
        while len(whole["page"]) < _FILE_SPANS:
            part = view.ask(f"{place}/spans", **whose, limit=500, cursor=cursor, full=True)
            if part.problem is not None:
                whole["problem"] = part.problem.message
                break
            whole["page"] += part.value["items"]
            cursor = part.value["cursor"]
            if cursor is None:
                break
        whole["cursor"] = cursor
        return json.dumps(whole, indent=1, ensure_ascii=False).encode(errors="replace")

    name = f"trace-{found['trace_id'][:32]}.json"
    st.download_button("Download the JSON", file, name, "application/json", icon=":material/download:")
