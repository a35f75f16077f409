"""Searching calls and traces together: each gives its part of the list in the asked order, and the parts are merged."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ....store.database import Database
from ..query import Order, Position, TraceFilter, TraceItem, TracePage, merged, read_cursor, write_cursor
from .call_rows import sums_by_trace
from .call_search import CallSearch
from .span_trace_search import Hits, SpanTraceSearch
from .texts import TextIndex

CALLS_AT_ONCE = 40_000
TRACES_AT_ONCE = 20_000
TEXTS_AT_ONCE = 1000


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
        with self._database.read() as connection:
            parts = [
                CallSearch(connection, wanted, order, after, hits).find(limit, self._calls_at_once),
                SpanTraceSearch(connection, wanted, order, after, hits).find(limit, self._traces_at_once),
            ]
            chosen, further = merged(parts, limit)
            items = _together(chosen)
            _add_calls(connection, items)
        return TracePage(
            items, write_cursor(order, further) if further is not None else None, len(chosen) == limit, texts_cut=cut
        )

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


def _together(chosen: Sequence[tuple[Position, TraceItem]]) -> list[TraceItem]:
    """Calls of one trace that stand on the same page become one line, in the place of the first."""
    items: dict[tuple[str | None, str], TraceItem] = {}
    for _position, item in chosen:
        items.setdefault((item.tenant, item.trace_id), item)
    return list(items.values())


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
