"""The list of traces: a field of dots, the rows, and its pages, which stay where they are while new traces come in.

A page is named in the address by the cursor that the one before gave, so what is on it does not move. The way back is
`way_back`'s: a reader who comes by somebody else's link goes back to the first page.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, tracing, words
from ..viewing.components import Cell, link
from ..viewing.view import View
from ..viewing.way_back import WAY_BACK
from . import trace_filters
from .trace_filters import Asked

_LIMIT = 50
_ASKED = "llmops-traces-asked"
Item = Mapping[str, Any]


def traces(view: View, asked: Asked) -> None:
    """One page of what is asked for."""
    if asked.wrong:
        st.caption(f"Left out, for they are no numbers: {words.markdown(', '.join(asked.wrong))}")
    cursor = _cursor(view, asked)
    found = view.get("/api/traces", **view.params, **asked.params, order=asked.order, limit=_LIMIT, cursor=cursor)
    if found is None:
        if cursor:
            st.button("Back to the first page", on_click=lambda: address.write("at", None))
        return
    items = found["items"]
    if not items:
        _nothing(asked, found)
    else:
        _field(view, items)
        _table(view, items, asked.order)
    _pages(view, found, cursor, len(items))


def _cursor(view: View, asked: Asked) -> str:
    """Where the page begins; another question begins at its beginning."""
    question = (asked.order, str(asked.params), str(view.params))
    before = st.session_state.get(_ASKED)
    st.session_state[_ASKED] = question
    if before is not None and before != question:
        address.write("at", None)
    return address.read("at")


def _nothing(asked: Asked, found: Item) -> None:
    if found["cursor"]:
        components.empty("Nothing here yet", "Only a part has been looked through: go on with “Older”.")
    elif asked.params.get("text"):
        components.empty(
            "Nobody said that, as far as is known",
            "What is said is kept only where capture is on. To switch it on, in the configuration:",
            "traces: {capture: {share: 0.1}}",
        )
    elif asked.params:
        components.empty("No trace is like that", "Take a filter off, or look at a longer window.")
    else:
        components.empty("No traces in this window", "Look at a longer one, or make some calls:", "llmops demo")


def _field(view: View, items: Sequence[Item]) -> None:
    components.heading("Latency over time", f"of the {len(items)} below; each dot leads to its trace")
    dots = [
        tracing.Dot(
            item["started_us"] / 1e6,
            max(item["duration_us"] / 1000, 0.001),
            _to(item),
            f"{item['name'] or 'trace'}, {figures.milliseconds(item['duration_us'] / 1000)}"
            f"{', failed' if _failed(item) else ''}",
            _failed(item),
        )
        for item in items
    ]
    tracing.dots(
        dots,
        "Latency of the traces below over time",
        figures.milliseconds,
        lambda at_s: figures.moment(at_s, view.zone, now_s=view.now_s),
        about="round: fine, angular: failed",
    )


def _table(view: View, items: Sequence[Item], order: str) -> None:
    lengths = [math.log10(max(item["duration_us"], 1)) for item in items]
    is_of_all = view.reader.tenant is None and not view.tenant
    by_call = order == "dearest"  # the order is that of calls, so their cost is shown beside the whole trace's
    columns = ["when", "trace", "state", "latency", *(["dearest call"] if by_call else []), "cost", "tokens", "calls"]
    columns += ["spans", "model", "user", "session", *(["tenant"] if is_of_all else [])]
    low, wide = min(lengths), max(max(lengths) - min(lengths), 0.3)
    rows = [
        _row(view, item, 0.05 + 0.95 * (length - low) / wide, is_of_all, by_call)
        for item, length in zip(items, lengths, strict=True)
    ]
    components.heading("Traces", "each leads to its waterfall; bars of latency grow tenfold by tenfold, as above")
    numbers = ("latency", "dearest call", "cost", "tokens", "calls", "spans")
    components.table(columns, rows, numbers=numbers, caption="Traces")


def _row(view: View, item: Item, share: float, is_of_all: bool, by_call: bool) -> list[Cell | str]:
    started_s = item["started_us"] / 1e6
    failed = _failed(item)
    tokens = item["input_tokens"] + item["output_tokens"]
    row: list[Cell | str] = [
        Cell(
            figures.moment(started_s, view.zone, now_s=view.now_s),
            to=_to(item),
            title=figures.moment(started_s, view.zone),
        ),
        Cell(words.plain(item["name"] or item["trace_id"][:8], 48), title=item["trace_id"]),
        Cell(words.plain(state_of(item), 28), mood="bad" if failed else "good"),
        Cell(figures.milliseconds(item["duration_us"] / 1000), share=share),
        *([_cost(item["ranked_nanousd"])] if by_call else []),
        _cost(item["cost_nanousd"]),
        Cell(figures.count(tokens), title=f"{item['input_tokens']:,} in, {item['output_tokens']:,} out"),
        f"{item['calls']:,}",
        f"{item['spans']:,}" if item["spans"] else figures.NOTHING,
        _narrowed("model", item["model"]),
        _narrowed("user", item["user"]),
        _narrowed("session", item["session"]),
    ]
    return [*row, item["tenant"] or ""] if is_of_all else row


def _cost(nanousd: int | None) -> Cell:
    return Cell(figures.money(nanousd), title=figures.exact_money(nanousd))


def state_of(item: Item) -> str:
    """``ok`` or 200 in words that the reader knows from the API."""
    if item["error_type"]:
        return str(item["error_type"])
    if item["errors"]:
        return f"{item['errors']:,} failed" if item["source"] == "spans" else "error"
    return str(item["status"] or "ok")


def _failed(item: Item) -> bool:
    return bool(item["errors"] or item["error_type"])


def _to(item: Item) -> str:
    return link("traces", **trace_filters.here(), trace=item["trace_id"])


def _narrowed(name: str, value: str | None) -> Cell | str:
    if not value or len(value) > 256:
        return Cell(words.plain(value, 32), title=value or "")
    return Cell(words.plain(value, 32), to=link("traces", **{**trace_filters.without(name), name: value}), title=value)


def _pages(view: View, found: Item, cursor: str, count: int) -> None:
    further, reader = found["cursor"], view.key() or ""
    if further:
        WAY_BACK.note(reader, further, cursor)
    before = WAY_BACK.before(reader, cursor)

    def older() -> None:
        address.write("at", further)

    def newer() -> None:
        address.write("at", before)

    if not cursor and not further:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = "← First page" if cursor and before is None else "← Newer"
        st.button(name, on_click=newer, disabled=not cursor, key="traces-newer")
        st.button("Older →", on_click=older, disabled=not further, key="traces-older")
        notes = [f"{count:,} on this page"]
        notes += [] if found["is_full"] else ["a part was looked through, older ones may match"]
        notes += ["more texts match than were looked at"] if found["texts_cut"] else []
        st.caption(" · ".join(notes))
