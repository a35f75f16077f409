"""The order of a large trace's spans, kept so that its next page is found without working the whole tree out again.

Packed, it takes some 50 bytes a span, so a process keeps the few large traces that people read just now, the least
recently read ones go first, and none is larger than its share of the room. ``stamp`` is what the trace was worked out
from: an order with another stamp is of no use any more.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from .query import Position
from .tree import Flaw
from .view import TraceView

_BLOCK = 1000
_ROOM_BYTES = 32_000_000


class Slot(msgspec.Struct, array_like=True, gc=False):
    """A span's place in the order. ``tenant`` is a position among the view's tenants. ``call`` is one among the order's
    calls, of which the span was derived; None for one that came in, on ``day``, a position among the order's days."""

    span_id: str
    tenant: int
    call: int | None
    day: int
    depth: int
    shift_us: int
    self_us: int
    children: int
    flaw: Flaw | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Slot]).decode


class SpanOrder:
    """``view`` is what the trace comes to, without a page; ``calls`` are the calls' tenants and spans."""

    def __init__(
        self, slots: Sequence[Slot], view: TraceView, calls: Sequence[tuple[str, str]], days: Sequence[str], stamp: Any
    ) -> None:
        self.view = view
        self.calls = calls
        self.days = days
        self.stamp = stamp
        self._count = len(slots)
        self._blocks = [_encode(slots[begin : begin + _BLOCK]) for begin in range(0, len(slots), _BLOCK)]

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return sum(map(len, self._blocks)) + 150 * len(self.calls)

    def slots(self, begin: int, end: int) -> list[Slot]:
        found: list[Slot] = []
        for number in range(begin // _BLOCK, -(-min(end, self._count) // _BLOCK)):
            found += _decode(self._blocks[number])
        skipped = begin // _BLOCK * _BLOCK
        return found[begin - skipped : end - skipped]

    def begin(self, after: Position | None) -> int:
        """Where the page begins: behind the span that was the last one before, wherever it stands now."""
        if after is None:
            return 0
        begin = min(max(int(after.key), 0), self._count)
        if begin and self.name(self.slots(begin - 1, begin)[0]) == after.id:
            return begin
        return next((index + 1 for index, slot in self._all() if self.name(slot) == after.id), begin)

    def find(self, span_id: str) -> int | None:
        """Which one of the order this span is, counted from 0."""
        return next((index for index, slot in self._all() if slot.span_id == span_id), None)

    def name(self, slot: Slot) -> str:
        """By which a cursor finds it again."""
        return f"{self.view.tenants[slot.tenant]}/{slot.span_id}"

    def _all(self) -> Iterator[tuple[int, Slot]]:
        yield from enumerate(slot for block in self._blocks for slot in _decode(block))


class KnownOrders:
    """Of the traces that were read last, in all ``room_bytes`` at most. Safe to share between threads."""

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._known: OrderedDict[tuple[str, str | None], SpanOrder] = OrderedDict()
        self._turn = threading.Lock()

    def find(self, trace_id: str, tenant: str | None) -> SpanOrder | None:
        """As it was when it was put; whether it is still true is the caller's to see."""
        with self._turn:
            found = self._known.get((trace_id, tenant))
            if found is not None:
                self._known.move_to_end((trace_id, tenant))
            return found

    def put(self, trace_id: str, tenant: str | None, order: SpanOrder) -> None:
        with self._turn:
            self._known.pop((trace_id, tenant), None)
            if order.size_bytes <= self._room_bytes // 2:
                self._known[trace_id, tenant] = order
            while sum(each.size_bytes for each in self._known.values()) > self._room_bytes:
                self._known.popitem(last=False)
