"""A trace store filled by hand: calls as the log's ingester stores them, spans as the writer does."""

from typing import Any

from llmops.spend.usage.call_line import LineReader
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from llmops.telemetry.record import timestamp
from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.span import Span
from llmops.telemetry.traces.batch import Batch, key_of
from llmops.telemetry.traces.directory import TraceDirectory
from llmops.telemetry.traces.records import stored
from llmops.telemetry.traces.repository.spans import SpanRepository
from tests.spend.usage.logs import line

NOW_US = 1_795_255_200_000_000
"""2026-11-21T10:00:00Z, a Saturday."""


def trace_of(number: int) -> str:
    return f"{number:032x}"


def a_span(number: int, trace: int = 1, parent: int | None = None, **fields: Any) -> Span:
    """One millisecond long, ``number`` milliseconds after the hour."""
    started_ns = fields.pop("started_ns", (NOW_US + number * 1000) * 1000)
    given = {
        "trace_id": trace_of(trace),
        "span_id": f"{number:016x}",
        "parent_id": f"{parent:016x}" if parent is not None else None,
        "name": f"span {number}",
        "started_ns": started_ns,
        "ended_ns": started_ns + fields.pop("duration_us", 1000) * 1000,
        "resource": {"service.name": fields.pop("service", "app")},
        **fields,
    }
    return Span(**given)


class Shelf:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.traces = TraceDirectory(database)
        self._end = 0

    def calls(self, *given: dict[str, Any]) -> None:
        """Store calls: fields of `CallRecord`, with ``number``, ``trace`` and ``at_us`` for short."""
        rows = []
        for fields in given:
            rows += LineReader().read(a_line(**fields), 7)[0]
        assert len(rows) == len(given)
        CallRepository(self.database).replace(rows)

    def spans(self, *given: Span, tenant: str = "acme") -> None:
        self._end += 1
        rows = [stored(span, facts_of(span), tenant, NOW_US, None) for span in given]
        batch = Batch(f"spool-{self._end}", 1, {key_of(each.row): each for each in rows})
        SpanRepository(self.database).store(batch, NOW_US / 1e6)


def a_line(number: int, trace: int | None = None, at_us: int | None = None, **fields: Any) -> bytes:
    at_us = NOW_US + number * 1000 if at_us is None else at_us
    return line(
        number,
        **{
            "timestamp": timestamp(at_us / 1e6 + 1e-6),
            "trace_id": trace_of(number if trace is None else trace),
            "span_id": f"{number + 2**40:016x}",
            "attempts": 1,
            **fields,
        },
    )
