"""Answers in this process: the least recently used go when there are too many, or too much.

A dictionary in the order of use. What has expired goes when it is met, or when it is the oldest; it counts against the
bounds until then. Invalidation looks at every answer: thousands, a few times a day. Words of invalidation are
remembered as long as a call that began before them may last.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from .answers import AnswersView
from .labels import Labels, Selector

_LONGEST_CALL_S = 3700.0
_OVERHEAD_BYTES = 500
"""Of an answer beside its bytes: key, labels, places in the dictionary."""


class _Kept(msgspec.Struct, gc=False):
    data: bytes
    labels: Labels
    began_s: float
    expires_s: float


class LocalAnswers:
    """Belongs to one event loop."""

    def __init__(self, max_entries: int, max_bytes: int, now_s: Callable[[], float]) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._now_s = now_s
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0
        self._evicted = self._expired = self._invalidated = 0
        self._words: dict[Selector, float] = {}

    def get(self, key: bytes) -> bytes | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires_s <= self._now_s():
            self._remove(key)
            self._expired += 1
            return None
        self._kept.move_to_end(key)
        return kept.data

    def put(self, key: bytes, data: bytes, labels: Labels, *, began_s: float, expires_s: float) -> None:
        if any(at_s >= began_s and selector.selects(labels) for selector, at_s in self._words.items()):
            return
        if key in self._kept:
            self._remove(key)
        if len(data) + _OVERHEAD_BYTES > self.max_bytes:
            return  # it would drive out all others first, and then itself
        self._kept[key] = _Kept(data, labels, began_s, expires_s)
        self._bytes += len(data) + _OVERHEAD_BYTES
        while self._kept and (len(self._kept) > self.max_entries or self._bytes > self.max_bytes):
            oldest, kept = next(iter(self._kept.items()))
            self._remove(oldest)
            if kept.expires_s <= self._now_s():
                self._expired += 1
            else:
                self._evicted += 1

    async def invalidate(self, selector: Selector) -> int:
        now_s = self._now_s()
        self._words = {word: at_s for word, at_s in self._words.items() if at_s > now_s - _LONGEST_CALL_S}
        self._words[selector] = now_s
        gone = [key for key, kept in self._kept.items() if selector.selects(kept.labels)]
        for key in gone:
            self._remove(key)
        self._invalidated += len(gone)
        return len(gone)

    def view(self) -> AnswersView:
        return AnswersView(
            kind="process",
            entries=len(self._kept),
            bytes=self._bytes,
            evicted=self._evicted,
            expired=self._expired,
            invalidated=self._invalidated,
        )

    def _remove(self, key: bytes) -> None:
        self._bytes -= len(self._kept.pop(key).data) + _OVERHEAD_BYTES
