"""What is stored in one transaction: rows of spans, their texts, and how far the spool was read for them."""

from typing import NamedTuple

from .records import SpanRow, Stored

Key = tuple[str, str, str, str]
"""Trace, span, tenant and day: what makes a span the same when it comes again."""


class Batch(NamedTuple):
    """``again`` counts spans that had the key of another one of the batch."""

    spool: str
    end: int
    spans: dict[Key, Stored]
    again: int = 0
    damaged: int = 0


class Kept(NamedTuple):
    """What became of the spans of a batch: new ones, and those that were there already."""

    stored: int
    known: int


def key_of(row: SpanRow) -> Key:
    return row.trace_id, row.span_id, row.tenant, row.day
