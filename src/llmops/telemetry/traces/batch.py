"""What is stored in one transaction: rows of spans, their texts, and how far the spool was read for them."""

from typing import NamedTuple

from .records import SpanRow, Stored


class Batch(NamedTuple):
    """``spans`` are each other's unlike: no two with one key. ``again`` had the key of another one of the batch."""

    spool: str
    end: int
    spans: list[Stored]
    again: int = 0
    damaged: int = 0


class Kept(NamedTuple):
    """What became of the spans of a batch: new ones, and those that were there already."""

    stored: int
    known: int


def key_of(row: SpanRow) -> tuple[str, str, str, str]:
    """What makes a span the same when it comes again."""
    return row.trace_id, row.span_id, row.tenant, row.day
