"""Searching calls and traces together: each gives its part of the list in the asked order, and the parts are merged.

A trace is listed once, on whatever page the first of its calls is. What has come in since the list began does not count
for that, so it hides nothing on the pages to come.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from ....store.database import Database
from ..query import Order, Position, TraceFilter, TraceItem, TracePage, merged, read_cursor, read_top, write_cursor
from .call_rows import sums_by_trace
from .call_search import CallSearch
from .span_trace_search import Hits, SpanTraceSearch
from .texts import TextIndex

CALLS_AT_ONCE = 40_000
TRACES_AT_ONCE = 20_000
TEXTS_AT_ONCE = 1000
_MORE = 500
_ROUNDS = 10
"""Times 500 calls of traces that are listed already: beyond, the page ends before it is full."""


class TraceSearch:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(
        self, database: Database, *, calls_at_once: int = CALLS_AT_ONCE, traces_at_once: int = TRACES_AT_ONCE
    ) -> None:
        self._database = database
        self._texts = TextIndex(database)
        self._calls_at_once = calls_at_once
        self._traces_at_once = traces_at_once

    def search(
        self, wanted: TraceFilter, order: Order = "newest", limit: int = 50, cursor: str | None = None
    ) -> TracePage:
        """A page of what is wanted; `InvalidRequest` for a cursor that is none."""
        wanted = wanted.cleaned()
        after = read_cursor(order, cursor) if cursor is not None else None
        if not self._database.exists:
            return TracePage([])
        hits, cut = self._hits(wanted)
        if hits is not None and not hits.ids:
            return TracePage([])
        top = read_top(cursor) if cursor is not None else None
        with self._database.read() as connection:
            page = _Page(limit, top)
            asked = limit
            for _ in range(_ROUNDS):
                calls_part = CallSearch(connection, wanted, order, after, hits)
                parts = [
                    calls_part.find(asked, self._calls_at_once),
                    SpanTraceSearch(connection, wanted, order, after, hits).find(asked, self._traces_at_once),
                ]
                chosen, after = merged(parts, asked)
                after = page.take(chosen, after, calls_part.first_keys)
                if after is None or page.is_full or len(chosen) < asked:
                    break
                asked = max(limit, _MORE)  # the same few traces again and again
            items = list(page.items.values())
            if order == "dearest":
                for item in items:
                    item.ranked_nanousd = item.cost_nanousd
            _add_calls(connection, items)
        further = write_cursor(order, after, page.top) if after is not None else None
        return TracePage(items, further, page.is_full, texts_cut=cut)

    def _hits(self, wanted: TraceFilter) -> tuple[Hits | None, bool]:
        """Where the words are, None where none are asked for; and whether they are in more texts than these."""
        if wanted.text is None:
            return None, False
        found = self._texts.search(wanted.text, tenant=wanted.tenant, limit=TEXTS_AT_ONCE)
        hits = Hits(
            [each.id for each in found],
            sorted({each.trace_id for each in found}),
            sorted({each.span_id for each in found}),
        )
        return hits, len(found) == TEXTS_AT_ONCE


class _Page:
    """Calls of one trace are one line of a list, in the place of the first of them, whatever page that is on."""

    def __init__(self, limit: int, top: float | None) -> None:
        self.items: dict[tuple[str | None, str], TraceItem] = {}
        self.top = top
        self._limit = limit
        self._begins_list = top is None

    @property
    def is_full(self) -> bool:
        return len(self.items) == self._limit

    def take(
        self,
        chosen: Sequence[tuple[Position, TraceItem]],
        further: Position | None,
        first_keys: Callable[[Sequence[str], float], dict[tuple[str | None, str], float]],
    ) -> Position | None:
        """Take lines until the page is full; returns where the list goes on."""
        if not chosen:
            return further
        if self.top is None:
            self.top = chosen[0][0].key
        trace_ids = sorted({item.trace_id for _, item in chosen if item.source == "call"})
        firsts = {} if self._begins_list or not trace_ids else first_keys(trace_ids, self.top)
        for number, (position, item) in enumerate(chosen, 1):
            key = item.tenant, item.trace_id
            if key in self.items or (item.source == "call" and firsts.get(key, position.key) > position.key):
                continue
            self.items[key] = item
            if self.is_full:
                return position if number < len(chosen) else further
        return further


def _add_calls(connection: Connection, items: Sequence[TraceItem]) -> None:
    """What the gateway's calls in these traces come to."""
    sums = sums_by_trace(connection, [(item.tenant, item.trace_id) for item in items])
    for item in items:
        found = sums.get((item.tenant, item.trace_id))
        if found is not None:
            item.calls = found.calls
            item.errors = max(item.errors, found.errors)
            item.input_tokens, item.output_tokens = found.input_tokens, found.output_tokens
            item.cost_nanousd = found.cost_nanousd
